"""Links of the form `scheme://user:password@host:port?param=value#label`. Source: RFC 3986 section 3.

Errors say what is wrong and never quote the link, because it may hold a password.
"""

import base64
import binascii
import re
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote

import msgspec

from probe.model.depth import Depth
from probe.protocols.dialogue import Parsed

_PLACE = re.compile(r"(?:\[([^\[\]/]*)\]|([^:\[\]]*))(?::([0-9]{0,5}))?", re.ASCII).fullmatch
_MOST_PORT = 65535
_STEERING = frozenset({"fast-open", "group", "mux", "name", "remark", "remarks", "tfo", "udp", "uot"})
"""Params that only steer the client that a link was made for."""
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.IGNORECASE | re.ASCII).fullmatch
_LITERAL = re.compile(r"[0-9a-f:.]{2,45}", re.IGNORECASE | re.ASCII).fullmatch
_PROTOCOL = re.compile(r"[!-+\-.-~]{1,255}", re.ASCII).fullmatch
_DEPTHS = tuple(depth.value for depth in Depth if Depth.HELLO.rank <= depth.rank <= Depth.VOLUME.rank)


class NotSpokenError(ValueError):
    """It is a link, or something else that people have for tunnels, of a kind that is not spoken here."""

    def __init__(
        self, what: str, remedy: str = "use its own client for it, or another of the provider's links"
    ) -> None:
        super().__init__(what)
        self.remedy = remedy


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a link, percent-decoding done."""

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int
    path: str
    params: dict[str, str]
    """The first value of each, as the clients of these links take it."""
    label: str
    repeated: frozenset[str] = frozenset()
    """Params that are there more than once, and not always the same."""


def split_link(text: str, default_port: int) -> Link:
    """Take a link apart.

    By hand, because links as they circulate hold what no standard parser lets pass: brackets, slashes and blanks in a
    password or a name.

    Raises:
        ValueError: it is not such a link; the message says what is wrong.
    """
    scheme, _, rest = text.strip().partition("://")
    rest, _, label = rest.partition("#")
    head, _, query = rest.partition("?")
    authority, slash, path = head.partition("/")
    login, at, place = authority.rpartition("@")
    if not at and "@" in head:  # a slash in the password
        login, at, place = head.rpartition("@")
        place, slash, path = place.partition("/")
    host, port = _split_port(place)
    params: dict[str, str] = {}
    repeated: set[str] = set()
    for key, value in parse_qsl(query, keep_blank_values=True):
        if params.setdefault(key, value) != value:
            repeated.add(key)
    user, colon, password = login.partition(":")
    return Link(
        scheme=scheme.lower(),
        user=unquote(user) if at else None,
        password=unquote(password) if colon else None,
        host=host.lower(),
        port=default_port if port is None else port,
        path=slash + path,
        params=params,
        label=unquote(label),
        repeated=frozenset(repeated),
    )


def _split_port(place: str) -> tuple[str, int | None]:
    """Return host and port, without the brackets of IPv6; `None` = no port is there."""
    found = _PLACE(place)
    if found is None or int(found[3] or 0) > _MOST_PORT:
        raise ValueError("the host or port cannot be read")
    host = found[1] or found[2]
    if not host or any(c.isspace() for c in host):
        raise ValueError("there is no host")
    return host, int(found[3]) if found[3] else None


def check_depth(text: str) -> None:
    """Raise where a link's `depth` is no stage that a conversation can be asked to go to; empty = not given.

    Raises:
        ValueError: it is none.
    """
    if text and text not in _DEPTHS:
        raise ValueError(f"depth is {', '.join(_DEPTHS[:-1])} or {_DEPTHS[-1]}")


def tidy_hello(params: dict[str, str]) -> dict[str, str]:
    """Return params whose `sni` and `alpn` can stand in a hello.

    Raises:
        ValueError: one of them cannot.
    """
    tidy = dict(params)
    if "alpn" in tidy:  # some lists encode it once too often
        offered = [word for part in unquote(tidy.pop("alpn")).split(",") if (word := part.strip())]
        if not all(_PROTOCOL(word) for word in offered):
            raise ValueError("its alpn is no list of protocols")
        tidy |= {"alpn": ",".join(offered)} if offered else {}
    if "sni" in tidy:
        name = tidy["sni"].removesuffix(".")
        if not _NAME(name) and not (":" in name and _LITERAL(name)):
            raise ValueError("its sni is no name")
        tidy["sni"] = name
    return tidy


def parse_login_link(text: str, *, default_port: int, params: frozenset[str], secrets: frozenset[str]) -> Parsed:
    """Read a link whose user part is a login: `user` becomes a param, `password` a secret.

    Raises:
        ValueError: it is not such a link, or has a param that means nothing here.
    """
    link = split_link(text, default_port)
    if link.repeated:
        raise ValueError(f"{min(link.repeated)[:40]} is given twice")
    unknown = link.params.keys() - params - secrets - _STEERING
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; there are {', '.join(sorted(params | secrets))}")
    public = tidy_hello({key: value for key, value in link.params.items() if key in params})
    hidden = {key: value for key, value in link.params.items() if key in secrets}
    user, password = _split_login(link)
    if user is not None:
        public["user"] = user
    if password is not None:
        hidden["password"] = password
    return Parsed(
        host=link.host,
        port=link.port,
        params=MappingProxyType(public),
        secrets=MappingProxyType(hidden),
        label=link.label,
    )


def _split_login(link: Link) -> tuple[str | None, str | None]:
    """Return user and password, which some clients write as one text in base64."""
    if link.password is not None or not link.user:
        return link.user, link.password
    try:
        raw = base64.b64decode(link.user + "=" * (-len(link.user) % 4), altchars=b"-_", validate=True)
        user, colon, password = raw.decode().partition(":")
    except (binascii.Error, ValueError):
        return link.user, None
    if not colon:
        return link.user, None
    return (user, password) if user else (None, None)
