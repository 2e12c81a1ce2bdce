"""The gateways of offices against answers as their servers give them, other web servers, and any bytes."""

import contextlib
import struct
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols import pptp
from probe.protocols.dialogue import Ask, Refused, Tcp, Tls
from probe.protocols.gateways import anyconnect, fortigate, global_protect, softether, sstp
from probe.protocols.gateways.config_auth import build_reply, parse_question
from probe.protocols.gateways.softether import parse_pack
from probe.protocols.gateways.sstp import Control, build_control, split_control
from probe.protocols.gateways.tls_gateway import parse_xml, read_pin
from tests.dialogues import fixed_entropy
from tests.dialogues.hardship import GARBAGE, bear_a_stream, play_stream, serve_in_turn, survive, watch


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def form(*fields: str, message: str = "Who?", error: str = "", more: str = "") -> bytes:
    inputs = "".join(fields)
    return http(
        f'<?xml version="1.0" encoding="UTF-8"?><config-auth client="vpn" type="auth-request">'
        f'<version who="sg">9.1</version>{more}<auth id="main"><message>{message}</message>'
        f'{f"<error>{error}</error>" if error else ""}<form method="post" action="/login">{inputs}</form></auth>'
        f"</config-auth>".encode(),
        "Set-Cookie: webvpncontext=abc; Secure",
    )


USERNAME = '<input type="text" name="username"/>'
PASSWORD = '<input type="password" name="password"/>'
DONE = http(
    b'<config-auth type="complete"><auth id="success"/></config-auth>', "Set-Cookie: webvpn=k3y; Secure", "X-A: b"
)
TUNNEL = b"HTTP/1.1 200 CONNECTED\r\nX-CSTP-Address: 10.0.0.2\r\n\r\n"
DPD = b"STF\x01\0\0\x04\0"
SSTP_OPEN = b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\nServer: Microsoft-HTTPAPI/2.0\r\n\r\n"
SSTP_ACK = build_control(Control(kind=2, attributes=((4, b"\0\0\0\3" + bytes(32)),)))


def build_pack(elements: dict[str, int | bytes]) -> bytes:
    """Return a PACK with one value for each name, as SoftEther writes it: a number, data of 20 bytes, or a text."""
    pack = struct.pack("!I", len(elements))
    for name, value in elements.items():
        pack += struct.pack("!I", len(name) + 1) + name.encode()
        if isinstance(value, int):
            pack += struct.pack("!III", 0, 1, value)
        else:
            pack += struct.pack("!III", 1 if len(value) == 20 else 2, 1, len(value)) + value
    return pack


PACK = http(build_pack({"hello": b"SoftEther VPN Server", "version": 444, "build": 9807, "random": bytes(20)}))
PRELOGIN = http(
    b"<?xml version='1.0' encoding='UTF-8'?><prelogin-response><status>Success</status><msg></msg>"
    b"<authentication-message>Enter login credentials</authentication-message><password-label>Password</password-label>"
    b"<region>NL</region></prelogin-response>"
)
INFO = http(b"<?xml version='1.0'?><info><api encmethod='0' salt='3f2f28d8' remoteauthtimeout='30'/></info>")
CLEARED = http(b"<html>", "Set-Cookie: SVPNCOOKIE=; path=/; expires=Sun, 11 Mar 1984 12:00:00 GMT", status="200 OK")
NOTHING = http(b"<html>not here", status="404 Not Found")
PPTP = struct.pack("!HHIHHHBBIIHH64s64s", 156, 1, 0x1A2B3C4D, 2, 0, 0x100, 1, 0, 3, 3, 1, 1, b"gate", b"linux")
CONVERSATIONS: dict[str, tuple[ModuleType, tuple[bytes, ...], list[Depth]]] = {
    "anyconnect form": (anyconnect, (form(USERNAME, PASSWORD),), [Depth.HELLO, Depth.PROOF]),
    "sstp": (sstp, (SSTP_OPEN, SSTP_ACK), [Depth.HELLO, Depth.PROOF]),
    "softether": (softether, (PACK,), [Depth.HELLO, Depth.PROOF]),
    "globalprotect": (global_protect, (PRELOGIN,), [Depth.HELLO, Depth.PROOF]),
    "globalprotect portal": (global_protect, (NOTHING, PRELOGIN), [Depth.HELLO, Depth.PROOF]),
    "fortigate": (fortigate, (INFO,), [Depth.HELLO, Depth.PROOF]),
    "fortigate page": (fortigate, (NOTHING, CLEARED), [Depth.HELLO, Depth.PROOF]),
    "pptp": (pptp, (PPTP,), [Depth.HELLO]),
}
IN_TLS = [module for module in dict.fromkeys(row[0] for row in CONVERSATIONS.values()) if module is not pptp]


def begin(module: ModuleType, deepest: Depth = Depth.DATA, **params: str):
    secrets = {"password": b"s3cr&t"} if "user" in params else {}
    return module.start(
        Ask(entropy=fixed_entropy(), params=params, secrets=secrets, host="vpn.test", port=443, deepest=deepest)
    )


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_gateway_is_known_however_its_answer_is_cut(name: str) -> None:
    module, answers, reached = CONVERSATIONS[name]
    assert play_stream(begin(module), serve_in_turn(*answers)).reached == reached
    bear_a_stream(lambda: begin(module), lambda: serve_in_turn(*answers))


@pytest.mark.parametrize("name", CONVERSATIONS)
@given(garbage=GARBAGE)
@settings(max_examples=25)
def test_garbage_reaches_nothing(name: str, garbage: list[bytes | None]) -> None:
    played = survive(lambda: begin(CONVERSATIONS[name][0]), garbage)
    assert played is None or not played.reached


@pytest.mark.parametrize("module", IN_TLS, ids=lambda module: module.SPEC.name)
def test_another_web_server_is_no_gateway(module: ModuleType) -> None:
    page = http(b"<html><body>Welcome</body></html>")
    for first in (NOTHING, page):
        with pytest.raises(ProtocolError):
            play_stream(begin(module), serve_in_turn(first, page))


@pytest.mark.parametrize("module", IN_TLS, ids=lambda module: module.SPEC.name)
def test_an_unchecked_certificate_proves_nobody(module: ModuleType) -> None:
    answers = next(row[1] for row in CONVERSATIONS.values() if row[0] is module)
    assert play_stream(begin(module, insecure="1"), serve_in_turn(*answers)).reached == [Depth.HELLO]
    for params, verify in (({"insecure": "1"}, False), ({"pin": "00" * 32}, False), ({}, True)):
        tcp, tls = module.SPEC.choose_stack(params)
        assert tcp == Tcp()
        assert isinstance(tls, Tls)
        assert (tls.alpn, tls.verify) == ((), verify)


# AnyConnect


def serve_login() -> Callable[[bytes], bytes]:
    return serve_in_turn(form(USERNAME), form(PASSWORD), DONE, TUNNEL, b"STF\x01\0\x02\x00\0ab" + DPD)


def test_a_login_in_two_forms_opens_the_tunnel() -> None:
    played = play_stream(begin(anyconnect, user="me"), serve_login())
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    opening, said = played.sent[3], b"".join(send.data for send in played.sent)
    assert b"Cookie: webvpncontext=abc; webvpn=k3y\r\n" in opening.data
    assert b"<username>me</username>" in said
    assert b"<password>s3cr&amp;t</password>" in said
    assert played.sent[-1].data[6] == 5  # the session is closed, not left


def test_a_login_may_be_cut_anywhere() -> None:
    bear_a_stream(lambda: begin(anyconnect, user="me"), serve_login)


def test_password_and_cookies_are_kept_out_of_the_transcript() -> None:
    for send in play_stream(begin(anyconnect, user="me"), serve_login()).sent:
        shown = bytearray(send.data)
        for start, end in send.secret_spans:
            shown[start:end] = bytes(end - start)
        assert b"s3cr" not in shown
        assert b"k3y" not in shown


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ((form(PASSWORD), form(PASSWORD, message="Login failed.")), "refuses the login: Login failed"),
        ((form(PASSWORD), form(error="Login denied.")), "refuses the login: Login denied"),
        ((form(PASSWORD), http(b"", status="401 Unauthorized")), "refuses the login: 401"),
        ((form(PASSWORD), DONE, b"HTTP/1.1 503 No\r\nX-Reason: full\r\n\r\n"), "opens no tunnel: 503 full"),
        ((form(PASSWORD), DONE, TUNNEL, b"STF\x01\0\x05\x05\0\xb0idle"), "ends the session: idle"),
    ],
)
def test_what_the_gateway_refuses_is_quoted_and_the_password_is_sent_once(
    answers: tuple[bytes, ...], says: str
) -> None:
    reached: list[Depth] = []
    heard: list[bytes] = []
    serve = serve_in_turn(*answers)

    def listen(sent: bytes) -> bytes:
        heard.append(sent)
        return serve(sent)

    with pytest.raises(Refused, match=says):
        play_stream(watch(begin(anyconnect, user="me"), reached), listen)
    assert reached[:2] == [Depth.HELLO, Depth.PROOF]
    assert b"".join(heard).count(b"s3cr") <= 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (form(PASSWORD, '<input type="text" name="otp"/>'), "asks for otp"),
        (form(message="Use the browser"), "asks for nothing that we have, and no login was tried .Use the browser"),
        (form(PASSWORD, more="<client-cert-request/>"), "asks for a certificate of ours"),
        (form(more="<sso-v2-login>https://idp.test</sso-v2-login>"), "single sign-on"),
        (http(b"", status="401 No certificate"), "asks for a certificate of ours"),
    ],
)
def test_what_a_login_wants_and_we_have_not_is_nobodys_refusal(answer: bytes, says: str) -> None:
    with pytest.raises(UserError, match=says):
        play_stream(begin(anyconnect, user="me"), serve_in_turn(answer))
    assert play_stream(begin(anyconnect, Depth.PROOF), serve_in_turn(answer)).reached == [Depth.HELLO, Depth.PROOF]


def test_a_certificate_alone_logs_in_where_nothing_else_is_asked() -> None:
    secrets = {"cert": b"PEM", "cert_key": b"PEM"}
    dialogue = anyconnect.start(Ask(entropy=fixed_entropy(), secrets=secrets, host="vpn.test", port=443))
    done = http(b'<config-auth type="complete"><auth id="success"/></config-auth>', "Set-Cookie: webvpn=k3y; Secure")
    assert play_stream(dialogue, serve_in_turn(done, TUNNEL + DPD)).depth is Depth.DATA
    assert anyconnect.SPEC.choose_stack({})[1].client_pair == ("cert", "cert_key")


def test_a_link_names_the_files_of_a_certificate() -> None:
    parsed = anyconnect.parse("anyconnect://vpn.test?cert=/home/me/me.pem&key=/home/me/me.key&sni=a.test")
    assert parsed.files == {"cert": "/home/me/me.pem", "cert_key": "/home/me/me.key"}
    assert parsed.params == {"sni": "a.test"}
    with pytest.raises(ValueError, match="without its cert"):
        anyconnect.parse("anyconnect://vpn.test?key=/home/me/me.key")


def test_without_leave_or_password_nobody_logs_in() -> None:
    for dialogue in (begin(anyconnect), begin(anyconnect, Depth.PROOF, user="me")):
        assert len(play_stream(dialogue, serve_login()).sent) == 1


def test_opaque_and_group_come_back_as_they_were() -> None:
    listed = '<select name="group_list"><option value="A">a</option><option>B</option></select>'
    body = form(USERNAME, listed, more="<opaque is-for='sg'><x>1</x></opaque>").partition(b"\r\n\r\n")[2]
    question = parse_question(body)
    reply = build_reply(question, {"username": "<me>", "group_list": "A"})
    assert b'<opaque is-for="sg"><x>1</x></opaque>' in reply
    assert b"<group-select>A</group-select>" in reply
    assert b"<username>&lt;me&gt;</username>" in reply


def test_xml_that_could_grow_is_refused_unread() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "cc">]><config-auth>&b;</config-auth>'
    for body in (bomb, b"<a>" * 20000, b"\xff\xfe<a/>", b""):
        with pytest.raises(ProtocolError):
            parse_xml(body)


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="<>/=\"' abconfig-authinputnme&;", max_size=200)))
def test_any_bytes_are_a_question_or_nonsense(data: bytes | str) -> None:
    with contextlib.suppress(ProtocolError):
        parse_question(data.encode() if isinstance(data, str) else data)


# SSTP, SoftEther, PPTP


def test_the_call_is_the_one_of_the_standard() -> None:
    # MS-SSTP section 2.2.9: the Call Connect Request, with PPP in it.
    played = play_stream(begin(sstp), serve_in_turn(SSTP_OPEN, SSTP_ACK))
    assert played.sent[1].data.hex() == "1001000e0001000100010006" + "0001"
    assert played.sent[2].data.hex() == "1001000800060000"
    assert played.reply == sstp.Call(server="Microsoft-HTTPAPI/2.0", hashes="SHA1 SHA256")


def test_a_call_that_is_not_taken_is_a_refusal() -> None:
    reached: list[Depth] = []
    with pytest.raises(Refused):
        play_stream(watch(begin(sstp), reached), serve_in_turn(SSTP_OPEN, build_control(Control(kind=3))))
    assert reached == [Depth.HELLO]


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_a_packet_or_nonsense(data: bytes, headed: bool) -> None:
    try:
        found = split_control(b"\x10\x01" + data if headed else data)
    except ProtocolError:
        return
    assert found is None or found[1] >= 8


@given(st.binary(max_size=120))
def test_any_bytes_are_a_pack_or_nonsense(data: bytes) -> None:
    for candidate in (data, b"\0\0\0\1\0\0\0\2a" + data):
        with contextlib.suppress(ProtocolError):
            assert isinstance(parse_pack(candidate), dict)


def test_a_pack_comes_back() -> None:
    assert parse_pack(build_pack({"a": 7, "bc": b"text"})) == {"a": (7,), "bc": (b"text",)}


def test_pptp_says_why_not() -> None:
    denied = bytearray(PPTP)
    denied[14] = 4
    with pytest.raises(Refused, match="not authorized"):
        play_stream(begin(pptp), serve_in_turn(bytes(denied)))


# Links


def test_links_choose_the_channel_and_hide_the_password() -> None:
    parsed = anyconnect.parse("anyconnect://me:secret@vpn.test?sni=other.test")
    assert (parsed.host, parsed.port, parsed.params) == ("vpn.test", 443, {"sni": "other.test", "user": "me"})
    assert parsed.secrets == {"password": "secret"}
    for module in (sstp, softether, global_protect, fortigate):
        scheme = module.SPEC.schemes[0]
        assert module.SPEC.parse(f"{scheme}://vpn.test:4443").port == 4443
        with pytest.raises(ValueError, match="no place"):
            module.SPEC.parse(f"{scheme}://me:secret@vpn.test")


def test_pins_are_read_in_both_spellings() -> None:
    assert read_pin("pin-sha256:" + "A" * 43 + "=") == "00" * 32
    assert read_pin("sha256:" + "Ff" * 32) == "ff" * 32
    for bad in ("", "pin-sha256:AAAA", "x" * 64, "ä"):
        with pytest.raises(ValueError, match="pin is written"):
            read_pin(bad)
