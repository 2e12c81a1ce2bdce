"""The SSL VPN of FortiGate: what its clients read before they log in.

Source: the notes of the openconnect project (fortinet.c, comments) and openfortivpn; no server of it can be had for
tests, so this is held to answers written after those notes. `/remote/info` is XML with the salt of a login to come:
`hello`; older ones have only the page `/remote/login`, which is known by the cookie that it clears. A certificate that
is valid for the name, or pinned, is the `proof`. The login is not spoken here.
"""

import msgspec

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, Reached, Send
from probe.protocols.gateways.tls_gateway import authority, build_spec, not_ours, parse_xml, prove
from probe.protocols.http.http1 import ResponseReader
from probe.protocols.http.turn import build_head, take_turn
from probe.protocols.incoming import Incoming
from probe.protocols.relayed import WAIT_S

_INFO, _LOGIN = "/remote/info", "/remote/login?lang=en"
_AGENT = "Mozilla/5.0 SV1"
"""What FortiClient calls itself."""
_COOKIE = "svpncookie="


class Portal(msgspec.Struct, frozen=True, kw_only=True):
    """What answered."""

    answer: str
    """`remote info` or `login page`."""


def start(ask: Ask) -> Dialogue:
    """Read what a client reads first, and the login page where that is not there."""
    incoming = Incoming(WAIT_S)
    response = yield from take_turn(incoming, _build_get(ask, _INFO))
    if response is None:
        return None
    if response.status == 200 and b"<info" in response.body:
        root = parse_xml(response.body)
        api = root.find("api")
        if root.tag == "info" and api is not None and api.get("salt") is not None:
            yield Reached(Depth.HELLO)
            yield from prove(ask)
            return Portal(answer="remote info")
    if incoming.ended or response.header("connection").lower() == "close":
        raise not_ours("FortiGate", response)
    response = yield from take_turn(incoming, _build_get(ask, _LOGIN))
    if response is None:
        return None
    if not _clears_cookie(response):
        raise not_ours("FortiGate", response)
    yield Reached(Depth.HELLO)
    yield from prove(ask)
    return Portal(answer="login page")


def _build_get(ask: Ask, path: str) -> Send:
    return build_head(f"GET {path} HTTP/1.1", [("Host", authority(ask)), ("User-Agent", _AGENT)])


def _clears_cookie(response: ResponseReader) -> bool:
    return any(key.lower() == "set-cookie" and value.lower().startswith(_COOKIE) for key, value in response.headers)


SPEC = build_spec("fortigate", "Does the SSL VPN of a FortiGate answer?", start)
