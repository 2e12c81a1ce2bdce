import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Tcp, Udp
from probe.protocols.proxies import shadowsocks
from probe.protocols.proxies.shadowsocks.aead import Edition2017
from probe.protocols.proxies.shadowsocks.edition_2022 import Edition2022
from probe.protocols.proxies.shadowsocks.keys import Numbered, derive_from_password, is_2022
from probe.protocols.proxies.simple_obfs import build_tls
from probe.protocols.proxies.socks_address import build_address
from tests.dialogues import Played, fixed_entropy, play
from tests.dialogues.feeding import FLOOD, cuts, outcome, truncations

KEY = base64.b64encode(bytes(range(16))).decode()
NOW = 1_790_000_000
ALL = [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
METHODS = {
    "aes-256-gcm": "barfoo!",
    "chacha20-ietf-poly1305": "barfoo!",
    "2022-blake3-aes-128-gcm": KEY,
    "2022-blake3-chacha20-poly1305": base64.b64encode(bytes(range(32))).decode(),
}


def ask(method: str = "aes-256-gcm", password: str = "", **params: str) -> Ask:
    return Ask(
        entropy=fixed_entropy(),
        params={"method": method, "relay": "192.0.2.7:7", "payload": "echo"} | params,
        secrets={"password": (password or METHODS[method]).encode()},
        wall_s=NOW,
        host="proxy.example",
        port=8388,
    )


def sent_by(asked: Ask) -> bytes:
    return play(shadowsocks.start(asked), [None]).sent[0].data


def answer(asked: Ask, payload: bytes, *, request: bytes = b"") -> bytes:
    """Return what a server with the same key says to this request."""
    method = asked.params["method"]
    request = request or sent_by(asked)
    if not is_2022(method):
        edition = Edition2017(method, asked.secrets["password"], fixed_entropy(b"server"))
        return edition.build_stream(payload[:1], payload[1:])
    server = Edition2022(method, asked.secrets["password"], fixed_entropy(), NOW)
    salt = bytes(reversed(range(server._size)))
    numbered = Numbered(method, server._session(salt))
    header = struct.pack("!BQ", 1, NOW) + request[: server._size] + struct.pack("!H", len(payload))
    return salt + numbered.seal(header) + numbered.seal(payload)


def echo_of(asked: Ask) -> bytes:
    """Return the random bytes that are to be echoed: the first that the dialogue draws."""
    return fixed_entropy()(64)


@pytest.mark.parametrize("method", METHODS)
def test_relayed_bytes_prove_everything_however_they_are_cut(method: str) -> None:
    reply = answer(ask(method), echo_of(ask(method)))
    for chunks in cuts(reply):
        played = play(shadowsocks.start(ask(method)), chunks)
        assert played.reached == ALL
        assert played.reply is not None


@pytest.mark.parametrize("method", METHODS)
def test_an_answer_that_ends_early_never_reaches_data(method: str) -> None:
    reply = answer(ask(method), echo_of(ask(method)))
    for chunks in truncations(reply):
        played = play(shadowsocks.start(ask(method)), chunks)
        assert played.reply is None
        assert Depth.DATA not in played.reached


@pytest.mark.parametrize("method", METHODS)
def test_the_server_reads_address_and_payload_with_the_same_key(method: str) -> None:
    flight = sent_by(ask(method))
    size = {"aes-256-gcm": 32, "chacha20-ietf-poly1305": 32}.get(method, 0) or (16 if "128" in method else 32)
    address = build_address("192.0.2.7", 7)
    if is_2022(method):
        edition = Edition2022(method, METHODS[method].encode(), fixed_entropy(), NOW)
        numbered = Numbered(method, edition._session(flight[:size]))
        kind, sent_at, length = struct.unpack("!BQH", numbered.open(flight[size : size + 27]))
        assert (kind, sent_at) == (0, NOW)
        plain = numbered.open(flight[size + 27 :])
        assert len(plain) == length
        padding = int.from_bytes(plain[7:9], "big")
        assert 0 < padding <= 900
        assert plain[:7] == address
        assert plain[9 + padding :] == echo_of(ask(method))
    else:
        old = Edition2017(method, METHODS[method].encode(), fixed_entropy())
        numbered = Numbered(method, old.derive(flight[:size]))
        assert numbered.open(flight[size : size + 18]) == struct.pack("!H", 7 + 64)
        assert numbered.open(flight[size + 18 :]) == address + echo_of(ask(method))


def test_the_key_is_derived_as_openssl_does() -> None:
    # openssl enc -aes-256-cbc -md md5 -nosalt -P -k 'barfoo!'
    assert derive_from_password(b"barfoo!", 32)[:16].hex() == "b3adc47839e047eb228870526dc8fc30"


@pytest.mark.parametrize("method", METHODS)
def test_the_same_entropy_makes_the_same_bytes(method: str) -> None:
    assert sent_by(ask(method)) == sent_by(ask(method))


def test_what_a_password_encrypts_is_kept_out_of_the_transcript() -> None:
    send = play(shadowsocks.start(ask()), [None]).sent[0]
    assert send.secret_spans == ((32, len(send.data)),)
    assert play(shadowsocks.start(ask("2022-blake3-aes-128-gcm")), [None]).sent[0].secret_spans == ()


def test_an_answer_to_another_request_is_no_answer() -> None:
    asked = ask("2022-blake3-aes-128-gcm")
    reply = answer(asked, echo_of(asked), request=bytes(64))
    assert outcome(shadowsocks.start(asked), [reply]) == "nonsense"


def test_an_answer_under_another_key_is_nonsense() -> None:
    other = ask(password="another")
    assert outcome(shadowsocks.start(ask()), [answer(other, bytes(64))]) == "nonsense"


@pytest.mark.parametrize("obfs", ["http", "tls"])
@pytest.mark.parametrize("method", METHODS)
def test_any_bytes_end_in_a_bounded_way(method: str, obfs: str) -> None:
    for params in ({}, {"obfs": obfs}):
        assert outcome(shadowsocks.start(ask(method, **params)), [FLOOD]) == "nonsense"


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.sampled_from(["", "http", "tls"]))
def test_random_bytes_are_never_taken_for_an_answer(chunks: list[bytes], obfs: str) -> None:
    for method in METHODS:
        seen = outcome(shadowsocks.start(ask(method, obfs=obfs)), [*chunks, b""])
        assert seen == "nonsense" or (isinstance(seen, Played) and seen.reached == [])


def test_silence_and_a_close_are_told_by_the_driver_not_here() -> None:
    for end in ([None], [b""]):
        played = play(shadowsocks.start(ask()), end)
        assert (played.reply, played.reached) == (None, [])


def test_a_prefix_replaces_the_start_of_the_salt() -> None:
    for method in METHODS:
        flight = sent_by(ask(method, prefix="1603010200"))
        assert flight.startswith(bytes.fromhex("1603010200"))
        reply = answer(ask(method), echo_of(ask(method)), request=flight)
        assert play(shadowsocks.start(ask(method, prefix="1603010200")), [reply]).depth is Depth.DATA


# Datagrams


@pytest.mark.parametrize("method", ["aes-256-gcm", "2022-blake3-aes-128-gcm"])
def test_datagrams_are_sent_again_and_never_with_the_same_bytes(method: str) -> None:
    played = play(shadowsocks.start(ask(method, proto="udp")), [None, None, None])
    assert len({send.data for send in played.sent}) == len(played.sent) == 3


def test_a_datagram_of_the_old_edition_comes_back() -> None:
    asked = ask(proto="udp")
    server = Edition2017("aes-256-gcm", b"barfoo!", fixed_entropy(b"server"))
    reply = server.build_datagram(build_address("192.0.2.7", 7), echo_of(asked))
    played = play(shadowsocks.start(asked), [None, reply])
    assert played.reached == ALL


def test_a_datagram_of_2022_must_answer_our_session() -> None:
    method = "2022-blake3-aes-128-gcm"
    client = Edition2022(method, KEY.encode(), fixed_entropy(), NOW)
    client.build_datagram(build_address("192.0.2.7", 7), b"x")
    for session in (client._salt, bytes(8)):
        server = Edition2022(method, KEY.encode(), fixed_entropy(b"server"), NOW)
        body = struct.pack("!BQ", 1, NOW) + session + bytes(2) + build_address("192.0.2.7", 7) + b"back"
        packet = seal_2022(server, b"serverid", body)
        if session == client._salt:
            assert client.parse_datagram(packet) == b"back"
        else:
            with pytest.raises(ProtocolError, match="another session"):
                client.parse_datagram(packet)


def seal_2022(server: Edition2022, session: bytes, body: bytes) -> bytes:
    from probe.protocols.proxies.shadowsocks.edition_2022 import _encrypt_block
    from probe.protocols.proxies.shadowsocks.keys import make_aead

    header = session + bytes(8)
    sealed = make_aead("2022-blake3-aes-128-gcm", server._session(session)).encrypt(header[4:], body, None)
    return _encrypt_block(server._keys[0], header) + sealed


@given(st.binary(max_size=200))
def test_any_datagram_is_an_answer_or_a_protocol_error(data: bytes) -> None:
    for edition in (
        Edition2017("aes-256-gcm", b"x", fixed_entropy()),
        Edition2022("2022-blake3-aes-128-gcm", KEY.encode(), fixed_entropy(), NOW),
    ):
        with pytest.raises(ProtocolError):
            edition.parse_datagram(data)


# simple-obfs


def obfs_reply(obfs: str, stream: bytes) -> bytes:
    if obfs == "http":
        return b"HTTP/1.1 101 Switching Protocols\r\nServer: nginx/1.9.4\r\nUpgrade: websocket\r\n\r\n" + stream
    first, rest = stream[:50], stream[50:]
    hello = b"\x16\x03\x01\x00\x5b" + bytes(91)
    later = b"\x17\x03\x03" + struct.pack("!H", len(rest)) + rest
    return hello + b"\x14\x03\x03\x00\x01\x01" + b"\x16\x03\x03" + struct.pack("!H", len(first)) + first + later


@pytest.mark.parametrize("obfs", ["http", "tls"])
def test_a_disguised_stream_is_read_however_it_is_cut(obfs: str) -> None:
    asked = ask(obfs=obfs)
    reply = obfs_reply(obfs, answer(ask(), echo_of(ask())))
    for chunks in cuts(reply):
        assert play(shadowsocks.start(ask(obfs=obfs)), chunks).reached == ALL
    for chunks in truncations(reply):
        assert play(shadowsocks.start(ask(obfs=obfs)), chunks).reply is None
    send = play(shadowsocks.start(asked), [None]).sent[0]
    ((start, end),) = send.secret_spans
    assert end - start == 7 + 64 + 2 * 16 + 2


def test_the_disguise_of_tls_has_the_length_that_the_real_one_has() -> None:
    # obfs_tls.c: hello 138, ticket 4, server name 9, other extensions 66 bytes.
    hello = build_tls("www.example.com", b"x" * 121, NOW, fixed_entropy())
    assert len(hello) == 138 + 4 + 121 + 9 + len("www.example.com") + 66
    assert int.from_bytes(hello[3:5], "big") == len(hello) - 5
    assert int.from_bytes(hello[6:9], "big") == len(hello) - 9


@pytest.mark.parametrize("reply", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_another_web_server_is_not_the_disguise(reply: bytes) -> None:
    for obfs in ("http", "tls"):
        assert outcome(shadowsocks.start(ask(obfs=obfs)), [reply]) == "nonsense"


# Links


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_links_of_every_kind_are_read() -> None:
    for text in (
        f"ss://{encoded('aes-256-gcm:p@ss:w#rd')}@192.0.2.1:8388#Office",
        f"ss://{encoded('aes-256-gcm:p@ss:w#rd')}@192.0.2.1:8388/?outline=1#Office",
        f"ss://{encoded('aes-256-gcm:p@ss:w#rd@192.0.2.1:8388')}#Office",
        "ss://aes-256-gcm:p%40ss%3Aw%23rd@192.0.2.1:8388#Office",
    ):
        parsed = shadowsocks.parse(text)
        assert (parsed.host, parsed.port, parsed.label) == ("192.0.2.1", 8388, "Office")
        assert parsed.params == {"method": "aes-256-gcm"}
        assert parsed.secrets == {"password": "p@ss:w#rd"}


def test_plugin_prefix_and_relay_are_read() -> None:
    login = encoded("chacha20-ietf-poly1305:x")
    parsed = shadowsocks.parse(
        f"ss://{login}@[2001:db8::1]:443/?plugin=obfs-local%3Bobfs%3Dtls%3Bobfs-host%3Dwww.example.com"
        "&prefix=%16%03%01%C2%A8&relay=echo.example:7"
    )
    assert parsed.host == "2001:db8::1"
    assert parsed.params == {
        "method": "chacha20-ietf-poly1305",
        "obfs": "tls",
        "obfs-host": "www.example.com",
        "prefix": "160301a8",
        "relay": "echo.example:7",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ss://secretword", "base64"),
        (f"ss://{encoded('rc4-md5:secretword')}@192.0.2.1:1", "method"),
        (f"ss://{encoded('secretword')}@192.0.2.1:1", "password"),
        ("ss://2022-blake3-aes-128-gcm:secretword@192.0.2.1:1", "key"),
        (f"ss://{encoded('aes-256-gcm:secretword')}@192.0.2.1:99999", "port"),
        (f"ss://{encoded('aes-256-gcm:secretword')}@192.0.2.1:1?plugin=v2ray-plugin", "plugin"),
        (f"ss://{encoded('aes-256-gcm:secretword')}@192.0.2.1:1?relay=nowhere", "host:port"),
        (f"ss://{encoded('aes-256-gcm:secretword')}@:1", "host"),
    ],
)
def test_a_bad_link_says_what_is_wrong_and_never_the_secret(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as raised:
        shadowsocks.parse(text)
    assert "secretword" not in str(raised.value)
    assert encoded("secretword") not in str(raised.value)


@given(st.text(max_size=120))
def test_any_text_is_a_link_or_a_value_error(text: str) -> None:
    for tail in (text, encoded(text), f"{encoded(text)}@{text}"):
        try:
            parsed = shadowsocks.parse(f"ss://{tail}")
        except ValueError:
            continue
        assert parsed.host
        assert parsed.secrets["password"]


def test_an_unknown_method_or_key_is_the_users_error() -> None:
    for bad in (ask(method="rc4-md5", password="x"), ask("2022-blake3-aes-128-gcm", "x"), ask(prefix="zz")):
        with pytest.raises(UserError):
            play(shadowsocks.start(bad), [None])


def test_the_channel_is_chosen_by_proto() -> None:
    assert shadowsocks.SPEC.choose_stack({"proto": "udp"}) == (Udp(),)
    assert shadowsocks.SPEC.choose_stack({}) == (Tcp(),)
