"""Tor's link and obfs4's handshake against a relay and a bridge of a few lines, forgeries, and any bytes."""

import base64
import contextlib
import datetime
import functools
import hashlib
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.tor import cells as tor_cells
from probe.protocols.tor import elligator, obfs4
from probe.protocols.tor import relay as tor
from tests.dialogues import fixed_entropy
from tests.dialogues.hardship import GARBAGE, bear_a_stream, play_stream, serve_in_turn, survive, watch

NOW = 1_790_000_000.0
TLS_CERTIFICATE = b"what TLS showed"
LATER = struct.pack("!I", int(NOW // 3600) + 24)


def sign(key: Ed25519PrivateKey, kind: int, certified: bytes, expires: bytes = LATER) -> bytes:
    signer = key.public_key().public_bytes_raw()
    body = bytes((1, kind)) + expires + b"\x01" + certified + b"\x01" + struct.pack("!HBB", 32, 4, 0) + signer
    return body + key.sign(body)


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@functools.cache
def make_certs(tls: bytes = TLS_CERTIFICATE, expires: bytes = LATER) -> dict[int, bytes]:
    identity, signing = (Ed25519PrivateKey.from_private_bytes(bytes((n,)) * 32) for n in (1, 2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.a.net")])
    day = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    own = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(rsa_key().public_key())
        .serial_number(1).not_valid_before(day).not_valid_after(day + datetime.timedelta(days=9))
        .sign(rsa_key(), SHA256())
    )  # fmt: skip
    cross = identity.public_key().public_bytes_raw() + expires
    digest = hashlib.sha256(b"Tor TLS RSA/Ed25519 cross-certificate" + cross).digest()
    numbers = rsa_key().private_numbers()
    padded = int.from_bytes(b"\0\1" + b"\xff" * (128 - 35) + b"\0" + digest, "big")
    signature = pow(padded, numbers.d, numbers.public_numbers.n).to_bytes(128, "big")
    return {
        2: own.public_bytes(Encoding.DER),
        4: sign(identity, 4, signing.public_key().public_bytes_raw(), expires),
        5: sign(signing, 5, hashlib.sha256(tls).digest(), expires),
        7: cross + b"\x80" + signature,
    }


def fingerprint() -> str:
    public = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return hashlib.sha1(public).hexdigest().upper()


def certs_cell(certs: dict[int, bytes]) -> bytes:
    body = bytes((len(certs),)) + b"".join(struct.pack("!BH", k, len(c)) + c for k, c in certs.items())
    return struct.pack("!IBH", 0, 129, len(body)) + body


def greeting(certs: dict[int, bytes] | None = None) -> bytes:
    versions = struct.pack("!HBH3H", 0, 7, 6, 3, 4, 5)
    challenge = struct.pack("!IBH", 0, 130, 36) + bytes(36)
    padding = tor_cells.build_cell(0, tor_cells.PADDING, b"")
    return versions + certs_cell(certs or make_certs()) + challenge + padding + tor_cells.build_cell(0, 8, bytes(8))


class FakeRelay:
    """Says what a relay says, with the keys of the circuit that the client asks for."""

    def __init__(self, page: bytes = b"HTTP/1.0 200 OK\r\n\r\nrouter Test 192.0.2.1\nmore\n") -> None:
        self.page = page
        self.circuit: tor_cells.Circuit | None = None

    def __call__(self, sent: bytes) -> bytes:
        if sent == tor_cells.build_versions():
            return greeting()
        cells = [tor_cells.split_cell(sent[at : at + 514])[0] for at in range(0, len(sent), 514)]
        answer = b""
        for cell in cells:
            if cell.command == tor_cells.CREATE_FAST:
                answer += self._create(cell)
            elif cell.command == tor_cells.RELAY:
                assert self.circuit is not None
                command, data = self.circuit.open_relay(cell.payload)
                if command == tor_cells.BEGIN_DIR:
                    answer += self.circuit.build_relay(tor_cells.CONNECTED, 1)
                elif command == tor_cells.DATA:
                    assert data.startswith(b"GET /tor/server/authority HTTP/1.0\r\n")
                    answer += self.circuit.build_relay(tor_cells.DATA, 1, self.page)
                    answer += self.circuit.build_relay(tor_cells.END, 1, b"\x06")
        return answer

    def _create(self, cell: tor_cells.Cell) -> bytes:
        secret, ours = cell.payload[:20], b"y" * 20
        self.circuit = tor_cells.Circuit(cell.circuit, secret)
        payload = ours + tor_cells.derive(secret + ours, 20)
        self.circuit.open(payload)
        # A relay's forward is the client's backward.
        own = self.circuit
        own._forward, own._backward = own._backward, own._forward
        own._encryptor, own._decryptor = own._decryptor, own._encryptor
        return tor_cells.build_cell(cell.circuit, tor_cells.CREATED_FAST, payload)


def begin(deepest: Depth = Depth.DATA, **params: str):
    return tor.start(
        Ask(
            entropy=fixed_entropy(), params=params, wall_s=NOW, certificate=TLS_CERTIFICATE, deepest=deepest,
            address="192.0.2.1",
        )
    )  # fmt: skip


def test_a_page_comes_over_the_circuit() -> None:
    played = play_stream(begin(fingerprint=fingerprint()), FakeRelay())
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.DATA]
    assert played.reply.page == "router Test 192.0.2.1"
    assert played.reply.link == 5
    assert played.sent[1].data[5:16] == bytes(4) + b"\x04\x04\xc0\x00\x02\x01\x00"


def test_a_link_may_be_cut_anywhere() -> None:
    bear_a_stream(lambda: begin(fingerprint=fingerprint()), FakeRelay)


def test_a_relay_without_a_page_has_still_relayed() -> None:
    played = play_stream(begin(), FakeRelay(b"HTTP/1.0 404 Servers unavailable\r\n\r\n"))
    assert played.reached == [Depth.HELLO, Depth.DATA]
    assert played.reply.page == "HTTP/1.0 404 Servers unavailable"
    with pytest.raises(Refused, match="no directory"):
        play_stream(begin(), FakeRelay(b""))


def test_no_circuit_is_made_without_leave() -> None:
    played = play_stream(begin(Depth.PROOF), FakeRelay())
    assert len(played.sent) == 2
    assert played.reached == [Depth.HELLO]


def spoil(certificate: bytes) -> bytes:
    """Return it with another last byte."""
    return certificate[:-1] + bytes((certificate[-1] ^ 1,))


@pytest.mark.parametrize(
    ("certs", "says"),
    [
        (make_certs(tls=b"another"), "another TLS certificate: somebody is between"),
        (make_certs(expires=struct.pack("!I", 1)), "expired"),
        ({k: v for k, v in make_certs().items() if k != 7}, "no certificate of type 7"),
        (make_certs() | {4: make_certs()[5]}, "do not hold"),
        (make_certs() | {5: spoil(make_certs()[5])}, "do not hold: a signature"),
        (make_certs() | {7: spoil(make_certs()[7])}, "do not hold"),
        (make_certs() | {2: b"no certificate"}, "do not hold"),
    ],
)
def test_a_chain_with_a_broken_link_proves_nobody(certs: dict[int, bytes], says: str) -> None:
    reached: list[Depth] = []
    with pytest.raises(ProtocolError, match=says):
        play_stream(watch(begin(), reached), serve_in_turn(greeting(certs)))
    assert reached == []


def test_another_relay_is_named() -> None:
    with pytest.raises(ProtocolError, match=f"another relay answers: {fingerprint()}"):
        play_stream(begin(fingerprint="00" * 20), FakeRelay())


@given(GARBAGE)
def test_garbage_is_no_relay(answers: list[bytes | None]) -> None:
    played = survive(begin, answers)
    assert played is None or not played.reached


@given(st.binary(max_size=600), st.integers(0, 7))
def test_damaged_certificates_never_hold(noise: bytes, kind: int) -> None:
    certs = make_certs()
    if kind in certs and noise != certs[kind]:
        with pytest.raises(ProtocolError):
            tor_cells.prove_identity(certs | {kind: noise}, TLS_CERTIFICATE, NOW)
    with contextlib.suppress(ProtocolError):
        assert isinstance(tor_cells.parse_certs(noise), dict)


def test_links_choose_a_name_of_no_meaning() -> None:
    parsed = tor.parse("tor://192.0.2.1:443?fingerprint=$" + "ab" * 20)
    assert parsed.params["fingerprint"] == "AB" * 20
    assert parsed.params["sni"].startswith("www.")
    assert parsed.params == tor.parse("tor://192.0.2.1:443?fingerprint=" + "AB" * 20).params
    assert tor.parse("tor://192.0.2.1:443?depth=data").params["depth"] == "data"
    for bad, says in (("fingerprint=abc", "40 hexadecimal digits"), ("depth=deep", "depth is hello, proof, data")):
        with pytest.raises(ValueError, match=says):
            tor.parse(f"tor://192.0.2.1?{bad}")


# obfs4

NODE = b"n" * 20
BRIDGE_KEY = X25519PrivateKey.from_private_bytes(b"b" * 32)
CERT = base64.b64encode(NODE + BRIDGE_KEY.public_key().public_bytes_raw()).decode().rstrip("=")


def begin_obfs4(cert: str = CERT, wall_s: float = NOW):
    return obfs4.start(Ask(entropy=fixed_entropy(), secrets={"cert": cert.encode()}, wall_s=wall_s))


def serve_obfs4(sent: bytes, *, wall_s: float = NOW, key: X25519PrivateKey = BRIDGE_KEY) -> bytes:
    """Answer as the bridge does, or as one that has read the line but holds another key."""
    line = obfs4.Line(CERT)
    hour = str(int(wall_s // 3600)).encode()
    assert sent[-32:-16] == line.mac(sent[:32])
    assert sent[-16:] in [line.mac(sent[:-16] + str(int(wall_s // 3600) + n).encode()) for n in (-1, 0, 1)]
    secret, made = next((s, m) for s in map(bytes, [[n] * 32 for n in range(9)]) if (m := elligator.make_public(s, 0)))
    client, own = X25519PublicKey.from_public_bytes(elligator.read_public(sent[:32])), made[0]
    shared = X25519PrivateKey.from_private_bytes(secret).exchange(client) + key.exchange(client)
    auth = line.make_auth(shared, client.public_bytes_raw(), own)
    flight = made[1] + auth + b"pad" * 30
    flight += line.mac(made[1])
    return flight + line.mac(flight + hour) + b"first frame"


def test_a_bridge_proves_its_key_however_its_flight_is_cut() -> None:
    played = play_stream(begin_obfs4(), serve_obfs4)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert 149 <= len(played.sent[0].data) <= 8192
    bear_a_stream(begin_obfs4, lambda: serve_obfs4)


def test_a_clock_may_be_an_hour_off_and_no_more() -> None:
    ahead = play_stream(begin_obfs4(), lambda sent: serve_obfs4(sent, wall_s=NOW + 3600))
    assert ahead.reply.clock_hours == 1
    line = obfs4.Line(CERT)

    def late(sent: bytes) -> bytes:
        flight = serve_obfs4(sent)[: 64 + 90 + 16]
        return flight + line.mac(flight + b"1")

    with pytest.raises(ProtocolError, match="another hour"):
        play_stream(begin_obfs4(), late)


def test_who_knows_the_line_but_not_the_key_is_found_out() -> None:
    other = X25519PrivateKey.from_private_bytes(b"c" * 32)
    reached: list[Depth] = []
    with pytest.raises(ProtocolError, match="not of who holds"):
        play_stream(watch(begin_obfs4(), reached), lambda sent: serve_obfs4(sent, key=other))
    assert reached == []


@given(GARBAGE)
def test_garbage_is_no_bridge(answers: list[bytes | None]) -> None:
    played = survive(begin_obfs4, answers)
    assert played is None or not played.reached


def test_bridge_lines_and_links_are_read_and_hide_the_cert() -> None:
    line = f"Bridge obfs4 192.0.2.1:443 {'ab' * 20} cert={CERT} iat-mode=0"
    for text in (line, line.removeprefix("Bridge "), f"obfs4://192.0.2.1:443?fingerprint={'ab' * 20}&cert={CERT}"):
        parsed = obfs4.parse(text)
        assert (parsed.host, parsed.port, parsed.params) == ("192.0.2.1", 443, {"fingerprint": "AB" * 20})
        assert parsed.secrets == {"cert": CERT}
    assert obfs4.parse(f"obfs4 [2001:db8::1]:80 {'ab' * 20} cert={CERT}").host == "2001:db8::1"
    for bad in ("obfs4 192.0.2.1:443", line.replace(CERT, "secret"), "obfs4 192.0.2.1 x cert=secret", "obfs4"):
        with pytest.raises(ValueError, match=r".") as raised:
            obfs4.parse(bad)
        assert "secret" not in str(raised.value)
    with pytest.raises(UserError, match="cert"):
        play_stream(begin_obfs4(cert="none"), serve_obfs4)


@given(st.text(max_size=60))
def test_any_text_is_a_line_or_a_value_error(text: str) -> None:
    for candidate in (f"obfs4 {text}", f"obfs4://{text}", f"obfs4 192.0.2.1:1 {text} cert={CERT}"):
        with contextlib.suppress(ValueError):
            assert obfs4.parse(candidate).host


# Elligator 2


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 63))
def test_a_key_comes_back_from_its_representative(secret: bytes, tweak: int) -> None:
    made = elligator.make_public(secret, tweak)
    if made is None:
        return
    public, representative = made
    assert elligator.read_public(representative) == public
    assert representative[31] >> 6 == tweak >> 4
    # The part of small order is gone once a clamped key is applied.
    peer = X25519PrivateKey.from_private_bytes(b"p" * 32)
    plain = X25519PrivateKey.from_private_bytes(secret)
    assert peer.exchange(X25519PublicKey.from_public_bytes(public)) == plain.exchange(peer.public_key())


def test_the_ladder_is_that_of_the_standard() -> None:
    # RFC 7748 section 5.2, first vector.
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    u = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    product = elligator.multiply(elligator.clamp(scalar), int.from_bytes(u, "little"))
    assert product.to_bytes(32, "little").hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"


def test_the_base_makes_the_whole_group() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    # Four times is (0, 0), the point of order 2; half of that is not: so the part of small order has order 8.
    assert [elligator.multiply(n * order, elligator.DIRTY_BASE) == 0 for n in (1, 2, 4)] == [False, False, True]


def test_half_of_all_secrets_have_a_representative() -> None:
    found = sum(elligator.make_public(hashlib.sha256(bytes((n,))).digest(), 0) is not None for n in range(64))
    assert 16 < found < 48


def test_low_spots_of_the_map_are_zero_or_a_key() -> None:
    assert elligator.read_public(bytes(32)) == bytes(32)  # -A lies on the twist, and A - A is 0
