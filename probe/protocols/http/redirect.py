"""Where a redirect leads, and the cookies that must come along.

Source: RFC 9110 sections 10.2.2 (Location) and 15.4 (codes), RFC 3986 section 5 (resolution), RFC 6265 sections 5.2
and 5.3. Less than RFC 6265: a jar lives for one chain of redirects, so `Expires`, `Path` and `SameSite` are not read.
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from probe.model.errors import ProtocolError

REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEEPS_METHOD = frozenset({307, 308})

_MAX_LOCATION_CHARS = 8192
_MAX_COOKIES = 50
_MAX_COOKIE_CHARS = 4096
_QUOTED_CHARS = 80
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?")
_NO_AUTHORITY = re.compile(r"(https?:)?//([/?#]|$)|https?:/?$", re.IGNORECASE)
"""`urljoin` would put the page's own host into such a hole."""
_PATH_SAFE = "!$%&'()*+,/:;=?@[]~"


class WebAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A URL, taken apart as far as a request needs it."""

    secure: bool
    host: str
    """Lower-case name in IDNA form, or an address literal without brackets."""
    port: int
    path: str = "/"


class Cookie(msgspec.Struct, frozen=True, kw_only=True):
    """One cookie of a redirect chain."""

    name: str
    value: str
    host: str
    """Whom to send it to."""
    subdomains: bool = False
    secure: bool = False


def parse_location(base: WebAddress, location: str) -> WebAddress:
    """Return the address that a `Location` header means, seen from the page that sent it.

    Raises:
        ProtocolError: it is missing, or no address that could be asked.
    """
    # Headers are kept as Latin-1; what servers put there beyond ASCII is UTF-8.
    text = location.encode("latin-1", "replace").decode("utf-8", "replace").strip()
    if not text:
        raise ProtocolError("redirect without a Location")
    if _NO_AUTHORITY.match(text):
        raise ProtocolError(f"Location without a host: {text[:_QUOTED_CHARS]!r}")
    if len(text) > _MAX_LOCATION_CHARS:
        raise ProtocolError(f"Location of {len(text)} characters")
    host = f"[{base.host}]" if ":" in base.host else base.host
    origin = f"{'https' if base.secure else 'http'}://{host}:{base.port}{base.path}"
    try:
        url = urlsplit(urljoin(origin, text))
        port = url.port
    except ValueError as error:
        raise ProtocolError(f"Location is no URL: {text[:_QUOTED_CHARS]!r}") from error
    if url.scheme not in ("http", "https"):
        raise ProtocolError(f"Location with scheme {url.scheme[:_QUOTED_CHARS]!r}")
    if port == 0:
        raise ProtocolError("Location with port 0")
    secure = url.scheme == "https"
    path = quote(url.path or "/", safe=_PATH_SAFE) + (f"?{quote(url.query, safe=_PATH_SAFE)}" if url.query else "")
    if not path.startswith("/"):
        path = f"/{path}"
    return WebAddress(
        secure=secure, host=parse_host(url.hostname or ""), port=port or (443 if secure else 80), path=path
    )


def parse_host(host: str) -> str:
    """Return a name in lower-case IDNA form, or an address literal in its usual spelling.

    Raises:
        ProtocolError: it is neither.
    """
    host = host.strip("[]").lower()
    if ":" in host or host.replace(".", "").isdigit():
        try:
            return str(ipaddress.ip_address(host))
        except ValueError as error:
            raise ProtocolError(f"host is no address: {host[:_QUOTED_CHARS]!r}") from error
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ProtocolError(f"host is no name: {host[:_QUOTED_CHARS]!r}") from error
    if len(name) > 254 or not _HOST.fullmatch(name):
        raise ProtocolError(f"host is no name: {name[:_QUOTED_CHARS]!r}")
    return name.removesuffix(".")


def keep_cookies(jar: tuple[Cookie, ...], at: WebAddress, headers: Iterable[tuple[str, str]]) -> tuple[Cookie, ...]:
    """Return the jar after a response: cookies set, replaced and taken out (`Max-Age` of 0 or less)."""
    kept = {(cookie.host, cookie.name): cookie for cookie in jar}
    for name, value in headers:
        if name.lower() != "set-cookie" or len(value) > _MAX_COOKIE_CHARS:
            continue
        cookie, expired = _read_cookie(at, value)
        if cookie is not None:
            kept.pop((cookie.host, cookie.name), None)
            if not expired and len(kept) < _MAX_COOKIES:
                kept[cookie.host, cookie.name] = cookie
    return tuple(kept.values())


def _read_cookie(at: WebAddress, text: str) -> tuple[Cookie | None, bool]:
    pair, *attributes = text.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not equals or not name:
        return None, False
    host, subdomains, secure, expired = at.host, False, False, False
    for attribute in attributes:
        key, _, given = attribute.partition("=")
        key, given = key.strip().lower(), given.strip().lower()
        if key == "secure":
            secure = True
        elif key == "max-age":
            expired = given.startswith("-") or (given.isdigit() and int(given[:20]) == 0)
        elif key == "domain" and given.lstrip("."):
            domain = given.lstrip(".")
            if at.host != domain and not at.host.endswith(f".{domain}"):
                return None, False
            host, subdomains = domain, True
    return Cookie(name=name, value=value, host=host, subdomains=subdomains, secure=secure), expired


def build_cookie_header(jar: tuple[Cookie, ...], to: WebAddress) -> str:
    """Return the value of `Cookie` for a request; an empty string when none is due."""
    return "; ".join(f"{c.name}={c.value}" for c in jar if _is_due(c, to))


def _is_due(cookie: Cookie, to: WebAddress) -> bool:
    if cookie.secure and not to.secure:
        return False
    return to.host == cookie.host or (cookie.subdomains and to.host.endswith(f".{cookie.host}"))
