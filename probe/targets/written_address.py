"""An address taken apart, before anybody asks what its scheme means.

Source: RFC 3986 section 3. Deviations: non-ASCII text is percent-encoded instead of refused, as browsers do; user
information is refused, because whatever is in an address ends up in metrics and the database.
"""

import re
from urllib.parse import quote

import msgspec

from probe.model.errors import UserError
from probe.targets.hosts import HostError, parse_host

MAX_LENGTH = 4096
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL).fullmatch
_AUTHORITY_END = re.compile(r"[/?#]")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII).fullmatch
_SAFE = "/:@!$&'()*+,;=-._~%?[]|"
_CLEAN = re.compile(r"[A-Za-z0-9/:@!$&'()*+,;=._~%?\[\]|-]*", re.ASCII).fullmatch
_QUOTED = 60


class WrittenAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The parts as written; the host is canonical already."""

    scheme: str
    """Lower-case; empty = none was written."""
    host: str
    port: int | None
    path: str
    query: str | None
    fragment: str


def quote_address(text: str) -> str:
    """Return an address for an error line: short, on one line, and without what could be a secret."""
    if "@" in text:
        scheme, separator, _ = text.rpartition("@")[0].partition("://")
        text = f"{scheme if separator else ''}{separator}…@{text.rpartition('@')[2]}"
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")[1:-1]


def split_scheme(text: str) -> tuple[str, str]:
    """Return the lower-case scheme (empty = none) and what follows."""
    found = _SCHEME(text)
    return ("", text) if found is None else (found[1].lower(), found[2])


def split_address(text: str, scheme: str, rest: str, source: str) -> WrittenAddress:
    """Take apart what `split_scheme` made of an address; `text` is for error lines.

    Raises:
        UserError: there is no usable host in it, or something that an address must not hold.
    """
    end = _AUTHORITY_END.search(rest)
    authority, tail = (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])
    if "@" in authority:
        remedy = "leave out all before the @: what is in an address ends up in metrics and the database"
        raise UserError(source, f"{quote_address(text)} holds a user name or password", remedy)
    host, port = _split_port(authority, text, source)
    tail, _, fragment = tail.partition("#")
    path, question, query = tail.partition("?")
    try:
        canonical = parse_host(host)
    except HostError as error:
        remedy = "write it like https://www.example.org/, or 2001:db8::1 in brackets"
        raise UserError(source, f"{quote_address(text)}: {error}", remedy) from None
    return WrittenAddress(
        scheme=scheme,
        host=canonical,
        port=port,
        path=_encode(path),
        query=_encode(query) if question else None,
        fragment=fragment,
    )


def _split_port(authority: str, text: str, source: str) -> tuple[str, int | None]:
    """Separate the port; a bare IPv6 address has none."""
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]") or (":" in host and not host.endswith("]")):
        return authority, None
    if not port:
        return host, None
    if _PORT(port) is None or not 0 < int(port) < 65536:
        raise UserError(source, f"{quote_address(text)}: {port[:12]!r} is not a port", "give a number from 1 to 65535")
    return host, int(port)


def _encode(part: str) -> str:
    """Percent-encode what cannot stand in a request line; what is encoded already stays as it is."""
    return part if _CLEAN(part) else quote(part, safe=_SAFE, encoding="utf-8", errors="replace")
