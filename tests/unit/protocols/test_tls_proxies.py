import base64
import contextlib
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused, Tcp, Tls
from probe.protocols.proxies import anytls, reality, trojan, vless, vmess
from probe.protocols.proxies.vmess_header import Body, Keys, derive
from probe.protocols.proxies.websocket import apply_mask, build_frame, build_upgrade, parse_upgrade
from tests.dialogues import Played, fixed_entropy, play
from tests.dialogues.feeding import FLOOD, cuts, outcome, truncations

USER = "b831381d-6324-4d53-ad4f-8cda48b30811"
MODULES = {"anytls": anytls, "trojan": trojan, "vless": vless, "vmess": vmess}
ECHO = fixed_entropy()(64)


def ask(**params: str) -> Ask:
    return Ask(
        entropy=fixed_entropy(),
        params={"security": "tls", "relay": "192.0.2.7:7", "payload": "echo"} | params,
        secrets={"password": b"secretword", "uuid": USER.encode()},
        wall_s=1_790_000_000,
        host="proxy.example",
        port=443,
    )


def reply_of(name: str) -> bytes:
    """Return what a server of this protocol says when it relays our echo."""
    if name == "trojan":
        return ECHO
    if name == "vless":
        return bytes(2) + ECHO
    if name == "anytls":
        frames = ((10, b"v=2"), (6, b"stop=2"), (8, b""), (7, b""), (2, b""), (2, ECHO[:20]), (2, ECHO[20:]))
        return b"".join(anytls.build_frame(command, data) for command, data in frames)
    source = fixed_entropy()
    source(64)
    keys = Keys(3, source(33))
    parts = b""
    for label, plain in ((b" Len", struct.pack("!H", 4)), (b"", bytes((keys.verifier, 0, 0, 0)))):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = derive(keys.answer_key, b"AEAD Resp Header" + label + b" Key")[:16]
        vector = derive(keys.answer_vector, b"AEAD Resp Header" + label + b" IV")[:12]
        parts += AESGCM(key).encrypt(vector, plain, None)
    return parts + Body(3, keys.answer_key, keys.answer_vector).seal(ECHO)


@pytest.mark.parametrize("name", MODULES)
def test_relayed_bytes_prove_everything_however_they_are_cut(name: str) -> None:
    for chunks in cuts(reply_of(name)):
        played = play(MODULES[name].start(ask()), chunks)
        assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]


@pytest.mark.parametrize("name", MODULES)
def test_an_answer_that_ends_early_never_reaches_data(name: str) -> None:
    for chunks in truncations(reply_of(name)):
        played = play(MODULES[name].start(ask()), chunks)
        assert played.reply is None
        assert Depth.DATA not in played.reached


@pytest.mark.parametrize("name", MODULES)
def test_a_web_page_is_a_refusal(name: str) -> None:
    assert outcome(MODULES[name].start(ask()), [b"<!DOCTYPE HTML>\n<html>"]) == "refused"
    assert outcome(MODULES[name].start(ask()), [b"HTTP/1.1 400 Bad Request\r\n\r\n"]) == "refused"


@pytest.mark.parametrize("name", MODULES)
def test_a_flood_of_nonsense_ends(name: str) -> None:
    for params in ({}, {"type": "ws"}, {"type": "httpupgrade"}):
        assert outcome(MODULES[name].start(ask(**params)), [FLOOD]) in ("nonsense", "refused")


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=200), max_size=6), st.sampled_from(["", "ws", "httpupgrade"]))
def test_random_bytes_never_reach_data(chunks: list[bytes], kind: str) -> None:
    for module in MODULES.values():
        seen = outcome(module.start(ask(type=kind)), [*chunks, b""])
        assert not isinstance(seen, Played) or Depth.DATA not in seen.reached


def test_secrets_are_marked_in_what_is_sent() -> None:
    for name, span in (("trojan", (0, 56)), ("vless", (1, 17)), ("anytls", (0, 32))):
        send = play(MODULES[name].start(ask()), [b""]).sent[0]
        assert send.secret_spans == (span,)


@pytest.mark.parametrize("name", MODULES)
def test_the_same_entropy_makes_the_same_bytes(name: str) -> None:
    assert play(MODULES[name].start(ask()), [b""]).sent == play(MODULES[name].start(ask()), [b""]).sent


def test_the_upgrade_answers_our_key() -> None:
    # RFC 6455 section 1.3.
    key = base64.b64decode("dGhlIHNhbXBsZSBub25jZQ==")
    parse_upgrade(b"HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", key)


def test_masks_are_those_of_the_standard() -> None:
    # RFC 6455 section 5.7.
    assert apply_mask(b"Hello", bytes.fromhex("37fa213d")).hex() == "7f9f4d5158"
    assert build_frame(b"Hello", bytes.fromhex("37fa213d")).hex() == "828537fa213d7f9f4d5158"


def test_a_stream_behind_a_bare_upgrade_is_read_however_it_is_cut() -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    for chunks in cuts(head + bytes(2) + ECHO):
        assert play(vless.start(ask(type="httpupgrade")), chunks).depth is Depth.DATA


def test_reality_never_claims_more_than_reach() -> None:
    for dialogue in (
        reality.start(ask(sni="cover.example")),
        vless.start(ask(security="reality", sni="cover.example")),
    ):
        played = play(dialogue, [])
        assert played.reached == [Depth.REACH]
        assert played.sent == []


def test_links_are_read() -> None:
    parsed = trojan.parse(
        "trojan://secretword@proxy.example:8443?sni=cover.example&allowInsecure=1&type=ws&path=%2Fws#A"
    )
    assert parsed.params == {"security": "tls", "sni": "cover.example", "insecure": "1", "type": "ws", "path": "/ws"}
    assert parsed.secrets == {"password": "secretword"}
    assert trojan.SPEC.choose_stack(parsed.params) == (Tcp(), Tls(alpn=("http/1.1",), verify=False))
    parsed = vless.parse(f"vless://{USER}@192.0.2.1:443?security=none#B")
    assert vless.SPEC.choose_stack(parsed.params) == (Tcp(),)
    body = {"v": "2", "ps": "C", "add": "192.0.2.1", "port": "443", "id": USER, "aid": 0, "net": "ws", "tls": "tls"}
    parsed = vmess.parse("vmess://" + base64.b64encode(json.dumps(body).encode()).decode())
    assert (parsed.host, parsed.port, parsed.label) == ("192.0.2.1", 443, "C")
    assert parsed.params == {"security": "tls", "type": "ws", "cipher": "auto"}


@given(st.text(max_size=80))
def test_any_text_is_a_link_or_a_value_error(text: str) -> None:
    for name, module in MODULES.items():
        for tail in (text, base64.b64encode(text.encode()).decode(), f"{text}@host:1"):
            with contextlib.suppress(ValueError):
                assert module.parse(f"{name}://{tail}").host


def test_a_bad_link_never_quotes_the_secret() -> None:
    for module, text in (
        (trojan, "trojan://secretword@proxy.example:1?type=grpc"),
        (anytls, "anytls://secretword@proxy.example:1?type=ws"),
        (vless, f"vless://{'secretword' * 4}@proxy.example:1"),
        (vmess, "vmess://secretword"),
    ):
        with pytest.raises(ValueError, match=r".") as raised:
            module.parse(text)
        assert "secretword" not in str(raised.value)


@pytest.mark.parametrize("command", [5, 7])
def test_anytls_quotes_what_the_proxy_cannot_do(command: int) -> None:
    opening = anytls.build_frame(10, b"v=2")
    for first in (opening, b""):
        if first or command == 7:
            with pytest.raises(Refused, match="the proxy says: no route"):
                play(anytls.start(ask()), [first + anytls.build_frame(command, b"no route")])


def test_anytls_fills_its_flight_up_and_takes_no_frame_of_a_client() -> None:
    sent = play(anytls.start(ask()), [b""]).sent
    assert len(sent[0].data) == 64
    assert 100 <= len(anytls.build_request(b"a", b"b", 300)) == 300
    assert outcome(anytls.start(ask()), [anytls.build_frame(10, b"v=2") + anytls.build_frame(4)]) == "nonsense"
    parsed = anytls.parse("anytls://secretword@proxy.example/?sni=cover.example&insecure=1#A")
    assert parsed.params == {"security": "tls", "sni": "cover.example", "insecure": "1"}
    assert parsed.secrets == {"password": "secretword"}


@pytest.mark.parametrize(
    ("path", "sent"), [("/tr🇨🇳 @x", b"/tr%F0%9F%87%A8%F0%9F%87%B3%20@x"), ("/a%2Fb?c=1", b"/a%2Fb?c=1"), ("", b"/")]
)
def test_a_path_goes_out_as_clients_send_it(path, sent):
    assert build_upgrade("a.test", path, None).startswith(b"GET " + sent + b" HTTP/1.1\r\nHost: a.test\r\n")
