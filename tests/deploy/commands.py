"""The commands that a page tells people to type: lines of its `console` blocks that begin with a prompt."""

import re
import textwrap
from pathlib import Path

import msgspec

_BLOCK = re.compile(r"^( *)```console\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"[$#] (.*)")
_REMARK = re.compile(r"\s{2,}# .*")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One line."""

    text: str
    as_root: bool = False


def find_commands(page: Path) -> list[Command]:
    """Return them in the page's order, without the remark that may stand behind one."""
    found = []
    for block in _BLOCK.finditer(page.read_text()):
        for line in textwrap.dedent(block[2]).splitlines():
            prompt = _PROMPT.match(line)
            if prompt is not None:
                found.append(Command(text=_REMARK.sub("", prompt[1]).strip(), as_root=line.startswith("#")))
    return found
