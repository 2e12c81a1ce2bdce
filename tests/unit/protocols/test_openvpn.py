"""OpenVPN against a server of a few lines: login, data, files, streams cut anywhere, any bytes."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused, Send
from probe.protocols.openvpn import SPEC
from probe.protocols.openvpn.config import parse_config
from probe.protocols.openvpn.data import EXIT, PING
from probe.protocols.openvpn.login import make_material, parse_login_reply, parse_push, read_login
from probe.protocols.openvpn.prf import expand
from tests.dialogues import Played, fixed_entropy, play
from tests.dialogues.hardship import GARBAGE, LARGE, play_stream, survive
from tests.dialogues.openvpn_server import PUSH, Pki, Server

FULL = [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


def begin(pki: Pki, *, proto: str = "tcp", deepest: Depth = Depth.DATA, login: bytes = b"", **secrets: bytes):
    keys = {"ca": pki.ca, "cert": pki.client[0], "cert_key": pki.client[1]} | secrets
    if login:
        keys = {"ca": pki.ca, "login": login}
    return SPEC.start(
        Ask(
            entropy=fixed_entropy(), params={"proto": proto}, secrets=keys, wall_s=1.79e9, deepest=deepest,
            elapsed_s=time.monotonic,
        )
    )  # fmt: skip


def talk(pki: Pki, server: Server, **given) -> Played:
    return play_stream(begin(pki, **given), server.serve)


def test_a_login_an_echo_and_a_farewell(pki):
    server = Server(pki)
    played = talk(pki, server)
    assert played.reached == FULL
    assert played.reply.inner == "echo reply"
    server.serve(played.sent[-1].data)
    assert [inner for inner in server.inner if inner in (PING, EXIT)] == [PING, EXIT]


def test_a_volume_goes_through(pki):
    played = talk(pki, Server(pki), deepest=Depth.VOLUME)
    assert played.reached == [*FULL, Depth.VOLUME]
    assert played.reply.carried_bytes >= 65536


def test_silence_in_the_tunnel_counts_only_where_the_server_owes_a_ping(pki):
    owing = talk(pki, Server(pki, echoes=False))
    assert (owing.reached, owing.reply) == (FULL[:3], None)
    for push in (PUSH.replace("ping 10,", ""), PUSH.replace("ping 10", "ping 60")):
        played = talk(pki, Server(pki, echoes=False, pushes=(push + ",cipher AES-256-GCM",)))
        assert played.reached == FULL[:3]
        assert played.reply is not None


def test_over_udp_lost_packets_are_sent_again(pki):
    server, lost = Server(pki), [False, False, True]
    waiting: list[bytes] = []
    heard = 0

    def serve(sent: list[Send]) -> bytes | None:
        nonlocal heard
        for one in sent[heard:]:
            if lost and one.data[0] >> 3 == 4 and lost.pop(0):
                continue
            waiting.extend(server.take(one.data))
        heard = len(sent)
        return waiting.pop(0) if waiting else None

    assert play(begin(pki, proto="udp"), serve).reached == FULL


def test_a_password_is_said_once_and_inside_tls(pki):
    server = Server(pki)
    played = talk(pki, server, login=b"me\nhidden word\n")
    assert played.reached == FULL
    assert b"\0\x03me\0\0\x0chidden word\0" in server.said[0]
    assert not any(b"hidden" in sent.data for sent in played.sent)


def test_a_refusal_is_the_servers_word(pki):
    with pytest.raises(Refused, match="AUTH_FAILED,no such user"):
        talk(pki, Server(pki, pushes=("AUTH_FAILED,no such user",)), login=b"me\nwrong\n")


@pytest.mark.parametrize("said", ["AUTH_FAILED,CRV1:R,E:c3Rh:bWU=:Code?", "AUTH_PENDING,timeout 60", "INFO,OPEN_URL:x"])
def test_who_asks_for_a_second_factor_refuses_nobody(pki, said):
    with pytest.raises(UserError, match="second factor"):
        talk(pki, Server(pki, pushes=(said,)), login=b"me\nright\n")


def test_settings_are_asked_for_again_while_the_server_makes_up_its_mind(pki):
    server = Server(pki, pushes=())
    played = talk(pki, server, login=b"me\nright\n")
    assert (played.reached, played.reply) == (FULL[:2], None)
    assert server.said[1:] == [b"PUSH_REQUEST\0"] * 4

    def change_its_mind(data: bytes) -> bytes:
        server.pushes = (PUSH + ",cipher AES-256-GCM",) if len(server.said) > 2 else ()
        return server.serve(data)

    server = Server(pki, pushes=())
    assert play_stream(begin(pki, login=b"me\nright\n"), change_its_mind).reached == FULL


def test_settings_may_come_in_parts(pki):
    parts = ("PUSH_REPLY,route 10.0.0.0,push-continuation 2", PUSH + ",cipher AES-256-GCM,push-continuation 1")
    assert talk(pki, Server(pki, pushes=parts)).reached == FULL


def test_a_server_that_is_taken_acks_us_which_is_a_hello_and_no_more(pki):
    ask = Ask(entropy=fixed_entropy(), params={"proto": "udp"})
    session = play(SPEC.start(ask), []).sent[0].data[1:9]
    acked = bytes((5 << 3,)) + b"SERVERID" + b"\x01" + bytes(4) + session

    def greeted(answer: bytes, **secrets: bytes) -> Played:
        again = Ask(entropy=fixed_entropy(), params={"proto": "udp"}, secrets=secrets, deepest=Depth.PROOF)
        return play(SPEC.start(again), [answer])

    assert greeted(acked).reached == [Depth.HELLO]
    assert (greeted(acked, ca=pki.ca).reached, greeted(acked, ca=pki.ca).reply) == ([], None)
    with pytest.raises(ProtocolError, match="another session"):
        greeted(acked[:-1] + b"?")


def test_depth_is_kept_to(pki):
    for depth, reached in ((Depth.HELLO, 1), (Depth.PROOF, 2), (Depth.AUTH, 3)):
        server = Server(pki)
        assert len(talk(pki, server, deepest=depth).reached) == reached
        assert bool(server.said) == (depth is Depth.AUTH)


def test_a_certificate_alone_proves_nothing_before_its_key_has_signed(pki):
    def talk_until(end: int | None) -> Played:
        server = Server(pki)
        server.piece_bytes = 40
        return play_stream(begin(pki, deepest=Depth.PROOF), server.serve, end_after=end)

    whole = talk_until(None)
    received = sum(len(data) for ours, data in whole.flow if not ours)
    assert whole.reached == FULL[:2]
    for end in range(100, received - 80, 20):  # signatures differ by some bytes in length, so packets do
        assert talk_until(end).reached == FULL[:1], end


def test_a_pinned_certificate_takes_the_place_of_a_ca(pki):
    def pinned(pin: str):
        params = {"proto": "tcp", "peer_fingerprint": f"{'0' * 64},{pin}"}
        secrets = {"cert": pki.client[0], "cert_key": pki.client[1]}
        return SPEC.start(Ask(entropy=fixed_entropy(), params=params, secrets=secrets, deepest=Depth.DATA))

    server = Server(pki)
    assert play_stream(pinned(pki.fingerprint), server.serve).reached == FULL[:2]
    assert server.said == [], "nothing of ours is shown to whom only a pin has proven"
    with pytest.raises(OSError, match="none of those"):
        play_stream(pinned("1" * 64), Server(pki).serve)


def test_files_name_fingerprints_in_a_line_or_a_block():
    pin = ":".join(["AB"] * 32)
    text = (
        f"client\nremote vpn.test\n<peer-fingerprint>\n# ours\n{pin}\n\n</peer-fingerprint>\npeer-fingerprint {pin}\n"
    )
    assert parse_config(text)[0].params["peer_fingerprint"] == f"{'ab' * 32},{'ab' * 32}"
    with pytest.raises(ValueError, match="no SHA-256"):
        parse_config("client\nremote vpn.test\npeer-fingerprint 00:11\n")


def test_who_has_neither_certificate_nor_password_stops_at_the_proof(pki):
    ask = Ask(entropy=fixed_entropy(), params={"proto": "tcp"}, secrets={"ca": pki.ca}, deepest=Depth.DATA)
    assert play_stream(SPEC.start(ask), Server(pki).serve).reached == FULL[:2]


def test_keys_that_cannot_be_used_are_told_without_quoting_them(pki):
    with pytest.raises(UserError) as caught:
        play_stream(begin(pki, cert=b"SECRET", cert_key=b"SECRET"), Server(pki).serve)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(UserError):
        play_stream(begin(pki, login=b"only a name"), Server(pki).serve)
    for params, secrets in (({"wrap": "tls-crypt"}, {"key": b"SECRET"}), ({"wrap": "tls-auth"}, {})):
        with pytest.raises(UserError):
            play(SPEC.start(Ask(entropy=fixed_entropy(), params=params, secrets=secrets)), [])


def test_a_stream_may_be_cut_anywhere(pki):
    assert play_stream(begin(pki), Server(pki).serve, chunk_bytes=1).reached == FULL
    assert play_stream(begin(pki), Server(pki).serve, chunk_bytes=7).reached == FULL
    for length in (*range(60), *range(60, 4000, 131)):
        with contextlib.suppress(ProtocolError, Refused):
            cut = play_stream(begin(pki), Server(pki).serve, end_after=length)
            assert cut.reached == FULL[: len(cut.reached)]


@given(GARBAGE, st.sampled_from(["udp", "tcp"]))
def test_any_bytes_are_borne(answers, proto):
    ask = Ask(entropy=fixed_entropy(), params={"proto": proto}, deepest=Depth.DATA)
    played = survive(lambda: SPEC.start(ask), answers)
    assert played is None or not played.reached


@given(GARBAGE, st.sampled_from(["tls-auth", "tls-crypt"]))
def test_any_bytes_are_borne_under_a_wrapping(answers, wrap):
    key = "-----BEGIN OpenVPN Static key V1-----\n" + "5a" * 256 + "\n-----END OpenVPN Static key V1-----\n"
    ask = Ask(entropy=fixed_entropy(), params={"wrap": wrap}, secrets={"key": key.encode()})
    played = survive(lambda: SPEC.start(ask), answers)
    assert played is None or not played.reached


@given(st.text(max_size=200))
def test_any_file_is_read_or_refused(content):
    for whole in (content, f"client\nremote vpn.test 1194\n{content}"):
        with contextlib.suppress(ValueError):
            assert parse_config(whole)


def test_floods_are_borne(pki):
    for data in LARGE:
        for proto in ("udp", "tcp"):
            survive(lambda proto=proto: begin(pki, proto=proto), [data] * 20)


@given(st.text(max_size=120))
def test_any_push_is_read(text):
    assert parse_push("PUSH_REPLY," + text).cipher is not None


@given(st.binary(max_size=120))
def test_any_login_reply_is_read_or_refused(data):
    material = make_material(bytes(112))
    for whole in (data, b"\0\0\0\0\2" + data):
        with contextlib.suppress(ProtocolError):
            assert len(parse_login_reply(whole, material).theirs[1]) == 32


def test_the_gateway_of_a_point_to_point_link_is_its_far_end():
    assert parse_push("PUSH_REPLY,ifconfig 10.8.0.6 10.8.0.5").gateway == "10.8.0.5"
    assert parse_push("PUSH_REPLY,ifconfig 10.8.0.6 255.255.255.0").gateway == ""
    assert parse_push("PUSH_REPLY,route-gateway dhcp,peer-id x").peer_id is None


def test_a_login_has_two_lines():
    assert read_login(b"me\r\npass word\r\n") == ("me", "pass word")
    with pytest.raises(ValueError, match="two lines"):
        read_login(b"me")


def test_the_prf_is_that_of_tls_1_0():
    # A vector that went round among implementers of TLS 1.0: secret 48 x 0xab, label "PRF Testvector", seed 64 x 0xcd.
    found = expand(b"\xab" * 48, b"PRF Testvector" + b"\xcd" * 64, 104)
    assert found.hex().startswith("d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754")
