"""What people have for their tunnels, as text: a client's file, share links one per line, a subscription, bridge lines.

Errors name lines and what is wrong with them, and never quote one, because it may hold a password.
"""

import dataclasses
import itertools
import re
from pathlib import PurePath

from probe.protocols import load_specs, specs_by_scheme
from probe.protocols.dialogue import DialogueSpec, Parsed
from probe.protocols.written.link import NotSpokenError, split_link, tidy_hello
from probe.protocols.written.share_link import read_base64
from probe.targets.client_files.amnezia import is_amnezia, unpack_amnezia
from probe.targets.client_files.client_settings import is_settings, read_settings
from probe.targets.unspoken import explain_text, explain_unspoken, is_unspoken

MOST_LINES = 10_000
_LINK = re.compile(r"""([a-z][a-z0-9+.-]*)://[^\s"'`<>]+""", re.IGNORECASE)
_RELAY = re.compile(r"[^:]+:[0-9]{1,5}|\[[0-9a-f:]+\]:[0-9]{1,5}", re.IGNORECASE).fullmatch
_FINGERPRINT = re.compile(r"\$?[0-9a-f]{40}", re.IGNORECASE).fullmatch
_BARE_BRIDGE = "tor"
"""A bridge without a disguise is an address and a fingerprint."""
_SCHEME = re.compile(r"(?<!\S)([a-z][a-z0-9+.-]*)://", re.IGNORECASE).finditer
_SITE = re.compile(r"(?:https?://|[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:[:/\s]|$))", re.IGNORECASE).match
_WEB_PAGE = re.compile(r"\s*(?:<!doctype html|<html)\b", re.IGNORECASE).match
_EXPORT = "mend it, or export the servers as share links, one per line"
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
    remedy: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class TunnelText:
    """All that a text names."""

    entries: tuple[Entry, ...]
    mistakes: tuple[Mistake, ...] = ()
    is_client_file: bool = False
    """A client's own file, all of whose endpoints are ways into one tunnel."""


def decode_text(data: bytes) -> str:
    """Return the text of a file, whatever editor it was saved with; bytes that are no text come back as they were."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_tunnel_text(text: str, file_name: str = "") -> TunnelText:
    """Read a text of whatever kind; the ending of `file_name` tells where the text does not.

    Raises:
        BrokenFileError: it is a client's file with a mistake; the message says which.
        ValueError: it is none of these; the message says what is wrong.
    """
    if _WEB_PAGE(text):
        raise NotSpokenError(
            "this is a web page, not a tunnel's file", "download the file again, perhaps after a login"
        )
    found = _parse_client_file(text, PurePath(file_name).suffix.lower())
    if found is not None:
        return found
    return _parse_settings(text) if is_settings(text) else _parse_lines(text)


def _parse_client_file(text: str, suffix: str = "") -> TunnelText | None:
    """Read the file of a tunnel's own client; `None` = it is none.

    Raises:
        BrokenFileError: it is one, with a mistake.
    """
    readers = [spec for spec in load_specs().values() if spec.read_file is not None]
    known = [spec for spec in readers if spec.recognise is not None and spec.recognise(text)]
    for spec in known or [spec for spec in readers if suffix in spec.suffixes]:
        assert spec.read_file is not None
        try:
            found = spec.read_file(text)
        except ValueError as error:
            raise BrokenFileError(str(error)) from None
        return TunnelText(tuple(Entry(spec, parsed) for parsed in found), is_client_file=True)
    return None


def holds_only_tunnels(text: str) -> bool:
    """Tell a client's file, a subscription or a list of links from a list that holds sites as well."""
    try:
        if parse_tunnel_text(text).is_client_file:
            return True
    except NotSpokenError:
        pass
    except ValueError:
        return False
    return not any(_SITE(line) for line in _split(text))


def parse_link(text: str) -> Entry:
    """Read one link or bridge line.

    Raises:
        NotSpokenError: it is known what it is, and not spoken here.
        ValueError: it is none; the message says what is wrong and quotes nothing.
    """
    scheme = find_scheme(text)
    spec = specs_by_scheme().get(scheme)
    if spec is None:
        raise explain_unspoken(scheme) or ValueError("no link of a protocol that is spoken here")
    # Links that went through a web page.
    text = text.replace("&amp;", "&")
    return Entry(spec, spec.parse(text) if spec.parse is not None else _plain(text, spec))


def find_scheme(text: str) -> str:
    """Return the scheme of a link, or the first word of a bridge line in small letters; empty = neither."""
    words = text.split()
    if len(words) > 1 and words[0].lower() == "bridge":
        del words[0]
    if words and "://" in words[0]:
        return words[0].partition("://")[0].lower()
    if len(words) == 2 and _RELAY(words[0]) and _FINGERPRINT(words[1]):
        return _BARE_BRIDGE
    return words[0].lower() if len(words) > 1 else ""


def find_link(line: str) -> str | None:
    """Return the one link of a line of some list, without what stands around it; `None` = there is none, or several."""
    found = [match[0] for match in _LINK.finditer(line)]
    return found[0].rstrip(",") if len(found) == 1 else None


def _parse_settings(text: str) -> TunnelText:
    try:
        found = read_settings(text)
    except ValueError as error:
        raise NotSpokenError(str(error), _EXPORT) from None
    return _read_links([(setting.line, setting.link) for setting in found])


def _parse_lines(text: str) -> TunnelText:
    lines = _split(text)
    if not any(_is_named(find_scheme(_undress(line))) for line in lines):
        try:
            packed = read_base64(text).decode()
        except (ValueError, UnicodeDecodeError):
            neither = "this is neither a client's file, nor links, nor base64 of links"
            raise explain_text(text) or ValueError(neither) from None
        if is_settings(packed):
            return _parse_settings(packed)
        lines = _split(packed)
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line and not line.startswith(_COMMENTS)]
    links = [(number, _undress(part)) for number, line in numbered for part in _part(line)]
    return _read_links(links, may_be_packed=True)


def _read_links(links: list[tuple[int, str]], *, may_be_packed: bool = False) -> TunnelText:
    """Read links by the lines that they stand in; what came out of a packed one holds no other."""
    entries: list[Entry] = []
    mistakes: list[Mistake] = []
    for number, link in links:
        try:
            entries += _unpack(link) if may_be_packed and is_amnezia(link) else (parse_link(link),)
        except ValueError as error:
            mistakes.append(Mistake(number, str(error), error.remedy if isinstance(error, NotSpokenError) else ""))
    if not entries and mistakes:
        first = mistakes[0]
        raise NotSpokenError(f"line {first.line}: {first.what}", first.remedy or "copy the links again")
    if not entries:
        raise ValueError("there is no link in it")
    return TunnelText(tuple(entries), tuple(mistakes))


def _unpack(link: str) -> tuple[Entry, ...]:
    """Return the endpoints of what Amnezia hands on.

    Raises:
        ValueError: there is none that can be asked.
    """
    entries: list[Entry] = []
    for text in unpack_amnezia(link):
        found = _parse_client_file(text)
        if found is not None or is_settings(text):
            entries += (found or _parse_settings(text)).entries
    if not entries:
        raise NotSpokenError("vpn:// holds no connection that is spoken here", "export it as its own client's file")
    return tuple(entries)


def _is_named(scheme: str) -> bool:
    return scheme in specs_by_scheme() or is_unspoken(scheme)


def _part(line: str) -> list[str]:
    """Return the links of a line that holds several."""
    at = [found.start() for found in _SCHEME(line) if found[1].lower() in specs_by_scheme()]
    return [line[start:end].strip() for start, end in itertools.pairwise((0, *at[1:], len(line)))] if at else [line]


def _undress(line: str) -> str:
    """Return the link of a line that begins with a bullet, a number or a word."""
    if _is_named(find_scheme(line)):
        return line
    found = find_link(line)
    return found if found is not None and _is_named(find_scheme(found)) else line


def _split(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) > MOST_LINES:
        raise ValueError(f"this is longer than {MOST_LINES} lines")
    return lines


def _plain(text: str, spec: DialogueSpec) -> Parsed:
    link = split_link(text, spec.default_port)
    if link.user is not None or link.password is not None:
        raise ValueError("a user name or password has no place in it")
    public = tidy_hello({key: value for key, value in link.params.items() if key not in spec.secrets})
    hidden = {key: value for key, value in link.params.items() if key in spec.secrets}
    return Parsed(host=link.host, port=link.port, params=public, secrets=hidden, label=link.label)
