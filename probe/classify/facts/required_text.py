"""What stands in every text that a regular expression matches: where it does not, the expression need not be tried.

Source: Python's `re`, "Regular Expression Syntax". Less than could be known: only what stands outside groups is read,
and of an expression with alternatives, flags or escapes of a kind that fingerprints do not use nothing is.
"""

import re

_TOKEN = re.compile(
    r"""
    \\[dDwWsSbBAZ]                     # a class, or a place
    | \\[^a-zA-Z0-9]                   # a character that would mean something else
    | \[\^?\]?(?:\\.|[^\]\\])*\]       # a set
    | [*?+] | \{[\d,]*\}               # how often
    | \(\?: | \((?!\?) | \)
    | [.^$|]
    | [^\\\[(]
    """,
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"\\[dDwWsSbBAZ]|\[|[.^$]")


def find_required_text(expression: str) -> str:
    """Return the longest text that is known to stand in whatever a valid expression matches; it may be empty."""
    runs, depth, at = [""], 0, 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None or (token[0] == "|" and depth == 0):
            return ""
        part, at = token[0], token.end()
        if part in ("(", "(?:", ")"):
            depth += -1 if part == ")" else 1
            runs.append("")
        elif depth or _NOTHING.match(part):
            runs.append("")
        elif part[0] in "*?{":
            runs[-1] = runs[-1][:-1]  # what may be missing
            runs.append("")
        elif part == "+":
            runs.append("")
        else:
            runs[-1] += part[-1]
    return max(runs, key=len)
