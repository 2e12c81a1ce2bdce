"""JSON as clients' settings have it: with comments, which sing-box and Xray read and YAML does not.

Source: sing-box.sagernet.org/configuration ("JSON with comments"), xtls.github.io/en/config.
"""

import re

_PART = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_NOT_BLANK = re.compile(r"[^\n]")


def is_json(text: str) -> bool:
    """Tell whether a text begins as JSON does, comments aside."""
    begins = text.lstrip()
    while begins.startswith(("//", "/*")):
        end, skip = ("*/", 2) if begins.startswith("/*") else ("\n", 1)
        at = begins.find(end)
        if at < 0:
            return False
        begins = begins[at + skip :].lstrip()
    return begins[:1] in ("{", "[")


def blank_comments(text: str) -> str:
    """Return the text with blanks for its comments and tabs; lines stay where they are, and so do strings."""
    return _PART.sub(_blank, text).replace("\t", " ")


def _blank(found: re.Match[str]) -> str:
    part = found[0]
    return part if part.startswith('"') else _NOT_BLANK.sub(" ", part)
