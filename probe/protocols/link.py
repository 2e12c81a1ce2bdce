"""Links of the form `scheme://user:password@host:port?param=value#label`. Source: RFC 3986 section 3.

Errors say what is wrong and never quote the link, because it may hold a password.
"""

from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from probe.model.depth import Depth
from probe.protocols.dialogue import Parsed

_DEPTHS = tuple(depth.value for depth in Depth if Depth.HELLO.rank <= depth.rank <= Depth.VOLUME.rank)


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a link, percent-decoding done."""

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int
    path: str
    params: dict[str, str]
    label: str


def split_link(text: str, default_port: int) -> Link:
    """Take a link apart.

    Raises:
        ValueError: it is not such a link; the message says what is wrong.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("the host or port cannot be read") from None
    if not parts.hostname or any(c.isspace() for c in parts.hostname):
        raise ValueError("there is no host")
    params: dict[str, str] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key in params:
            raise ValueError(f"{key} is given twice")
        params[key] = value
    return Link(
        scheme=parts.scheme.lower(),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        host=parts.hostname,
        port=default_port if port is None else port,
        path=parts.path,
        params=params,
        label=unquote(parts.fragment),
    )


def check_depth(text: str) -> None:
    """Raise where a link's `depth` is no stage that a conversation can be asked to go to; empty = not given.

    Raises:
        ValueError: it is none.
    """
    if text and text not in _DEPTHS:
        raise ValueError(f"depth is {', '.join(_DEPTHS[:-1])} or {_DEPTHS[-1]}")


def parse_login_link(text: str, *, default_port: int, params: frozenset[str], secrets: frozenset[str]) -> Parsed:
    """Read a link whose user part is a login: `user` becomes a param, `password` a secret.

    Raises:
        ValueError: it is not such a link, or has a param that means nothing here.
    """
    link = split_link(text, default_port)
    unknown = link.params.keys() - params - secrets
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; there are {', '.join(sorted(params | secrets))}")
    public = {key: value for key, value in link.params.items() if key in params}
    hidden = {key: value for key, value in link.params.items() if key in secrets}
    if link.user is not None:
        public["user"] = link.user
    if link.password is not None:
        hidden["password"] = link.password
    return Parsed(
        host=link.host,
        port=link.port,
        params=MappingProxyType(public),
        secrets=MappingProxyType(hidden),
        label=link.label,
    )
