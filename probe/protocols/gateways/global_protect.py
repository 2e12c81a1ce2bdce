"""GlobalProtect of Palo Alto Networks: the question that comes before a login, at the gateway or else the portal.

Source: the notes of the openconnect project ("PAN GlobalProtect HTTP API"); no server of it can be had for tests, so
this is held to answers written after those notes. Anybody is told how one would log in: `hello`; a certificate that is
valid for the name, or pinned, is the `proof`. The login is not spoken here.
"""

from urllib.parse import urlencode
from xml.etree import ElementTree

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, Reached
from probe.protocols.gateways.tls_gateway import authority, build_spec, not_ours, parse_xml, prove, text_of
from probe.protocols.http.http1 import ResponseReader
from probe.protocols.http.turn import build_head, take_turn
from probe.protocols.incoming import Incoming
from probe.protocols.relayed import WAIT_S

_PLACES = {"gateway": "/ssl-vpn/prelogin.esp", "portal": "/global-protect/prelogin.esp"}
_FORM = urlencode({"tmp": "tmp", "clientVer": "4100", "clientos": "Windows", "ipv6-support": "yes"}).encode()
_AGENT = "PAN GlobalProtect"


class Prelogin(msgspec.Struct, frozen=True, kw_only=True):
    """How one would log in."""

    place: str
    """`gateway` or `portal`."""
    status: str
    message: str = ""
    login: str = ""
    """`password`, or the way of single sign-on."""
    region: str = ""


def parse_prelogin(body: bytes, place: str) -> Prelogin:
    """Read the answer.

    Raises:
        ProtocolError: it is none.
    """
    root = parse_xml(body)
    status = text_of(root, "status")
    if root.tag != "prelogin-response" or not status:
        raise ProtocolError(f"not prelogin-response: {body[:32].hex()}")
    saml = text_of(root, "saml-auth-method")
    return Prelogin(
        place=place,
        status=status,
        message=text_of(root, "msg") or text_of(root, "authentication-message"),
        login=f"SAML {saml}" if saml else "password" if _asks_for_password(root) else "",
        region=text_of(root, "region"),
    )


def _asks_for_password(root: ElementTree.Element) -> bool:
    return root.find("password-label") is not None


def start(ask: Ask) -> Dialogue:
    """Ask the gateway, and the portal if there is no gateway."""
    incoming = Incoming(WAIT_S)
    response: ResponseReader | None = None
    for place, path in _PLACES.items():
        headers = [
            ("Host", authority(ask)),
            ("User-Agent", _AGENT),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(_FORM))),
        ]
        response = yield from take_turn(incoming, build_head(f"POST {path} HTTP/1.1", headers, _FORM))
        if response is None:
            return None
        if response.status == 200 and b"<prelogin-response" in response.body:
            reply = parse_prelogin(response.body, place)
            yield Reached(Depth.HELLO)
            yield from prove(ask)
            return reply
        if incoming.ended or response.header("connection").lower() == "close":
            break
    if response is None:  # there is always one
        return None
    raise not_ours("GlobalProtect gateway", response)


SPEC = build_spec("globalprotect", "Does a GlobalProtect gateway answer?", start)
