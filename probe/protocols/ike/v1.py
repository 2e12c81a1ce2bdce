"""IKEv1 Main Mode, first exchange: is there a responder, and does it take a common proposal?

Source: RFC 2408 sections 3.4 to 3.6 (SA, proposal, transform), 3.14 (notification); RFC 2409 section 5 and appendix A
(attributes); RFC 3947 section 3.1, RFC 3706 section 5 (vendor ids); XAUTH's from draft-ietf-ipsec-isakmp-xauth-06.

Less than the RFCs: nothing after the first answer, so neither our key nor ESP is tried; a responder that answers is no
working tunnel. This is also the way to ask for L2TP over IPsec, whose port 1701 is silent outside of ESP.
"""

import struct

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Receive, Send, Udp
from probe.protocols.ike.framing import (
    NAT_PORT,
    NON_ESP_MARKER,
    Message,
    Payload,
    build_chain,
    build_message,
    find_payload,
    parse_chain,
    parse_message,
)

SA, NOTIFICATION, VENDOR = 1, 11, 13
MAIN_MODE, INFORMATIONAL = 2, 5
VERSION = 0x10
_RETRIES_S = (2.0, 4.0, 8.0)

_AES, _3DES = 7, 5
_SHA1, _SHA256 = 2, 4
_SUITES = (
    (_AES, 256, _SHA256, 14),
    (_AES, 256, _SHA1, 14),
    (_AES, 256, _SHA1, 2),
    (_AES, 128, _SHA1, 2),
    (_3DES, 0, _SHA1, 2),
)
"""Cipher, key bits, hash and group that Windows, Android and macOS clients offered."""
_PRE_SHARED, _RSA, _XAUTH_PRE_SHARED = 1, 3, 65001

VENDORS = {
    "xauth": bytes.fromhex("09002689dfd6b712"),
    "dead peer detection": bytes.fromhex("afcad71368a1f1c96b8696fc77570100"),
    "nat traversal": bytes.fromhex("4a131c81070358455c5728f20e95452f"),
}


class MainModeReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the responder said."""

    kind: str
    """`accepted`, or `refused`: alive, but none of our proposals is to its taste."""
    notification: int = 0
    vendors: tuple[str, ...] = ()
    """Names of those we know, the others in hex."""


def build_main_mode(cookie: bytes) -> bytes:
    """Return the first message of Main Mode."""
    transforms = [
        _transform(*suite, authentication)
        for authentication in (_PRE_SHARED, _XAUTH_PRE_SHARED, _RSA)
        for suite in _SUITES
    ]
    chain = b"".join(
        struct.pack("!BBHBBH", 0 if n == len(transforms) else 3, 0, 8 + len(body), n, 1, 0) + body
        for n, body in enumerate(transforms, 1)
    )
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(chain), 1, 1, 0, len(transforms)) + chain
    payloads = (
        Payload(type=SA, body=struct.pack("!II", 1, 1) + proposal),
        *(Payload(type=VENDOR, body=vendor) for vendor in VENDORS.values()),
    )
    first, body = build_chain(payloads)
    return build_message(
        Message(
            initiator_spi=cookie,
            responder_spi=bytes(8),
            next_payload=first,
            version=VERSION,
            exchange=MAIN_MODE,
            flags=0,
            message_id=0,
            body=body,
        )
    )


def _transform(cipher: int, key_bits: int, digest: int, group: int, authentication: int) -> bytes:
    """Return the attributes of one suite (RFC 2409 appendix A); eight hours of life."""
    attributes = [(1, cipher), *([(14, key_bits)] if key_bits else []), (2, digest), (4, group), (3, authentication)]
    return b"".join(struct.pack("!HH", 0x8000 | kind, value) for kind, value in [*attributes, (11, 1), (12, 28800)])


def parse_main_mode_reply(data: bytes, cookie: bytes) -> MainModeReply:
    """Read the answer to a first message with this cookie.

    Raises:
        ProtocolError: it is not an answer to it.
    """
    message = parse_message(data)
    if message.initiator_spi != cookie:
        raise ProtocolError(f"an IKE message to another cookie: {data[:28].hex()}")
    if message.version >> 4 != 1:
        return MainModeReply(kind="ikev2_only")
    payloads = parse_chain(message.next_payload, message.body)
    if message.exchange == INFORMATIONAL:
        body = find_payload(payloads, NOTIFICATION)
        if body is None or len(body) < 8:
            raise ProtocolError(f"an IKE notification is missing or cut off: {data[:40].hex()}")
        return MainModeReply(kind="refused", notification=int.from_bytes(body[6:8], "big"))
    if message.exchange != MAIN_MODE or message.responder_spi == bytes(8) or find_payload(payloads, SA) is None:
        raise ProtocolError(f"not an answer of Main Mode: {data[:28].hex()}")
    names = {value: name for name, value in VENDORS.items()}
    vendors = tuple(names.get(p.body, p.body[:20].hex()) for p in payloads if p.type == VENDOR)
    return MainModeReply(kind="accepted", vendors=vendors)


def start(ask: Ask) -> Dialogue:
    """Send the first message up to three times."""
    cookie = ask.entropy(8)
    cookie = bytes([cookie[0] | 0x40]) + cookie[1:]
    marker = NON_ESP_MARKER if ask.port == NAT_PORT else b""
    for timeout_s in _RETRIES_S:
        yield Send(marker + build_main_mode(cookie))
        answer = yield Receive(timeout_s)
        if answer is not None:
            if not answer.startswith(marker):
                raise ProtocolError(f"no marker in front of an IKE message: {answer[:28].hex()}")
            reply = parse_main_mode_reply(answer[len(marker) :], cookie)
            yield Reached(Depth.HELLO)
            return reply
    return None


SPEC = DialogueSpec(
    name="ikev1",
    question="Does an IKEv1 responder answer Main Mode?",
    schemes=("ikev1",),
    default_port=500,
    stack=(Udp(),),
    start=start,
)
