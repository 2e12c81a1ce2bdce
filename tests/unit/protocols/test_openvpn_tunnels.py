"""OpenVPN's tunnel in every making that is spoken here, and what is said where one is not."""

import base64
import dataclasses
import struct
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from hypothesis import given
from hypothesis import strategies as st

from probe.model.depth import Depth
from probe.model.errors import ProtocolError, UserError
from probe.protocols.dialogue import Ask, Lapsed
from probe.protocols.openvpn import SPEC
from probe.protocols.openvpn.config import parse_config
from probe.protocols.openvpn.data import is_spoken, open_channel
from probe.protocols.openvpn.framing import Framing, choose_framing
from probe.protocols.openvpn.identity import unpack_identity
from probe.protocols.openvpn.keys import StaticKey
from probe.protocols.openvpn.limits import NOT_SPOKEN, Part
from tests.dialogues import Played, fixed_entropy, play
from tests.dialogues.hardship import play_stream
from tests.dialogues.openvpn_server import PUSH, Pki, Server

FULL = [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
FORWARD = StaticKey(material=bytes(range(256)))
BACKWARD = StaticKey(material=FORWARD.material[128:] + FORWARD.material[:128])
CIPHERS = ["AES-256-GCM", "CHACHA20-POLY1305", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "BF-CBC", "DES-EDE3-CBC"]


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


def ask_of(pki: Pki, options: str = "", deepest: Depth = Depth.VOLUME, **secrets: bytes) -> Ask:
    """Return what the file of these options asks."""
    params = dict(parse_config(f"client\nremote vpn.test 1194 tcp\n{options}")[0].params)
    keys = {"ca": pki.ca, "cert": pki.client[0], "cert_key": pki.client[1]} | secrets
    return Ask(entropy=fixed_entropy(), params=params, secrets=keys, wall_s=1.79e9, deepest=deepest)


def talk(pki: Pki, server: Server, options: str = "", **given) -> Played:
    return play_stream(SPEC.start(ask_of(pki, options, **given)), server.serve)


def push(more: str) -> tuple[str, ...]:
    return (f"{PUSH}{more}",)


@pytest.mark.parametrize("cipher", CIPHERS)
@given(payload=st.binary(max_size=100), digest=st.sampled_from(["md5", "sha1", "sha512"]), flip=st.integers(0, 400))
def test_what_is_sealed_opens_at_the_other_end_alone_and_unharmed(cipher, payload, digest, flip):
    for peer_id in (None, 7):
        ours, theirs = (open_channel(cipher, digest, key, peer_id, fixed_entropy()) for key in (FORWARD, BACKWARD))
        packet = ours.seal(payload)
        assert theirs.open(packet) == payload
        assert ours.seal(payload) != packet
        at = 4 + flip % (len(packet) - 4)
        with pytest.raises(ProtocolError, match="do not open"):
            theirs.open(packet[:at] + bytes((packet[at] ^ 1,)) + packet[at + 1 :])
        with pytest.raises(ProtocolError, match="do not open"):
            ours.open(packet)


@pytest.mark.parametrize("cipher", CIPHERS)
@given(data=st.binary(max_size=120))
def test_any_packet_is_refused_that_was_not_made_with_the_keys(cipher, data):
    channel = open_channel(cipher, "sha256", FORWARD, 7, bytes)
    for packet in (data, struct.pack("!I", 9 << 27 | 7) + data):
        with pytest.raises(ProtocolError):
            channel.open(packet)


def test_a_packet_of_cbc_is_laid_out_as_old_servers_have_it():
    packet = open_channel("AES-128-CBC", "sha1", FORWARD, None, lambda size: b"v" * size).seal(b"inside")
    assert packet[0] == 6 << 3
    assert packet[21:37] == b"v" * 16
    assert len(packet) == 1 + 20 + 16 + 16  # head, HMAC, IV, one block: packet id, payload, padding


@given(payload=st.binary(max_size=60), framing=st.sampled_from(list(Framing)))
def test_what_is_framed_comes_out_of_its_frame(payload, framing):
    if payload or framing is not Framing.SWAP:
        assert framing.unwrap(framing.wrap(payload)) == payload
    framing.unwrap(payload)


def test_frames_are_those_of_the_settings():
    assert Framing.HEAD.wrap(b"EF") == b"\xfaEF"
    assert Framing.SWAP.wrap(b"EFG") == b"\xfbFGE"
    assert Framing.V2.wrap(b"EF") == b"EF"
    assert Framing.V2.wrap(b"\x50F") == b"\x50\x00\x50F"
    assert Framing.HEAD.unwrap(b"\x66squeezed") is None
    assert Framing.SWAP.unwrap(b"\x69squeezed") is None
    assert Framing.V2.unwrap(b"\x50\x01squeezed") is None
    assert [choose_framing("comp-lzo", value) for value in ("", "no", "yes", "adaptive")] == [Framing.HEAD] * 4
    assert choose_framing("compress", "") is choose_framing("compress", "lz4") is Framing.SWAP
    assert choose_framing("compress", "lz4-v2") is Framing.V2
    assert choose_framing("compress", "snappy") is None


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("cipher", ["AES-256-GCM", "AES-256-CBC"])
def test_a_volume_goes_through_the_tunnel_that_the_file_describes(pki, cipher, framing):
    said = {
        Framing.NONE: "",
        Framing.HEAD: "comp-lzo no\n",
        Framing.SWAP: "compress\n",
        Framing.V2: "compress stub-v2\n",
    }
    server = Server(pki, cipher=cipher, digest="sha256", framing=framing, pushes=push(f",cipher {cipher}"))
    played = talk(pki, server, f"cipher {cipher}\nauth SHA256\n{said[framing]}")
    assert played.reached == [*FULL, Depth.VOLUME]
    assert (f":{cipher}\n" in server.said[0].decode("latin-1")) == (cipher == "AES-256-CBC")
    assert (b",comp-lzo," in server.said[0]) == bool(framing)


def test_the_servers_framing_counts_before_the_files(pki):
    server = Server(pki, framing=Framing.V2, pushes=push(",cipher AES-256-GCM,compress lz4-v2"))
    assert talk(pki, server, "comp-lzo\n").reached == [*FULL, Depth.VOLUME]


def test_a_server_that_pushes_no_cipher_is_spoken_to_in_the_files(pki):
    server = Server(pki, cipher="BF-CBC", pushes=push(""))
    assert talk(pki, server, "cipher BF-CBC\n").reached == [*FULL, Depth.VOLUME]
    played = talk(
        pki, Server(pki, cipher="AES-128-CBC", pushes=push("")), "cipher BF-CBC\ndata-ciphers-fallback aes-128-cbc\n"
    )
    assert played.reached[-1] is Depth.VOLUME


def test_packets_of_the_next_keys_are_passed_over(pki):
    server, waiting = Server(pki), []
    heard = 0

    def serve(sent) -> bytes | None:
        nonlocal heard
        for one in sent[heard:]:
            if server.tunnel is not None and one.data[0] >> 3 == 9:
                waiting.append(bytes((3 << 3 | 1,)) + b"SERVERID" + bytes(5))
                waiting.append(bytes((9 << 3 | 1, 0, 0, 5)) + bytes(40))
            waiting.extend(server.take(one.data))
        heard = len(sent)
        return waiting.pop(0) if waiting else None

    asked = ask_of(pki)
    asked = Ask(entropy=fixed_entropy(), params={"proto": "udp"}, secrets=asked.secrets, deepest=Depth.VOLUME)
    assert play(SPEC.start(asked), serve).reached == [*FULL, Depth.VOLUME]


def test_an_ethernet_tunnel_is_proven_by_the_servers_ping(pki):
    from probe.protocols.openvpn.data import PING

    server = Server(pki, echoes=False)
    serve: Callable[[bytes], bytes] = server.serve

    def ping_too(data: bytes) -> bytes:
        answer = serve(data)
        if server.inner and not answer:
            packet = server.tunnel.seal(PING)
            return struct.pack("!H", len(packet)) + packet
        return answer

    played = play_stream(SPEC.start(ask_of(pki, "dev tap0\n", deepest=Depth.DATA)), ping_too)
    assert played.reached == FULL
    assert played.reply.inner == "ping"
    assert all(len(inner) < 20 for inner in server.inner), "no IP packet goes where Ethernet is spoken"


@pytest.mark.parametrize(
    ("options", "more", "says"),
    [
        ("", ",cipher BF-OFB", "cipher BF-OFB is not supported"),
        ("", "", "which nobody names"),
        ("cipher AES-256-CBC\nauth WHIRLPOOL\n", ",cipher AES-256-CBC", "cipher AES-256-CBC"),
        ("", ",cipher AES-256-GCM,compress snappy", "compress snappy is not supported"),
        ("fragment 500\n", ",cipher AES-256-GCM", "fragment is not supported"),
        ("compress snappy\n", ",cipher AES-256-GCM", "compress is not supported"),
    ],
)
def test_a_tunnel_that_is_not_spoken_here_is_said_and_not_held_against_the_server(pki, options, more, says):
    with pytest.raises(UserError, match=says):
        talk(pki, Server(pki, pushes=push(more)), options, deepest=Depth.DATA)
    played = talk(pki, Server(pki, pushes=push(more)), options, deepest=Depth.AUTH)
    assert played.reached == FULL[:3]
    assert played.reply is not None


@pytest.mark.parametrize("option", NOT_SPOKEN)
def test_an_option_that_is_not_spoken_here_ends_where_it_begins_to_matter(pki, option):
    line = f"{option} value 1\n"
    last = {Part.HELLO: Depth.NONE, Part.LOGIN: Depth.PROOF}[NOT_SPOKEN[option]]
    if NOT_SPOKEN[option] is Part.LOGIN:
        assert talk(pki, Server(pki), line, deepest=Depth.PROOF).depth is last
    server = Server(pki)
    with pytest.raises(UserError, match=f"{option} is not supported"):
        talk(pki, server, line, deepest=Depth.AUTH)
    assert server.said == []
    assert bool(server.client) == (last is Depth.PROOF)
    assert talk(pki, Server(pki), f"{option}-retry\n", deepest=Depth.DATA).reached == FULL  # another option


def test_a_certificate_is_not_shown_where_the_password_is_missing_that_belongs_to_it(pki):
    server = Server(pki)
    options = "cert client.crt\nkey client.key\nauth-user-pass\nauth-nocache\n"
    with pytest.raises(UserError, match="password that the file asks for"):
        talk(pki, server, options, deepest=Depth.DATA)
    assert server.said == []
    assert talk(pki, Server(pki), options, deepest=Depth.DATA, login=b"me\nright\n").reached == FULL
    assert talk(pki, Server(pki), options, deepest=Depth.PROOF).reached == FULL[:2]


@pytest.mark.parametrize("after", ["our certificate", "our login"])
def test_silence_where_our_certificate_was_shown_is_put_down_to_it_if_it_is_over(pki, after):
    ask = ask_of(pki, deepest=Depth.DATA)
    late = dataclasses.replace(ask, wall_s=4e10)

    def serve_until(server: Server) -> Callable[[bytes], bytes]:
        def serve(data: bytes) -> bytes:
            answer = server.serve(data)
            return b"" if (server.done if after == "our certificate" else server.said) else answer

        return serve

    assert play_stream(SPEC.start(ask), serve_until(Server(pki))).reply is None, "ours is good: it is silence, no more"
    with pytest.raises(Lapsed, match=r"was good until \d{4}-\d\d-\d\d"):
        play_stream(SPEC.start(late), serve_until(Server(pki)))
    assert play_stream(SPEC.start(late), lambda _: b"").reply is None, "nothing of ours was shown"
    shallow = dataclasses.replace(late, deepest=Depth.PROOF)
    assert play_stream(SPEC.start(shallow), Server(pki).serve).depth is Depth.PROOF


def test_files_say_what_the_tunnel_is_made_of():
    def read(options: str) -> dict[str, str]:
        return dict(parse_config(f"client\nremote vpn.test\n{options}")[0].params)

    usual = {"proto": "udp", "wrap": "none"}
    assert read("dev tun\nauth SHA256\nauth-nocache\ncomp-noadapt\ncipher AES-256-GCM\n") == usual | {
        "cipher": "AES-256-GCM"
    }
    assert read("data-ciphers AES-256-GCM:AES-256-CBC\nauth SHA256\n") == usual | {
        "ciphers": "AES-256-CBC",
        "auth": "sha256",
    }
    assert read("dev tap\ncompress lz4-v2\nfragment 1300\n") == usual | {
        "dev": "tap",
        "compress": "v2",
        "fragment": "1",
    }
    assert read("<secret>\n0011\n</secret>\n") == usual | {"no_hello": "secret"}
    assert read("auth-user-pass\n") == usual, "without a certificate nobody logs in before the password is there"


def test_what_one_connection_asks_for_is_not_held_against_the_others():
    ways = "<connection>\nremote a.test\nhttp-proxy 10.0.0.1 8080\n</connection>\n"
    ways += "<connection>\nremote b.test\n</connection>\n"
    first, second = parse_config(f"client\n{ways}")
    assert first.params[Part.HELLO] == "http-proxy"
    assert Part.HELLO not in second.params


def pack_identity(pki: Pki, passphrase: bytes = b"") -> bytes:
    certificate = x509.load_pem_x509_certificate(pki.client[0])
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    authorities = x509.load_pem_x509_certificates(pki.ca)
    return serialize_key_and_certificates(
        None, load_pem_private_key(pki.client[1], None), certificate, authorities, how
    )


def test_a_file_may_keep_its_identity_in_one_bundle(pki):
    bundle = pack_identity(pki)
    for data in (bundle, base64.encodebytes(bundle)):
        ask = Ask(entropy=fixed_entropy(), params={"proto": "tcp"}, secrets={"pkcs12": data}, deepest=Depth.DATA)
        assert play_stream(SPEC.start(ask), Server(pki).serve).reached == FULL
    parsed = parse_config("client\nremote vpn.test\npkcs12 me.p12\nauth-user-pass\n")[0]
    assert parsed.files == {"pkcs12": "me.p12"}
    assert parsed.params["asks"] == "password"


@pytest.mark.parametrize("bad", ["locked", "none"])
def test_a_bundle_that_cannot_be_opened_is_said_where_a_login_is_wanted(pki, bad):
    data = pack_identity(pki, b"passphrase") if bad == "locked" else b"SECRET"
    for deepest, says in ((Depth.PROOF, ""), (Depth.DATA, "PKCS #12 with a passphrase")):
        secrets = {"pkcs12": data, "ca": pki.ca}
        ask = Ask(entropy=fixed_entropy(), params={"proto": "tcp"}, secrets=secrets, deepest=deepest)
        if not says:
            assert play_stream(SPEC.start(ask), Server(pki).serve).reached == FULL[:2]
            continue
        with pytest.raises(UserError, match=says):
            play_stream(SPEC.start(ask), Server(pki).serve)


@given(st.binary(max_size=200))
def test_any_bundle_is_opened_or_left_alone(data):
    assert unpack_identity({"pkcs12": data}) == {"pkcs12": data}


def test_spoken_is_what_both_parts_allow():
    assert is_spoken("AES-256-GCM", "whirlpool")
    assert is_spoken("AES-256-CBC", "sha1")
    assert not is_spoken("AES-256-CBC", "none")
    assert not is_spoken("AES-256-CFB", "sha1")
