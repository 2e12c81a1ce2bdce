"""VLESS: a UUID and an address in the clear, so that TLS or a WebSocket in TLS is what hides it.

Source: xtls.github.io/development/protocols/vless. An answer begins with version and add-ons only when there is
something to relay. Readings: an unknown UUID is a close without a byte, or a reset. With `security=reality` only the
cover site is asked, see `reality`. Less than the protocol: TCP only, and no flow.
"""

import hashlib

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies import reality
from probe.protocols.proxies.carrier import choose_stack, open_carrier, read_carrier
from probe.protocols.proxies.socks_address import VMESS, build_host
from probe.protocols.relayed import plan_errand, read_answer, refuse_web_page
from probe.protocols.written.link import NotSpokenError, split_link
from probe.protocols.written.share_link import make_parsed, pick_params, unfold_rocket

_VERSION = 0
_TCP = 1
_HYPHENS = (8, 13, 18, 23)


def parse_uuid(text: str) -> bytes:
    """Return the 16 bytes of a UUID; a shorter text is hashed to one (version 5 of no namespace), as Xray does.

    Raises:
        ValueError: it is neither.
    """
    compact = text.replace("-", "")
    if len(compact) == 32 and (len(text) == 32 or all(text[at] == "-" for at in _HYPHENS)):
        try:
            return bytes.fromhex(compact)
        except ValueError:
            raise ValueError("the user id is no UUID") from None
    name = text.encode()
    if not 0 < len(name) <= 30:
        raise ValueError("the user id is no UUID")
    digest = bytearray(hashlib.sha1(bytes(16) + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest)


def read_user(ask: Ask) -> bytes:
    """Return the user's id of a target.

    Raises:
        UserError: it is none.
    """
    try:
        return parse_uuid(ask.secrets.get("uuid", b"").decode("utf-8", "replace"))
    except ValueError as error:
        raise UserError("uuid", str(error), "copy the link again") from None


def build_request(user: bytes, host: str, port: int, payload: bytes) -> bytes:
    """Return the first flight: version, user, no add-ons, command, port, address, payload."""
    return bytes((_VERSION,)) + user + bytes((0, _TCP)) + port.to_bytes(2, "big") + build_host(host, VMESS) + payload


def read_answer_head(incoming: Incoming) -> Reading[bool]:
    """Take version and add-ons of the answer; false if they do not come.

    Raises:
        Refused: a web server answers.
        ProtocolError: it is another version.
    """
    head = yield from incoming.take(2)
    if head is None:
        return False
    if head[:1] in (b"H", b"<"):
        incoming.pending = head + incoming.pending
        yield from refuse_web_page(incoming)
    if head[0] != _VERSION:
        raise ProtocolError(f"not an answer of VLESS: {head.hex()}")
    return (yield from incoming.take(head[1])) is not None


def start(ask: Ask) -> Dialogue:
    """Send the errand behind the user's id and read what comes back.

    Raises:
        UserError: the id or the relay's destination is none.
    """
    if ask.params.get("security") == "reality":
        return (yield from reality.start(ask))
    user, errand = read_user(ask), plan_errand(ask)
    carrier = yield from open_carrier(ask)
    if carrier is None:
        return None
    yield carrier.send(build_request(user, errand.host, errand.port, errand.data), (1, 17))
    if not (yield from read_answer_head(carrier.incoming)):
        return None
    for depth in carrier.proven:
        yield Reached(depth)
    return (yield from read_answer(carrier.incoming, errand, wrap=carrier.send))


def parse(text: str) -> Parsed:
    """Read `vless://uuid@host:port?security=tls&type=ws&path=…#label`.

    Raises:
        ValueError: it is not that; the message says what is wrong.
    """
    link = split_link(unfold_rocket(text), 443)
    parse_uuid(link.user or "")
    params = read_carrier(link.params, security="none") | pick_params(link.params, frozenset())
    if params["security"] != "reality":
        if link.params.get("encryption", "none") not in ("none", ""):
            raise NotSpokenError("its encryption is not spoken here; none is")
        if link.params.get("flow"):
            raise NotSpokenError("its flow is not spoken here; none is")
    return make_parsed(link, params, {"uuid": link.user or ""})


SPEC = DialogueSpec(
    name="vless",
    question="Does a VLESS server relay for us?",
    schemes=("vless",),
    default_port=443,
    stack=choose_stack,
    start=start,
    parse=parse,
    secrets=("uuid",),
    proves=Depth.VOLUME,
    open_proves=Depth.REACH,
)
