r"""Label names and values as both exposition formats want them.

Source: Prometheus text format 0.0.4, "Line format"; OpenMetrics 1.0.0 section 3.2 (ABNF, `escaped-string`).
Both escape backslash, line feed and double quote in a value, and nothing else.
"""

import re
from collections.abc import Iterable, Mapping

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_NEEDS_ESCAPE = re.compile(r'[\\\n"]').search
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_]")
_PLAIN_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*\Z").match


def escape_value(value: str) -> str:
    """Return a label value ready to stand between double quotes.

    Lone surrogates, which no UTF-8 can carry, become question marks.
    """
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value.translate(_ESCAPES) if _NEEDS_ESCAPE(value) else value


def escape_help(text: str) -> str:
    """Return a help text on one line. It must hold no double quote: the two formats disagree on how to write one."""
    return text.replace("\\", r"\\").replace("\n", r"\n")


def sanitize_name(name: str, taken: Iterable[str] = ()) -> str:
    """Return a valid label name near to `name`.

    A name that is taken, reserved (it begins with two underscores) or begins with a digit gets `label_` in front.
    """
    clean = _NOT_IN_NAME.sub("_", name)
    return clean if _PLAIN_NAME(clean) and clean not in taken else f"label_{clean}"


def render_labels(labels: Mapping[str, str]) -> str:
    """Return `a="x",b="y"` without the braces."""
    return ",".join(f'{name}="{escape_value(value)}"' for name, value in labels.items())
