"""Write the golden cases: `python -m tests.golden.make`. Read the diff before it is committed.

Each half says by hand what the answer must be; a judgement that differs is not written but reported.
"""

import pathlib
import sys

from probe.classify.judge import judge
from tests.golden.plain import render, to_plain
from tests.golden.stories import PAIRS
from tests.golden.story import Half

HERE = pathlib.Path(__file__).parent


def write_half(folder: pathlib.Path, name: str, part: Half) -> str:
    """Write one half; return what is wrong with it, or an empty string."""
    verdict = judge(part.case)
    said = (verdict.status, verdict.cause, verdict.confidence)
    if said != part.says:
        return f"{folder.name} {name}: {' '.join(map(repr, said))} instead of {part.says}: {verdict.rule_id}"
    text = render({"case": to_plain(part.case), "verdict": to_plain(verdict)})
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return ""


def main() -> int:
    """Write every pair; return 1 if any was judged otherwise than its story says."""
    wrong = []
    for rule, build in sorted(PAIRS.items()):
        pair = build()
        folder = HERE / rule
        folder.mkdir(exist_ok=True)
        wrong += [write_half(folder, "fires", pair.fires), write_half(folder, "nearly", pair.nearly)]
        about = f"# {rule}\n\nFires: {pair.fires.about}\n\nNearly: {pair.nearly.about}\n"
        (folder / "about.md").write_text(about, encoding="utf-8")
    for line in filter(None, wrong):
        sys.stderr.write(line + "\n")
    return 1 if any(wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
