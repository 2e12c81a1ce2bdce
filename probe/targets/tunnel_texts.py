"""What people have for their tunnels, as text: a client's file, share links one per line, a subscription, bridge lines.

Errors name lines and what is wrong with them, and never quote one, because it may hold a password.
"""

import dataclasses
import re
from pathlib import PurePath

from probe.protocols import load_specs, specs_by_scheme
from probe.protocols.dialogue import DialogueSpec, Parsed
from probe.protocols.link import split_link
from probe.protocols.share_link import read_base64

MOST_LINES = 10_000
_LINK = re.compile(r"""([a-z][a-z0-9+.-]*)://[^\s"']+""", re.IGNORECASE)
_COMMENTS = ("#", "//", ";")


class BrokenFileError(ValueError):
    """It is a client's file, and something in it is wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One endpoint that a text names."""

    spec: DialogueSpec
    parsed: Parsed


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """A line that is no endpoint that can be asked."""

    line: int
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class TunnelText:
    """All that a text names."""

    entries: tuple[Entry, ...]
    mistakes: tuple[Mistake, ...] = ()
    is_client_file: bool = False
    """A client's own file, all of whose endpoints are ways into one tunnel."""


def parse_tunnel_text(text: str, file_name: str = "") -> TunnelText:
    """Read a text of whatever kind; `file_name` helps to tell, where there is one.

    Raises:
        BrokenFileError: it is a client's file with a mistake; the message says which.
        ValueError: it is none of these; the message says what is wrong.
    """
    suffix = PurePath(file_name).suffix.lower()
    ending_known = suffix in _known_suffixes()
    for spec in load_specs().values():
        if spec.read_file is None or (ending_known and suffix not in spec.suffixes):
            continue
        if ending_known if spec.recognise is None else spec.recognise(text):
            try:
                found = spec.read_file(text)
            except ValueError as error:
                raise BrokenFileError(str(error)) from None
            return TunnelText(tuple(Entry(spec, parsed) for parsed in found), is_client_file=True)
    if ending_known:
        raise ValueError("this is no client's file of a protocol known here")
    return _parse_lines(text)


def parse_link(text: str) -> Entry:
    """Read one link or bridge line.

    Raises:
        ValueError: it is none; the message says what is wrong and quotes nothing.
    """
    scheme = find_scheme(text)
    spec = specs_by_scheme().get(scheme)
    if spec is None:
        raise ValueError("no link of a protocol that is spoken here")
    return Entry(spec, spec.parse(text) if spec.parse is not None else _plain(text, spec))


def find_scheme(text: str) -> str:
    """Return the scheme of a link, or the first word of a bridge line in small letters; empty = neither."""
    if "://" in text:
        return text.partition("://")[0].strip().lower()
    words = text.split()
    if len(words) > 2 and words[0].lower() == "bridge":
        del words[0]
    return words[0].lower() if len(words) > 1 else ""


def find_link(line: str) -> str | None:
    """Return the one link of a line of some list, without what stands around it; `None` = there is none, or several."""
    found = [match[0] for match in _LINK.finditer(line)]
    return found[0].rstrip(",") if len(found) == 1 else None


def _known_suffixes() -> frozenset[str]:
    return frozenset(suffix for spec in load_specs().values() for suffix in spec.suffixes)


def _parse_lines(text: str) -> TunnelText:
    lines = _split(text)
    if not any(find_scheme(line) in specs_by_scheme() for line in lines):
        try:
            lines = _split(read_base64(text).decode())
        except (ValueError, UnicodeDecodeError):
            raise ValueError("this is neither a client's file, nor links, nor base64 of links") from None
    entries: list[Entry] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith(_COMMENTS):
            continue
        try:
            entries.append(parse_link(line))
        except ValueError as error:
            mistakes.append(Mistake(number, str(error)))
    if not entries:
        raise ValueError(f"line {mistakes[0].line}: {mistakes[0].what}" if mistakes else "there is no link in it")
    return TunnelText(tuple(entries), tuple(mistakes))


def _split(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) > MOST_LINES:
        raise ValueError(f"this is longer than {MOST_LINES} lines")
    return lines


def _plain(text: str, spec: DialogueSpec) -> Parsed:
    link = split_link(text, spec.default_port)
    if link.user is not None or link.password is not None:
        raise ValueError("a user name or password has no place in it")
    public = {key: value for key, value in link.params.items() if key not in spec.secrets}
    hidden = {key: value for key, value in link.params.items() if key in spec.secrets}
    return Parsed(host=link.host, port=link.port, params=public, secrets=hidden, label=link.label)
