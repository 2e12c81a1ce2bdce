"""What the share links of proxies have in common.

Errors name what is wrong and where, and never quote a link, because it holds a password.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, urlencode

from probe.protocols.dialogue import Parsed
from probe.protocols.relayed import split_relay
from probe.protocols.written.link import Link, check_depth

_RELAY_PARAMS = ("relay", "payload", "depth")


def read_base64(text: str) -> bytes:
    """Decode base64 of either alphabet, padded or not, as links carry it.

    Raises:
        ValueError: it is not.
    """
    compact = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("this is not base64") from None


def pick_params(given: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """Return the params that mean something to us; links carry many that only steer a client.

    Raises:
        ValueError: where to relay to is not written `host:port`, or the payload or the depth is none.
    """
    picked = {key: value for key, value in given.items() if value and (key in known or key in _RELAY_PARAMS)}
    if "relay" in picked:
        split_relay(picked["relay"])
    if picked.get("payload", "tls") not in ("tls", "echo"):
        raise ValueError("payload is tls or echo")
    check_depth(picked.get("depth", ""))
    return picked


def is_true(text: str) -> bool:
    """Tell whether a link says yes."""
    return text.lower() in ("1", "true", "yes")


def take_password(link: Link) -> str:
    """Return what stands before `@` where all of it is the password, colons included.

    Raises:
        ValueError: nothing does.
    """
    password = link.user if link.password is None else f"{link.user}:{link.password}"
    if not password:
        raise ValueError("there is no password before @ (a # or ? in it is written %23 or %3F)")
    return password


_ROCKET = re.compile(r"(?:[^:@\s]*:)?([^:@\s]+)@([^@\s]+)").fullmatch
_ROCKET_PARAMS = {"obfsParam": "host", "peer": "sni", "obfs": "type"}


def unfold_rocket(text: str) -> str:
    """Return a link as the iPhone's Shadowrocket writes it, base64 of `cipher:uuid@host:port`, in the usual form.

    Any other text comes back as it is.
    """
    scheme, _, rest = text.strip().partition("://")
    rest, _, label = rest.partition("#")
    body, _, query = rest.partition("?")
    try:
        found = _ROCKET(read_base64(body).decode())
    except (ValueError, UnicodeDecodeError):
        return text
    if found is None:
        return text
    given = {_ROCKET_PARAMS.get(key, key): value for key, value in parse_qsl(query)}
    given["type"] = {"websocket": "ws", "none": "tcp"}.get(given.get("type", ""), given.get("type", "tcp"))
    if is_true(given.get("tls", "")):
        given.setdefault("security", "reality" if "pbk" in given else "tls")
    return f"{scheme}://{quote(found[1])}@{found[2]}?{urlencode(given)}#{label}"


def make_parsed(link: Link, params: Mapping[str, str], secrets: Mapping[str, str]) -> Parsed:
    """Return a link's endpoint.

    Raises:
        ValueError: its port is none.
    """
    if not 0 < link.port < 65536:
        raise ValueError("the port is not between 1 and 65535")
    return Parsed(
        host=link.host,
        port=link.port,
        params=MappingProxyType(dict(params)),
        secrets=MappingProxyType(dict(secrets)),
        label=link.label,
    )
