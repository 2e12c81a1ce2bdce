"""IKE, both versions, against vectors, a responder of a few lines, and any bytes."""

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.ike import v1, v2
from probe.protocols.ike.framing import Payload, build_chain, build_message, find_payload, parse_chain, parse_message
from probe.protocols.ike.groups import ENTROPY_BYTES, make_key_pair, share_secret
from probe.protocols.ike.keys import compute_auth, derive_keys, seal, unseal
from probe.protocols.ike.messages import (
    AUTH,
    ID_R,
    IKE_AUTH,
    KE,
    NONCE,
    NOTIFY,
    RESPONSE,
    SA,
    IkeReply,
    build_identity,
    message_to,
    parse_init_reply,
    read_identity,
)
from probe.protocols.ike.proposal import Chosen, build_ike_offer, parse_choice
from tests.dialogues import fixed_entropy, play
from tests.dialogues.hardship import GARBAGE, bear_datagrams, survive

CBC = Chosen(encryption=12, key_bits=256, prf=5, integrity=12, group=31)
GCM = Chosen(encryption=20, key_bits=128, prf=6, integrity=0, group=31)
CHOICES = {
    CBC: "0000002c 01010004 0300000c 0100000c 800e0100 03000008 0300000c 03000008 02000005 00000008 0400001f",
    GCM: "00000024 02010003 0300000c 01000014 800e0080 03000008 02000006 00000008 0400001f",
}
PSK = b"correct horse"


def make_ask(seed: bytes = b"seed", **given) -> Ask:
    return Ask(entropy=fixed_entropy(seed), **{"port": 500, "address": "192.0.2.1"} | given)


def notify(kind: int, data: bytes = b"") -> Payload:
    return Payload(type=NOTIFY, body=bytes(2) + kind.to_bytes(2, "big") + data)


def answer_with(request: bytes, *payloads: Payload, version: int = 0x20) -> bytes:
    first, body = build_chain(payloads)
    asked = parse_message(request)
    reply = message_to(asked.initiator_spi, b"responde", first, asked.exchange, asked.message_id, body, version)
    data = bytearray(build_message(reply))
    data[19] = RESPONSE
    return bytes(data)


class Responder:
    """Answers as RFC 7296 section 1.2 says, with curve 25519 and a pre-shared key."""

    def __init__(
        self, chosen: Chosen = CBC, psk: bytes = PSK, refuse: int = 0, first: tuple[Payload, ...] = ()
    ) -> None:
        self.chosen, self.psk, self.refuse, self.first = chosen, psk, refuse, first
        self.keys = None
        self.seen = []

    def __call__(self, sent) -> bytes | None:
        request = sent[-1].data
        message = parse_message(request)
        self.seen.append(message.exchange)
        if message.exchange == 34:
            if self.first:
                reply, self.first = answer_with(request, self.first[0]), self.first[1:]
                return reply
            return self.accept(request, message)
        return self.judge(request, message)

    def accept(self, request, message) -> bytes:
        payloads = parse_chain(message.next_payload, message.body)
        theirs = find_payload(payloads, KE)
        assert theirs[:2] == b"\0\x1f"
        private = X25519PrivateKey.from_private_bytes(b"\x55" * 32)
        self.nonce_i, nonce_r = find_payload(payloads, NONCE), b"r" * 32
        self.first_request = request
        self.response = answer_with(
            request,
            Payload(type=SA, body=bytes.fromhex(CHOICES[self.chosen])),
            Payload(type=KE, body=b"\0\x1f\0\0" + private.public_key().public_bytes_raw()),
            Payload(type=NONCE, body=nonce_r),
        )
        secret = private.exchange(X25519PublicKey.from_public_bytes(theirs[4:]))
        spis = message.initiator_spi + b"responde"
        self.keys = derive_keys(self.chosen, secret, self.nonce_i + nonce_r, spis)
        return self.response

    def judge(self, request, message) -> bytes | None:
        """Decrypt with the initiator's keys, and answer with the responder's: the same code, sides changed."""
        k = self.keys
        mirrored = type(k)(
            chosen=k.chosen,
            integrity_i=k.integrity_r,
            integrity_r=k.integrity_i,
            encryption_i=k.encryption_r,
            encryption_r=k.encryption_i,
            proof_i=k.proof_r,
            proof_r=k.proof_i,
        )
        opened = unseal(request, message, mirrored)
        head = message_to(message.initiator_spi, b"responde", 0, message.exchange, message.message_id, b"")
        head = type(head)(**{f: getattr(head, f) for f in head.__struct_fields__} | {"flags": RESPONSE})
        if message.exchange != IKE_AUTH:
            return seal(head, (), mirrored, bytes(16))
        identity = find_payload(opened, 35)
        expected = compute_auth(k.chosen.prf, PSK, self.first_request, b"r" * 32, k.proof_i, identity)
        if self.refuse or find_payload(opened, AUTH)[4:] != expected:
            return seal(head, (notify(self.refuse or 24),), mirrored, bytes(16))
        mine = build_identity("gw.test")
        proof = compute_auth(k.chosen.prf, self.psk, self.response, self.nonce_i, k.proof_r, mine)
        payloads = (Payload(type=ID_R, body=mine), Payload(type=AUTH, body=bytes([2, 0, 0, 0]) + proof), notify(38))
        return seal(head, payloads, mirrored, bytes(16))


def test_a_stranger_asks_once_and_any_named_error_is_a_hello() -> None:
    played = play(v2.start(make_ask()), lambda sent: answer_with(sent[-1].data, notify(17, b"\0\x0e")))
    assert played.reached == [Depth.HELLO]
    assert played.reply == IkeReply(kind="invalid_ke_payload", version=2, group=14)
    assert len(played.sent) == 1


@pytest.mark.parametrize(
    ("kind", "name"), [(14, "no_proposal_chosen"), (5, "invalid_major_version"), (99, "notify_99")]
)
def test_errors_are_named(kind: int, name: str) -> None:
    played = play(v2.start(make_ask()), lambda sent: answer_with(sent[-1].data, notify(kind)))
    assert played.reply.kind == name
    assert played.depth is Depth.HELLO


def test_a_cookie_is_a_hello_for_a_stranger() -> None:
    played = play(v2.start(make_ask()), lambda sent: answer_with(sent[-1].data, notify(16390, b"cookie")))
    assert played.reply == IkeReply(kind="cookie", version=2, cookie=b"cookie")


def test_silence_is_asked_three_times_and_is_nothing() -> None:
    played = play(v2.start(make_ask()), [])
    assert played.reply is None
    assert played.depth is Depth.NONE
    assert [s.data for s in played.sent] == [played.sent[0].data] * 3
    assert played.waits_s == [2.0, 4.0, 8.0]


def test_port_4500_carries_the_marker_both_ways() -> None:
    played = play(
        v2.start(make_ask(port=4500)), lambda sent: bytes(4) + answer_with(sent[-1].data[4:], notify(17, b"\0\x0e"))
    )
    assert played.sent[0].data[:4] == bytes(4)
    assert played.depth is Depth.HELLO
    with pytest.raises(ProtocolError, match="marker"):
        play(v2.start(make_ask(port=4500)), lambda sent: answer_with(sent[-1].data[4:], notify(17)))


def test_an_answer_to_another_spi_proves_nothing() -> None:
    other = answer_with(play(v2.start(make_ask(b"other")), []).sent[0].data, notify(17, b"\0\x0e"))
    with pytest.raises(ProtocolError, match="another SPI"):
        play(v2.start(make_ask()), [other])


@pytest.mark.parametrize("chosen", [CBC, GCM])
def test_a_pre_shared_key_is_proven_both_ways_and_the_association_deleted(chosen: Chosen) -> None:
    responder = Responder(chosen, first=(notify(16390, b"c" * 20),))
    played = play(v2.start(make_ask(secrets={"psk": PSK}, params={"id": "@probe"})), responder)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH]
    assert played.reply == v2.AuthReply(responder_id="gw.test", proved=True, child="TS_UNACCEPTABLE")
    assert responder.seen == [34, 34, 35, 37]


def test_a_group_that_is_asked_for_is_given_once() -> None:
    responder = Responder(first=(notify(17, b"\0\x0e"), notify(17, b"\0\x1f")))
    assert play(v2.start(make_ask(secrets={"psk": PSK})), responder).depth is Depth.AUTH


def test_a_wrong_key_of_ours_is_a_refusal_and_a_wrong_proof_of_theirs_is_nonsense() -> None:
    with pytest.raises(Refused, match="AUTHENTICATION_FAILED"):
        play(v2.start(make_ask(secrets={"psk": b"wrong"})), Responder())
    with pytest.raises(ProtocolError, match="not made with our key"):
        play(v2.start(make_ask(secrets={"psk": PSK})), Responder(psk=b"impostor"))


def test_it_goes_no_deeper_than_asked() -> None:
    played = play(
        v2.start(make_ask(secrets={"psk": PSK}, deepest=Depth.HELLO)), Responder(first=(notify(17, b"\0\x0e"),))
    )
    assert played.reached == [Depth.HELLO]
    assert len(played.sent) == 1


def test_a_replay_sends_the_same_bytes() -> None:
    runs = [play(v2.start(make_ask(secrets={"psk": PSK})), Responder()) for _ in range(2)]
    assert [s.data for s in runs[0].sent] == [s.data for s in runs[1].sent]


@pytest.mark.parametrize("text", ["192.0.2.7", "2001:db8::1", "vpn.test", "me@vpn.test"])
def test_identities_are_read_back(text: str) -> None:
    assert read_identity(build_identity(text)) == text


@pytest.mark.parametrize("group", [14, 19, 20, 31])
def test_two_parties_share_a_secret(group: int) -> None:
    a, b = (make_key_pair(group, bytes([n]) * ENTROPY_BYTES[group]) for n in (3, 7))
    assert share_secret(a, b.public) == share_secret(b, a.public)
    with pytest.raises(ProtocolError):
        share_secret(a, bytes(len(a.public)))


def test_the_curve_vector_of_rfc_5903_section_8_1() -> None:
    private = int("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433", 16) - 1
    pair = make_key_pair(19, private.to_bytes(40, "big"))
    assert pair.public[:32].hex().upper() == "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180"


@pytest.mark.parametrize("chosen", [CBC, GCM])
def test_a_choice_is_read(chosen: Chosen) -> None:
    assert parse_choice(bytes.fromhex(CHOICES[chosen])) == chosen
    with pytest.raises(ProtocolError):
        parse_choice(build_ike_offer())


@given(st.binary(max_size=120))
def test_any_bytes_are_a_choice_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_choice(data), Chosen)


@given(st.integers(0, 255), st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_protocol_error(first: int, body: bytes) -> None:
    head = message_to(b"12345678", b"87654321", first, 34, 0, body)
    data = bytearray(build_message(head))
    data[19] = RESPONSE
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_init_reply(bytes(data), b"12345678"), IkeReply)


@given(st.binary(max_size=300))
def test_any_encrypted_bytes_are_a_protocol_error(body: bytes) -> None:
    for chosen in (CBC, GCM):
        keys = derive_keys(chosen, b"s", b"n", b"spi")
        message = message_to(b"12345678", b"87654321", 46, IKE_AUTH, 1, body)
        with pytest.raises(ProtocolError):
            unseal(build_message(message), message, keys)


@given(GARBAGE)
def test_garbage_reaches_nothing(answers: list[bytes | None]) -> None:
    for module in (v1, v2):
        played = survive(lambda m=module: m.start(make_ask(secrets={"psk": PSK})), answers)
        assert played is None or not played.reached


def test_parts_of_an_answer_and_too_much_of_it_end_properly() -> None:
    request = play(v2.start(make_ask(secrets={"psk": PSK})), []).sent[0].data
    bear_datagrams(
        lambda: v2.start(make_ask(secrets={"psk": PSK})), Responder().accept(request, parse_message(request))
    )
    request = play(v1.start(make_ask()), []).sent[0].data
    bear_datagrams(lambda: v1.start(make_ask()), accept_main_mode(request))


def accept_main_mode(request: bytes) -> bytes:
    message = parse_message(request)
    payloads = parse_chain(message.next_payload, message.body)
    return answer_with(request, payloads[0], Payload(type=13, body=v1.VENDORS["xauth"]), version=0x10)


def test_main_mode_is_accepted_or_refused() -> None:
    played = play(v1.start(make_ask()), lambda sent: accept_main_mode(sent[-1].data))
    assert played.reached == [Depth.HELLO]
    assert played.reply == v1.MainModeReply(kind="accepted", vendors=("xauth",))

    def refuse(sent):
        data = bytearray(answer_with(sent[-1].data, Payload(type=11, body=b"\0\0\0\1\1\0\0\x0e"), version=0x10))
        data[18] = 5
        return bytes(data)

    assert play(v1.start(make_ask()), refuse).reply == v1.MainModeReply(kind="refused", notification=14)


def test_a_link_hides_the_key() -> None:
    parsed = v2.parse("ikev2://vpn.test?id=me@vpn.test&psk=a%20b#office")
    assert (parsed.host, parsed.port, parsed.label) == ("vpn.test", 500, "office")
    assert parsed.params == {"id": "me@vpn.test"}
    assert parsed.secrets == {"psk": "a b"}
    with pytest.raises(ValueError, match="unknown nonsense"):
        v2.parse("ikev2://vpn.test?nonsense=1")
