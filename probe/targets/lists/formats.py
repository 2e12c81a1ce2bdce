"""Which kind of list a text is, and its reader."""

import re
from enum import StrEnum
from typing import assert_never

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.targets.lists.file_sd import parse_file_sd_json
from probe.targets.lists.loaded import Loaded, inherit
from probe.targets.lists.plain_lists import parse_csv, parse_text
from probe.targets.lists.yaml_list import parse_yaml_list

_ENDINGS = {".txt": "text", ".list": "text", ".csv": "csv", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
_FIRST_LINE = re.compile(r"^[ \t]*([^#\s].*)", re.MULTILINE)
_YAML_START = re.compile(r"(?:- |-$|---|[A-Za-z_]+:(?:\s|$))")


class ListFormat(StrEnum):
    """The lists that we read."""

    TEXT = "text"
    CSV = "csv"
    YAML = "yaml"
    JSON = "json"


def decode_list(data: bytes, file: str) -> str:
    """Return the text; bytes that are no text become U+FFFD, so that only their line is an error.

    Raises:
        UserError: it is a binary file.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\x00" in data[:4096]:
        raise UserError(file, "this is a binary file", "give a list: text, CSV, YAML or JSON")
    return data.decode("utf-8-sig", "replace")


def detect_format(text: str, file: str) -> ListFormat:
    """Tell the kind by the file's ending, else by what the text looks like."""
    ending = re.search(r"\.[a-z]+$", file.lower().partition("?")[0])
    found = ListFormat(_ENDINGS[ending[0]]) if ending is not None and ending[0] in _ENDINGS else None
    start = _FIRST_LINE.search(text)
    first = start[1] if start is not None else ""
    if found is ListFormat.JSON or (found is None and first.startswith(("[", "{"))):
        return ListFormat.YAML if first.startswith("{") else ListFormat.JSON
    if found is not None:
        return found
    if "," in first and "url" in first.lower().split(","):
        return ListFormat.CSV
    return ListFormat.YAML if _YAML_START.match(first) else ListFormat.TEXT


def parse_list(data: bytes, file: str, defaults: Defaults, source: TargetSource) -> Loaded:
    """Read a list of whatever kind; every bad line is one error in what is returned.

    Raises:
        UserError: the list as a whole cannot be read.
    """
    text = decode_list(data, file)
    base = inherit(defaults, source)
    kind = detect_format(text, file)
    match kind:
        case ListFormat.TEXT:
            return parse_text(text, file, base)
        case ListFormat.CSV:
            return parse_csv(text, file, base)
        case ListFormat.JSON:
            return parse_file_sd_json(text, file, base)
        case ListFormat.YAML:
            return parse_yaml_list(text, file, base, source)
        case _:
            assert_never(kind)
