"""How large the program is: modules, the longest file and function, and whether the layers' contracts are kept."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.bench.figures import reading
from tests.bench.report import Outcome

NEEDS_NAMESPACES = False
MOST_LINES = 400
ROOT = Path(__file__).parents[3]


def run(*, quick: bool, rounds: int) -> Outcome:
    """Count."""
    files = sorted((ROOT / "probe").rglob("*.py"))
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    longest = max(lines, key=lambda file: lines[file])
    functions = [found for file in files for found in find_functions(file)]
    length, name = max(functions)
    figures = [
        reading("modules", len(files), "", digits=0),
        reading("lines", sum(lines.values()), "", digits=0),
        reading("longest file", lines[longest], "lines", limit=MOST_LINES, digits=0),
        reading("longest function", length, "lines", digits=0),
        reading("broken contracts", count_broken_contracts(), "", limit=0, digits=0),
    ]
    notes = [f"longest file: {longest.relative_to(ROOT)}", f"longest function: {name}"]
    return Outcome(figures=figures, notes=notes)


def find_functions(file: Path) -> list[tuple[int, str]]:
    """Return lines and name of each function in a file, decorators and docstring included."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    place = ".".join(file.relative_to(ROOT).with_suffix("").parts) if file.is_relative_to(ROOT) else file.stem
    return [
        (
            (node.end_lineno or node.lineno) - min([node.lineno, *(each.lineno for each in node.decorator_list)]) + 1,
            f"{place}.{node.name}",
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def count_broken_contracts() -> int:
    """Have import-linter look; return how many contracts are broken.

    Raises:
        RuntimeError: it could not look.
    """
    program = Path(sys.executable).with_name("lint-imports")
    looked = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    for line in looked.stdout.splitlines():
        if line.startswith("Contracts:"):
            return int(line.rpartition("kept, ")[2].split()[0])
    raise RuntimeError(f"lint-imports said: {(looked.stdout + looked.stderr)[-500:]}")
