"""The two line-by-line lists: plain text with one address per line, and Citizen Lab's CSV.

Source: github.com/citizenlab/test-lists, columns url, category_code, category_description, date_added, source, notes.
Only `url` must be there; besides it `category_code` is read. A quote that is never closed costs its own line only.
"""

import csv
import re
from collections.abc import Iterator

import msgspec

from probe.model.errors import UserError
from probe.model.target import Target
from probe.targets.lists.entries import read_address
from probe.targets.lists.loaded import Loaded, join_loaded
from probe.targets.secret_reading import SecretReader
from probe.targets.traits import Traits

_COMMENT = re.compile(r"(?:^|\s)#.*")
_LONGEST_QUOTED = 20
"""Lines that one quoted field may span."""


def parse_text(text: str, file: str, base: Traits) -> Loaded:
    """Read one address per line; `#` begins a comment at the start of a line or after a blank."""
    targets: list[Target] = []
    errors: list[UserError] = []
    reader = SecretReader()
    for number, line in enumerate(text.split("\n"), 1):
        address = (_COMMENT.sub("", line) if "#" in line else line).strip()
        if not address:
            continue
        targets.extend(read_address(address, f"{file}:{number}", base, errors, reader))
    return join_loaded([Loaded(targets=tuple(targets), errors=tuple(errors))])


def parse_csv(text: str, file: str, base: Traits) -> Loaded:
    """Read Citizen Lab's CSV.

    Raises:
        UserError: the first line names no column `url`.
    """
    rows = _rows(text.split("\n"))
    _, header = next(rows, (1, []))
    columns = [cell.strip().lower() for cell in header or []]
    if "url" not in columns:
        raise UserError(f"{file}:1", "no column is called url", "begin with the line url,category_code")
    url_column = columns.index("url")
    category_column = columns.index("category_code") if "category_code" in columns else -1
    targets: list[Target] = []
    errors: list[UserError] = []
    traits_of: dict[str, Traits] = {"": base}
    reader = SecretReader()
    for number, cells in rows:
        if cells is None:
            errors.append(UserError(f"{file}:{number}", "a quote is not closed", 'close it with "'))
            continue
        address = cells[url_column].strip() if url_column < len(cells) else ""
        category = cells[category_column].strip()[:64] if 0 <= category_column < len(cells) else ""
        if category not in traits_of:
            traits_of[category] = msgspec.structs.replace(base, category=category)
        targets.extend(read_address(address, f"{file}:{number}", traits_of[category], errors, reader))
    return join_loaded([Loaded(targets=tuple(targets), errors=tuple(errors))])


def _rows(lines: list[str]) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the number of the first line and the cells of each row that is not empty; `None` = an open quote."""
    index = 0
    while index < len(lines):
        start, line = index + 1, lines[index].rstrip("\r")
        index += 1
        if not line.strip():
            continue
        if '"' not in line:
            yield start, line.split(",")
            continue
        joined, end = line, index
        while joined.count('"') % 2 and end < len(lines) and end - index < _LONGEST_QUOTED:
            joined += "\n" + lines[end].rstrip("\r")
            end += 1
        if joined.count('"') % 2:
            yield start, None
            continue
        index = end
        try:
            yield start, next(csv.reader([joined]), [])
        except csv.Error:
            yield start, None
