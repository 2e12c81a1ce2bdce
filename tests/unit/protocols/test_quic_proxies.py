"""Hysteria 2 and TUIC: links, commands, Salamander, and any datagrams; their servers are met in tests/peers."""

import contextlib

import certifi
import pytest
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.events import StreamDataReceived
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols import quic_hello
from probe.protocols.dialogue import Ask, DialogueSpec, Refused
from probe.protocols.proxies import hysteria2, tuic
from probe.protocols.proxies.salamander import Salamander
from probe.protocols.relayed import Errand
from tests.dialogues import fixed_entropy, play
from tests.dialogues.hardship import GARBAGE, LARGE, survive
from tests.dialogues.quic_server import NAME, Authority, QuicServer

USER = "00000000-0000-0000-0000-000000000007"
ERRAND = Errand(host="origin.test", port=443, data=b"PAYLOAD", kind="echo")


def begin(spec: DialogueSpec, **params: str):
    ticks = iter(range(10**9))
    return spec.start(
        Ask(
            entropy=fixed_entropy(),
            params=params,
            secrets={"password": b"right", "uuid": USER.encode(), "obfs-password": b"veil"},
            host="proxy.test",
            address="192.0.2.1",
            port=443,
            roots=certifi.contents(),
            elapsed_s=lambda: next(ticks) * 0.01,
        )
    )


@pytest.mark.parametrize("spec", [hysteria2.SPEC, tuic.SPEC])
def test_a_silent_server_is_sent_its_first_flight_again_until_patience_ends(spec):
    played = play(begin(spec), [])
    assert played.reply is None
    assert played.reached == []
    assert len(played.sent) > 1
    assert {len(sent.data) for sent in played.sent} == {1200}


def test_a_server_of_other_versions_alone_is_told():
    def serve(sent):
        ids = sent[0].data[5:]
        own = ids[1 : 1 + ids[0]]
        theirs = ids[2 + ids[0] :][: ids[1 + ids[0]]]
        return b"\xc0" + bytes(4) + bytes((len(theirs),)) + theirs + bytes((len(own),)) + own + b"\x5a\x5a\x5a\x5a"

    with pytest.raises(ProtocolError, match="no version of ours"):
        play(begin(tuic.SPEC), serve)


@given(st.binary(min_size=1, max_size=1500), st.binary(max_size=30))
def test_salamander_uncovers_what_it_hid_and_looks_like_neither(data, password):
    veil = Salamander(password, fixed_entropy())
    hidden = veil.hide(data)
    assert veil.uncover(hidden) == data
    assert len(hidden) == len(data) + 8
    assert veil.hide(data) != hidden
    with pytest.raises(ProtocolError):
        veil.uncover(hidden[:8])


def test_a_relay_of_hysteria_is_asked_for_in_the_words_of_its_specification():
    request = hysteria2.build_request(ERRAND, b"pp")
    assert request == b"\x44\x01" + b"\x0forigin.test:443" + b"\x02pp" + b"PAYLOAD"
    six = Errand(host="2001:db8::1", port=443, data=b"", kind="echo")
    assert b"[2001:db8::1]:443" in hysteria2.build_request(six, b"")


def test_a_reply_of_hysteria_is_needed_whole():
    reply = b"\x00\x02ok\x03pad"
    for length in range(len(reply)):
        assert hysteria2.skip_reply(reply[:length]) is None
    assert hysteria2.skip_reply(reply + b"data") == len(reply)
    with pytest.raises(Refused, match="no route"):
        hysteria2.skip_reply(b"\x01\x08no route\x00")
    for bad in (b"\x02", b"\x00\x7f\xff" + bytes(20)):
        with pytest.raises(ProtocolError):
            hysteria2.skip_reply(bad)


@given(st.binary(max_size=60))
def test_any_reply_of_hysteria_is_one_or_an_error(data):
    try:
        found = hysteria2.skip_reply(data)
    except (ProtocolError, Refused):
        return
    assert found is None or found <= len(data)


def test_a_relay_of_tuic_is_asked_for_by_name_or_address():
    assert tuic.build_connect(ERRAND) == b"\x05\x01\x00\x0borigin.test\x01\xbb"
    four = Errand(host="192.0.2.7", port=80, data=b"", kind="echo")
    assert tuic.build_connect(four) == b"\x05\x01\x01\xc0\x00\x02\x07\x00\x50"


def test_links_of_hysteria():
    parsed = hysteria2.parse(
        "hysteria2://let%20me:in@h.test:8443/?obfs=salamander&obfs-password=veil&sni=x.test&insecure=1#home"
    )
    assert (parsed.host, parsed.port, parsed.label) == ("h.test", 8443, "home")
    assert dict(parsed.params) == {"obfs": "salamander", "sni": "x.test", "insecure": "1"}
    assert dict(parsed.secrets) == {"password": "let me:in", "obfs-password": "veil"}
    assert hysteria2.parse("hy2://pw@h.test:443,5000-6000/?sni=x.test").port == 443
    assert hysteria2.parse("hy2://pw@h.test:5000-6000").port == 5000
    assert dict(hysteria2.parse("hy2://pw@h.test?insecure=0").params) == {}
    pin = ":".join(["BA"] * 32)
    assert hysteria2.parse(f"hy2://pw@h.test?pinSHA256={pin}").params["pin"] == "ba" * 32


def test_links_of_tuic():
    parsed = tuic.parse(f"tuic://{USER}:p%40ss@t.test:10443?congestion_control=bbr&alpn=h3,spdy&allow_insecure=1#t")
    assert (parsed.host, parsed.port) == ("t.test", 10443)
    assert dict(parsed.params) == {"alpn": "h3,spdy", "insecure": "1"}
    assert dict(parsed.secrets) == {"uuid": USER, "password": "p@ss"}


@pytest.mark.parametrize(
    ("parse", "link"),
    [
        (hysteria2.parse, "hy2://h.test"),
        (hysteria2.parse, "hy2://SECRET@h.test?obfs=rot13"),
        (hysteria2.parse, "hy2://SECRET@h.test?obfs=salamander"),
        (hysteria2.parse, "hy2://SECRET@h.test?pinSHA256=00"),
        (tuic.parse, "tuic://SECRET@t.test"),
        (tuic.parse, "tuic://SECRET:pw@t.test"),
        (tuic.parse, f"tuic://{USER}:SECRET@t.test:0"),
    ],
)
def test_links_that_are_none_are_told_without_quoting_them(parse, link):
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse(link)
    assert "SECRET" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_a_link_or_an_error(text):
    for parse in (hysteria2.parse, tuic.parse):
        for link in (text, f"hy2://{text}", f"hy2://pw@h.test:443?{text}"):
            with contextlib.suppress(ValueError):
                assert parse(link).host


def test_settings_that_cannot_be_meant_are_told():
    with pytest.raises(UserError):
        play(begin(hysteria2.SPEC, obfs="rot13"), [])
    with pytest.raises(UserError):
        play(tuic.SPEC.start(Ask(entropy=fixed_entropy(), secrets={"uuid": b"me"})), [])


@settings(max_examples=40)
@given(st.sampled_from([hysteria2.SPEC, tuic.SPEC]), GARBAGE, st.booleans())
def test_any_datagrams_are_borne(spec, answers, veiled):
    played = survive(lambda: begin(spec, **({"obfs": "salamander"} if veiled else {})), answers)
    assert played is None or not played.reached


def test_floods_and_cuts_of_real_packets_are_borne():
    ours = play(begin(tuic.SPEC), []).sent[0].data
    versions = play(quic_hello.SPEC.start(Ask(entropy=fixed_entropy())), []).sent[0].data
    for data in (*LARGE, ours, versions, *(ours[:length] for length in range(1, 60))):
        survive(lambda: begin(tuic.SPEC), [data] * 3)
    survive(lambda: begin(hysteria2.SPEC), [LARGE[0]] * 2000)


# With a server that is played.


@pytest.fixture(scope="module")
def authority():
    authority = Authority()
    authority.roots = authority.ca.cert_pem.bytes().decode()
    return authority


def talk(authority, react, spec: DialogueSpec = hysteria2.SPEC, **params: str):
    ticks = iter(range(10**9))
    ask = Ask(
        entropy=fixed_entropy(),
        params={"sni": NAME, "relay": "192.0.2.9:7", "payload": "echo"} | params,
        secrets={"password": b"right", "uuid": USER.encode()},
        host=NAME,
        address="192.0.2.1",
        port=443,
        roots=authority.roots,
        elapsed_s=lambda: next(ticks) * 0.001,
        deepest=Depth.DATA,
    )
    server = QuicServer(authority, react)
    return play(spec.start(ask), server.serve), server


def echo_on(stream: int, reply: bytes = b""):
    """Answer the request on a stream with this and the errand at its end, and echo all that comes after."""
    begun = False

    def react(connection, event) -> None:
        nonlocal begun
        if isinstance(event, StreamDataReceived) and event.stream_id == stream:
            connection.send_stream_data(stream, event.data if begun else reply + event.data[-64:])
            begun = True

    return react


def echo_of_hysteria(status: bytes = b"233", reply: bytes = b"\x00\x00\x00"):
    """Log in with this status, then relay to an echo service behind this reply."""
    http: list[H3Connection] = []
    echo = echo_on(4, reply)

    def react(connection, event) -> None:
        if not http:
            http.append(H3Connection(connection))
        if isinstance(event, StreamDataReceived) and event.stream_id == 4:
            echo(connection, event)
            return
        for told in http[0].handle_event(event):
            if isinstance(told, HeadersReceived):
                http[0].send_headers(
                    told.stream_id, [(b":status", status), (b"hysteria-udp", b"true")], end_stream=True
                )

    return react


def test_hysteria_relays_through_a_played_server(authority):
    played, server = talk(authority, echo_of_hysteria())
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    assert played.reply.answer == "echo"
    server.serve(played.sent)
    assert server.was_told_farewell


def test_what_a_server_of_hysteria_refuses_is_its_word(authority):
    with pytest.raises(Refused, match="status 404"):
        talk(authority, echo_of_hysteria(b"404"))
    with pytest.raises(Refused, match="no route"):
        talk(authority, echo_of_hysteria(reply=b"\x01\x08no route\x00"))
    with pytest.raises(ProtocolError, match="no reply of Hysteria"):
        talk(authority, echo_of_hysteria(reply=b"\x09"))

    def hang_up(connection, event) -> None:
        if isinstance(event, StreamDataReceived):
            connection.close(error_code=0x10, reason_phrase="go away")

    for spec in (hysteria2.SPEC, tuic.SPEC):
        with pytest.raises(Refused, match="0x10 go away"):
            talk(authority, hang_up, spec)


def test_a_server_that_speaks_no_http_at_the_login_is_nonsense(authority):
    def babble(connection, event) -> None:
        if isinstance(event, StreamDataReceived) and event.stream_id == 0:
            connection.send_stream_data(0, b"\x00\x04\xff\xff\xff\xff" * 4)

    with pytest.raises(ProtocolError):
        talk(authority, babble)


def test_a_server_that_says_nothing_after_the_handshake_is_silent(authority):
    played, _ = talk(authority, lambda *_: None, tuic.SPEC)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert played.reply is None


def test_streams_that_end_early_are_the_proxys_refusal(authority):
    def end(connection, event) -> None:
        if isinstance(event, StreamDataReceived) and event.stream_id == 0:
            connection.send_stream_data(0, b"", end_stream=True)

    with pytest.raises(Refused, match="stream is closed"):
        talk(authority, end, tuic.SPEC)
