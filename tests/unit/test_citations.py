"""What the repository cites is in it: sections of the contract, files that texts name, modules in maps."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.classify.status import Usable, decide
from probe.model.verdict import Cause, Confidence

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "probe" / "classify" / "CONTRACT.md"
FOLDERS = [ROOT / name for name in ("probe", "tests", "deploy", "targets")]
FOUND = [*ROOT.iterdir(), *(path for folder in FOLDERS for path in folder.rglob("*"))]
SOURCES = sorted(path for path in FOUND if path.suffix == ".py")
PAGES = sorted(path for path in FOUND if path.suffix == ".md" and path.name != "about.md")
FILES = {path.relative_to(ROOT).as_posix() for path in FOUND}
_CITED = re.compile(r"CONTRACT\s+section(s?)\s+(\d+(?:(?:\s*\([^)]*\))?(?:,|\s+and)\s+\d+)*)")
_NAMED = re.compile(
    r"(?:(?<=`)[\w./-]+|(?<![\w/.])(?:probe|tests|deploy|targets)/[\w./-]+)\.(?:py|md|yaml|yml|toml|csv|html|js|css)\b"
)
"""A file in backticks, or one that is said to lie in a folder of ours."""
_QUOTED = re.compile(r"`([\w/]+\.py)`")
_TABLE = re.compile(r"^\| (?:file|modules?|folder) \|[^\n]*\n(?:\|[^\n]*\n)+", re.MULTILINE)
"""One whose first column names what lies in our folders."""
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def cited_sections(text: str) -> Iterator[int]:
    for plural, numbers in _CITED.findall(text):
        found = re.findall(r"\d+", re.sub(r"\([^)]*\)", "", numbers))
        yield from map(int, found if plural else found[:1])


def headings() -> set[int]:
    return {int(number) for number in re.findall(r"^## (\d+)\. ", CONTRACT.read_text(encoding="utf-8"), re.MULTILINE)}


def docstrings(source: Path) -> Iterator[str]:
    """Yield every text that stands alone as a statement: docstrings, and the words under fields and constants."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def is_ours(name: str) -> bool:
    """Tell whether it names a file of the repository: `wallprobe.yml` and the like are whose who reads the page."""
    return not name.startswith("/") and ("/" in name or name.endswith((".py", ".md")))


def is_here(name: str, beside: Path) -> bool:
    if (beside / name).exists():
        return True
    return any(path == name or path.endswith("/" + name) for path in FILES)


def test_the_contract_has_its_sections_in_order() -> None:
    assert sorted(headings()) == list(range(1, 9))


def test_every_section_of_the_contract_that_is_cited_is_there() -> None:
    cited = {(path.name, number) for path in (*SOURCES, *PAGES) for number in cited_sections(path.read_text("utf-8"))}
    assert len(cited) > 50
    assert {(name, number) for name, number in cited if number not in headings()} == set()


def test_no_other_document_of_ours_is_cited_by_its_sections() -> None:
    others = re.compile(r"\b(?!CONTRACT)[A-Z]{5,}(?:\.md)?\s+sections? \d")
    assert {
        (path.name, found) for path in (*SOURCES, *PAGES) for found in others.findall(path.read_text("utf-8"))
    } == set()


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("CONTRACT section 4: ten", [4]),
        ("CONTRACT\nsections 1 (a: b) and 2 (n of each)", [1, 2]),
        ("CONTRACT sections 1 (a), 2 (b) and 6.", [1, 2, 6]),
        ("CONTRACT section 2, 30 s apart", [2]),
        ("RFC 8446 section 4.1", []),
    ],
)
def test_a_citation_is_read_whole(text: str, sections: list[int]) -> None:
    assert list(cited_sections(text)) == sections


def test_no_docstring_or_comment_names_a_file_that_is_not_here() -> None:
    named = {(path, name) for path in SOURCES for text in docstrings(path) for name in _NAMED.findall(text)}
    program = (path for path in SOURCES if path.is_relative_to(ROOT / "probe"))
    named |= {(path, name) for path in program for name in _QUOTED.findall(path.read_text("utf-8"))}
    assert len(named) >= 20
    lost = {
        f"{path.relative_to(ROOT)}: {name}" for path, name in named if is_ours(name) and not is_here(name, path.parent)
    }
    assert lost == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_names_a_file_that_is_not_here(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = {name for name in _LINK.findall(text) if not (page.parent / name).exists()}
    assert links == set()
    assert {name for name in _NAMED.findall(text) if is_ours(name) and not is_here(name, page.parent)} == set()


def test_no_table_names_a_module_or_folder_that_is_not_here() -> None:
    rows = [
        (page, row)
        for page in PAGES
        for table in _TABLE.findall(page.read_text("utf-8"))
        for row in table.splitlines()[2:]
    ]
    named = {(page, name) for page, row in rows for name in re.findall(r"`([a-z_0-9/]+)`", row.split("|")[1])}
    assert len(named) > 60
    lost = {
        f"{page.relative_to(ROOT)}: {name}"
        for page, name in named
        if not any(is_here(name.rstrip("/") + suffix, page.parent) for suffix in ("", ".py"))
    }
    assert lost == set()


@pytest.mark.parametrize("folder", ["probe/classify", "probe/net"])
def test_a_map_names_modules_that_there_are(folder: str) -> None:
    rows = [row for row in (ROOT / folder / "README.md").read_text("utf-8").splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9*]+)`", row.split("|")[1])}
    folders = {name for row in rows for name in re.findall(r"`([a-z_]+)/`", row.split("|")[1])}
    assert len(named) > 10
    assert {name for name in named if not list((ROOT / folder).glob(f"{name}.py"))} == set()
    assert {name for name in folders if not (ROOT / folder / name / "__init__.py").exists()} == set()


def test_the_contract_has_the_table_of_statuses_that_the_code_has() -> None:
    usable = {"all of it": Usable.ALL, "some of it": Usable.SOME, "none": Usable.NONE}
    rows = [row.strip("| ").split(" | ") for row in CONTRACT.read_text("utf-8").splitlines() if row.startswith("| ")]
    seen = set()
    for row in rows:
        if row[0] not in usable:
            continue
        words = [word.split(" ")[0] for word in row[1].split(", ")]
        causes = [cause for cause in Cause if cause.value in words] or list(Cause)
        for cause in causes:
            says = [decide(usable[row[0]], cause, confidence).value for confidence in Confidence]
            assert says == [cell.strip("`") for cell in row[2:]], row
            seen.add((usable[row[0]], cause))
    assert {cause for how, cause in seen if how is Usable.NONE} == set(Cause) - {Cause.NONE}
    assert {how for how, _ in seen} == set(Usable)
