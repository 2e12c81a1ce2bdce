"""IKEv2: is there a responder, and does it accept our pre-shared key?

Source: RFC 7296 sections 1.2 (the first exchanges), 2.6 (cookies), 2.7 (a refused group), 2.23 (NAT), 3.10.1 (notify
types). RFC 3948 section 2.2 for port 4500.

Without a key the exchange stops after the first answer, and our half of the group exchange is one that most servers
ask to be repeated in another group: that answer costs the server nothing. (Five exchanges that nobody ends make
strongSwan silent to an address for 30 s; whoever spaces the tries must know.) An error that names our SPI is as much a
sign of life as an answer. `probe=major` sends version 3.0, which every responder must refuse.

Less than the RFC: no EAP, no certificates; of the child association nothing but the offer. INITIAL_CONTACT is not
sent, so a live client of the same identity keeps its tunnel where the server lets identities stand twice.
"""

import hashlib
import hmac
import ipaddress
import struct
from typing import NamedTuple

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Receive, Refused, Send, Udp
from probe.protocols.ike.framing import (
    NAT_PORT,
    NON_ESP_MARKER,
    Payload,
    find_payload,
    parse_chain,
    parse_message,
    parse_notify,
)
from probe.protocols.ike.groups import ENTROPY_BYTES as GROUP_ENTROPY_BYTES
from probe.protocols.ike.groups import PUBLIC_BYTES, KeyPair, make_key_pair, share_secret
from probe.protocols.ike.keys import Keys, compute_auth, derive_keys, seal, unseal
from probe.protocols.ike.messages import (
    ABOUT_THE_CHILD,
    AUTH,
    CONFIGURATION,
    DELETE,
    ID_I,
    ID_R,
    IKE_AUTH,
    INFORMATIONAL,
    KE,
    MOST_ERROR,
    NONCE,
    NOTIFY,
    RESPONSE,
    SA,
    TS_I,
    TS_R,
    IkeReply,
    build_future_version,
    build_identity,
    build_init,
    message_to,
    name_notify,
    parse_init_reply,
    read_identity,
)
from probe.protocols.ike.proposal import GROUPS, build_esp_offer, parse_choice
from probe.protocols.incoming import Reading
from probe.protocols.written.link import parse_login_link

_RETRIES_S = (2.0, 4.0, 8.0)
_MOST_INITS = 4
_SILENT_GROUP = 5
"""MODP-1536: offered last, so hardly any server chooses it, and its public value is never used."""
_SILENT_GROUP_BYTES = 192


class AuthReply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the authentication."""

    responder_id: str
    """Kind and value, as the responder names itself."""
    proved: bool
    """It proved that it knows the pre-shared key too; else it signed with a certificate, which is not checked."""
    child: str
    """`established`, or the name of the error that it met."""


class _First(NamedTuple):
    """The first exchange, as the authentication needs it."""

    spi: bytes
    nonce: bytes
    pair: KeyPair
    request: bytes
    response: bytes
    reply: IkeReply


def start(ask: Ask) -> Dialogue:
    """Send a first message; with a pre-shared key go on to authentication, and take the association down again."""
    psk = ask.secrets.get("psk")
    spi = _nonzero(ask)
    if ask.params.get("probe") == "major":
        answer = yield from _exchange(ask, build_future_version(spi))
        if answer is None:
            return None
        reply = parse_init_reply(answer, spi)
        yield Reached(Depth.HELLO)
        return reply
    deep = psk is not None and ask.deepest not in (Depth.REACH, Depth.HELLO)
    first = yield from _init(ask, spi, deep=deep)
    if not isinstance(first, _First):
        return first
    if psk is None or not deep:
        return first.reply
    return (yield from _authenticate(ask, first, psk))


def _init(ask: Ask, spi: bytes, *, deep: bool) -> Reading["_First | IkeReply | None"]:
    """Go through the first exchange; unless deep, any answer ends it."""
    group, cookie = (GROUPS[0] if deep else _SILENT_GROUP), b""
    nonce, hashes = ask.entropy(32), _nat_hashes(ask, spi)
    pair = _key_pair(ask, group)
    for turn in range(_MOST_INITS):
        request = build_init(spi, nonce, (group, pair.public), hashes, cookie)
        answer = yield from _exchange(ask, request)
        if answer is None:
            return None
        reply = parse_init_reply(answer, spi)
        if turn == 0:
            yield Reached(Depth.HELLO)
        if reply.kind == "accepted" and (reply.group != group or not deep):
            if deep:
                raise ProtocolError(f"group {reply.group} in answer to group {group}: {answer[:28].hex()}")
            return reply
        if reply.kind == "accepted":
            return _First(spi, nonce, pair, request, answer, reply)
        if not deep:
            return reply
        if reply.kind == "cookie":
            cookie = reply.cookie
        elif reply.kind == "invalid_ke_payload" and reply.group in PUBLIC_BYTES and reply.group != group:
            group = reply.group
            pair = _key_pair(ask, group)
        else:
            raise Refused(f"the responder refuses the first message: {reply.kind.upper()}")
    raise Refused("the responder keeps asking for another first message")


def _authenticate(ask: Ask, first: _First, psk: bytes) -> Reading[AuthReply | None]:
    """Prove our identity, read the responder's proof, and delete what was set up."""
    response = parse_message(first.response)
    payloads = first.reply.payloads
    theirs = find_payload(payloads, NONCE) or b""
    secret = share_secret(first.pair, (find_payload(payloads, KE) or b"")[4:])
    chosen = parse_choice(find_payload(payloads, SA) or b"")
    keys = derive_keys(chosen, secret, first.nonce + theirs, first.spi + response.responder_spi)
    identity = build_identity(ask.params.get("id") or ask.params.get("user") or "wallprobe")
    proof = compute_auth(chosen.prf, psk, first.request, theirs, keys.proof_i, identity)
    request = _auth_request(ask, identity, proof)
    sealed = seal(message_to(first.spi, response.responder_spi, 0, IKE_AUTH, 1, b""), request, keys, ask.entropy(16))
    answer = yield from _exchange(ask, sealed)
    if answer is None:
        return None
    opened = _open(answer, first.spi, IKE_AUTH, keys)
    reply = _read_auth(opened, first, keys, psk)
    if reply.proved:
        yield Reached(Depth.PROOF)
    yield Reached(Depth.AUTH)
    goodbye = (Payload(type=DELETE, body=struct.pack("!BBH", 1, 0, 0)),)
    last = message_to(first.spi, response.responder_spi, 0, INFORMATIONAL, 2, b"")
    yield from _exchange(ask, seal(last, goodbye, keys, ask.entropy(16)), retries_s=(1.0,))
    return reply


def _auth_request(ask: Ask, identity: bytes, proof: bytes) -> tuple[Payload, ...]:
    """Return the payloads of the authentication: who we are, the proof, and a child for all addresses."""
    anywhere = struct.pack("!BBBBBBHHH4s4s", 1, 0, 0, 0, 7, 0, 16, 0, 65535, bytes(4), b"\xff" * 4)
    remote = ask.params.get("remote_id")
    return (
        Payload(type=ID_I, body=identity),
        *((Payload(type=ID_R, body=build_identity(remote)),) if remote else ()),
        Payload(type=AUTH, body=bytes([2, 0, 0, 0]) + proof),
        Payload(type=CONFIGURATION, body=bytes([1, 0, 0, 0]) + struct.pack("!HHHH", 1, 0, 3, 0)),
        Payload(type=SA, body=build_esp_offer(_nonzero(ask)[:4])),
        Payload(type=TS_I, body=anywhere),
        Payload(type=TS_R, body=anywhere),
    )


def _read_auth(payloads: tuple[Payload, ...], first: _First, keys: Keys, psk: bytes) -> AuthReply:
    """Judge the responder's half of the authentication.

    Raises:
        ProtocolError: its proof is wrong, or missing without an error.
        Refused: it does not accept ours.
    """
    errors = [n for n, _ in map(parse_notify, (p.body for p in payloads if p.type == NOTIFY)) if n <= MOST_ERROR]
    identity, auth = find_payload(payloads, ID_R), find_payload(payloads, AUTH)
    if identity is None or auth is None or len(auth) < 5:
        if errors:
            raise Refused(f"{name_notify(errors[0])} ({errors[0]})")
        raise ProtocolError("an IKE_AUTH answer without identity or proof")
    proved = auth[0] == 2
    if proved:
        expected = compute_auth(keys.chosen.prf, psk, first.response, first.nonce, keys.proof_r, identity)
        if not hmac.compare_digest(expected, auth[4:]):
            raise ProtocolError(f"the responder's proof is not made with our key: {auth[:20].hex()}")
    child = next((name_notify(n) for n in errors if n in ABOUT_THE_CHILD), "established")
    return AuthReply(responder_id=read_identity(identity), proved=proved, child=child)


def _open(answer: bytes, spi: bytes, exchange: int, keys: Keys) -> tuple[Payload, ...]:
    """Decrypt an answer of this exchange.

    Raises:
        ProtocolError: it is another's, or another exchange's.
        Refused: it is an error in the clear.
    """
    message = parse_message(answer)
    if message.initiator_spi != spi or message.exchange != exchange or not message.flags & RESPONSE:
        raise ProtocolError(f"not the answer to our IKE message: {answer[:28].hex()}")
    if message.next_payload == NOTIFY:
        kind, _ = parse_notify(find_payload(parse_chain(NOTIFY, message.body), NOTIFY) or b"")
        raise Refused(f"{name_notify(kind)} ({kind})")
    return unseal(answer, message, keys)


def _exchange(ask: Ask, request: bytes, retries_s: tuple[float, ...] = _RETRIES_S) -> Reading[bytes | None]:
    """Send a message, again when nothing comes; the marker of port 4500 is added and taken off here."""
    marker = NON_ESP_MARKER if ask.port == NAT_PORT or ask.params.get("natt") == "1" else b""
    for timeout_s in retries_s:
        yield Send(marker + request)
        answer = yield Receive(timeout_s)
        if answer is not None:
            if not answer.startswith(marker):
                raise ProtocolError(f"no marker in front of an IKE message: {answer[:28].hex()}")
            return answer[len(marker) :]
    return None


def _key_pair(ask: Ask, group: int) -> KeyPair:
    if group == _SILENT_GROUP:
        return KeyPair(group=group, entropy=b"", public=b"\x5a" + ask.entropy(_SILENT_GROUP_BYTES - 1))
    return make_key_pair(group, ask.entropy(GROUP_ENTROPY_BYTES[group]))


def _nat_hashes(ask: Ask, spi: bytes) -> tuple[bytes, bytes]:
    """Return the hashes of NAT detection: we do not know our own address, as behind any NAT."""
    try:
        packed = ipaddress.ip_address(ask.address).packed
    except ValueError:
        packed = bytes(4)
    there = hashlib.sha1(spi + bytes(8) + packed + ask.port.to_bytes(2, "big"), usedforsecurity=False).digest()
    return ask.entropy(20), there


def _nonzero(ask: Ask) -> bytes:
    """Return 8 random bytes that are no reserved SPI, in whole or in their first half."""
    spi = ask.entropy(8)
    return bytes([spi[0] | 0x40]) + spi[1:]


def parse(text: str) -> Parsed:
    """Read `ikev2://host[:port]?id=…&psk=…`.

    Raises:
        ValueError: it is not such a link.
    """
    allowed = frozenset({"id", "remote_id", "probe", "natt"})
    return parse_login_link(text, default_port=500, params=allowed, secrets=frozenset({"psk"}))


SPEC = DialogueSpec(
    name="ikev2",
    question="Does an IKEv2 responder answer, and accept our key?",
    schemes=("ikev2",),
    default_port=500,
    stack=(Udp(),),
    start=start,
    parse=parse,
    secrets=("psk",),
    proves=Depth.AUTH,
)
