"""Trojan: a password's hash and an address inside TLS; whoever has no password sees a web site.

Source: trojan-gfw.github.io/trojan/protocol. The server never says yes: relayed bytes are the proof.
Readings: a wrong password gets the fallback web site (the original server) or a close (sing-box without one); so does
anybody, which is why a page here says "refused" and never "blocked".
"""

import hashlib

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed
from probe.protocols.proxies.carrier import choose_stack, open_carrier, read_carrier
from probe.protocols.proxies.socks_address import build_address
from probe.protocols.relayed import plan_errand, read_answer, refuse_web_page
from probe.protocols.written.link import NotSpokenError, split_link
from probe.protocols.written.share_link import make_parsed, pick_params, take_password

_HASH_CHARACTERS = 56
_CONNECT = b"\x01"


def build_request(password: bytes, host: str, port: int, payload: bytes) -> bytes:
    """Return the first flight: hash, command, address, payload.

    Raises:
        ValueError: the host is no name.
    """
    proof = hashlib.sha224(password).hexdigest().encode()
    return proof + b"\r\n" + _CONNECT + build_address(host, port) + b"\r\n" + payload


def start(ask: Ask) -> Dialogue:
    """Send the errand behind the password's hash and read what comes back.

    Raises:
        UserError: the relay's destination is none.
    """
    errand = plan_errand(ask)
    carrier = yield from open_carrier(ask)
    if carrier is None:
        return None
    request = build_request(ask.secrets.get("password", b""), errand.host, errand.port, errand.data)
    yield carrier.send(request, (0, _HASH_CHARACTERS))
    if not (yield from refuse_web_page(carrier.incoming)):
        return None
    return (yield from read_answer(carrier.incoming, errand, proven=carrier.proven, wrap=carrier.send))


def parse(text: str) -> Parsed:
    """Read `trojan://password@host:port?sni=…&type=ws#label`.

    Raises:
        ValueError: it is not that; the message says what is wrong.
    """
    link = split_link(text, 443)
    password = take_password(link)
    params = read_carrier(link.params, security="tls") | pick_params(link.params, frozenset())
    if params["security"] == "reality":
        raise NotSpokenError("Trojan with REALITY is not spoken here")
    return make_parsed(link, params, {"password": password})


SPEC = DialogueSpec(
    name="trojan",
    question="Does a Trojan server relay for us?",
    schemes=("trojan",),
    default_port=443,
    stack=lambda params: choose_stack({"security": "tls"} | dict(params)),
    start=start,
    parse=parse,
    secrets=("password",),
    proves=Depth.VOLUME,
    open_proves=Depth.REACH,
)
