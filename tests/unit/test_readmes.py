"""What READMEs and docstrings name is there: files, and modules or folders in tables of them."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = [
    str(path.relative_to(ROOT))
    for top in ("probe", "tests", "deploy", "targets")
    for path in (ROOT / top, *(ROOT / top).rglob("*"))
    if "__pycache__" not in path.parts
]


def names_of_files(text: str) -> Iterator[str]:
    yield from re.findall(r"`([\w/]+\.py)`", text)
    for table in re.findall(r"^\| (?:file|modules?|folder) \|[^\n]*\n(?:\|[^\n]*\n)+", text, re.MULTILINE):
        for row in table.splitlines()[2:]:
            yield from re.findall(r"`([a-z_0-9/]+)/?`", row.split("|")[1])


def is_there(name: str) -> bool:
    wanted = name.rstrip("/")
    return any(f"/{path}".endswith((f"/{wanted}", f"/{wanted}.py")) for path in HERE)


def test_every_file_that_is_named_is_there() -> None:
    places = (ROOT / "README.md", *(ROOT / "probe").rglob("*.md"), *(ROOT / "probe").rglob("*.py"))
    named = {
        (str(place.relative_to(ROOT)), name) for place in places for name in names_of_files(place.read_text("utf-8"))
    }
    assert len(named) > 100
    assert not [(place, name) for place, name in sorted(named) if not is_there(name)]
