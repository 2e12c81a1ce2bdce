"""Debian's nDPI names our conversations as it names those of real clients: what a filter keys on is there.

Where it knows no name for the real protocol either (odd ports, encryption from the first byte) ours must have none.
"""

import base64
import re
import subprocess
from pathlib import Path

import pytest

from probe.model.verdict import Depth
from probe.protocols import dtls, l2tp, pptp, quic_hello, stun
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec
from probe.protocols.openvpn import SPEC as OPENVPN
from probe.protocols.openvpn.keys import parse_static_key
from probe.protocols.openvpn.wrapping import HARD_RESET_SERVER_V2, TlsAuth, TlsCrypt
from probe.protocols.proxies import hysteria2, shadowsocks, tuic, vless, vmess
from probe.protocols.tor import obfs4
from probe.protocols.tor import relay as tor
from probe.protocols.wireguard import SPEC as WIREGUARD
from tests.dialogues import fixed_entropy, play, wireguard_client
from tests.dialogues.hardship import play_stream, serve_in_turn
from tests.dialogues.openvpn_server import Pki, Server
from tests.dialogues.wireguard_server import Responder, public
from tests.peers.in_tls import wrap_in_tls
from tests.peers.pcap import Flow, write_pcap
from tests.peers.sealed import find_program
from tests.unit.protocols import (
    occasions,
    test_gateways,
    test_http_proxy,
    test_ike,
    test_shadowsocks,
    test_socks5,
    test_ssh,
    test_tls_proxies,
    test_tor,
    test_udp_hellos,
)
from tests.unit.protocols.occasions import find_occasions

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(find_program("ndpiReader") is None, reason="no ndpiReader (apt-get install libndpi-bin)"),
]
Messages = list[tuple[bool, bytes]]
CLIENT_KEY = (
    "-----BEGIN OpenVPN tls-crypt-v2 client key-----\n"
    + base64.b64encode(bytes(range(256)) + fixed_entropy()(299)).decode()
    + "\n-----END OpenVPN tls-crypt-v2 client key-----\n"
)
KEY = "-----BEGIN OpenVPN Static key V1-----\n" + "5a" * 256 + "\n-----END OpenVPN Static key V1-----\n"
RFC_UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
RFC_ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)
RFC_FRAME = bytes.fromhex("818537fa213d7f9f4d5158")
LINE = re.compile(r"(UDP|TCP) 10\.1\.0\.2:(\d+) <?->.*?\[proto: [\d.]+/([\w.]+)\]")
NAMED = {
    "wireguard": (51820, False, "WireGuard"),
    "wireguard on another port": (40443, False, "WireGuard"),
    "amnezia": (51821, False, "Unknown"),
    "openvpn on its port": (1194, False, "OpenVPN"),
    "openvpn on another port": (40444, False, "Unknown"),
    "openvpn over tcp": (1194, True, "OpenVPN"),
    "openvpn tls-auth": (40445, False, "OpenVPN"),
    "openvpn tls-crypt": (40446, False, "Unknown"),
    "ikev2": (500, False, "IPsec"),
    "ikev2 behind nat": (4500, False, "IPsec"),
    "ikev1": (500, False, "IPsec"),
    "stun": (3478, False, "STUN"),
    "dtls": (5349, False, "DTLS"),
    "quic versions": (443, False, "QUIC"),
    "tuic": (443, False, "QUIC"),
    "hysteria": (443, False, "QUIC"),
    "salamander": (40447, False, "Unknown"),
    "l2tp": (1701, False, "Unknown"),
    "pptp": (1723, True, "PPTP"),
    "ssh": (22, True, "SSH"),
    "socks": (1080, True, "SOCKS"),
    "http proxy": (8080, True, "HTTP_Connect"),
    "shadowsocks": (40448, True, "Unknown"),
    "obfs4": (40449, True, "Unknown"),
    "vless in the clear": (40450, True, "Unknown"),
    "vmess": (40451, True, "Unknown"),
    "openvpn tls-crypt-v2": (40452, False, "Unknown"),
    "shadowsocks 2022": (40453, True, "Unknown"),
    "anytls": (443, True, "TLS"),
    "anyconnect": (443, True, "TLS"),
    "tor": (9001, True, "TLS.Tor"),
    "websocket": (80, True, "HTTP"),
    "websocket of RFC 6455": (80, True, "HTTP"),
}
"""Port, whether it is TCP, and the name that nDPI 4.2 has for the real thing there."""


def record_wireguard(words: tuple[int, ...] = (1, 2, 3, 4), **shape: str) -> Messages:
    server = Responder(wireguard_client.SERVER, public(wireguard_client.CLIENT), words=words)
    skip = int(shape.get("s1", "0")), int(shape.get("s2", "0"))
    return play(
        WIREGUARD.start(wireguard_client.ask(**shape)),
        lambda sent: bytes(skip[1]) + server.answer(sent[-1].data[skip[0] :]),
    ).flow


def record_openvpn(pki: Pki, proto: str) -> Messages:
    server = Server(pki)
    ask = Ask(entropy=fixed_entropy(), params={"proto": proto}, secrets={"ca": pki.ca}, deepest=Depth.PROOF)
    if proto == "tcp":
        return play_stream(OPENVPN.start(ask), server.serve).flow
    waiting: list[bytes] = []

    def serve(sent) -> bytes | None:
        waiting.extend(server.take(sent[-1].data) if not waiting else [])
        return waiting.pop(0) if waiting else None

    return play(OPENVPN.start(ask), serve).flow


def record_wrapped_openvpn(wrap: str) -> Messages:
    def begin() -> Dialogue:
        ask = Ask(entropy=fixed_entropy(), params={"wrap": wrap}, secrets={"key": KEY.encode()}, wall_s=1.79e9)
        return OPENVPN.start(ask)

    key = parse_static_key(KEY)  # all of it the same byte, so both directions are one
    server = TlsAuth(key, None, "sha1", lambda: 1.79e9) if wrap == "tls-auth" else TlsCrypt(key, lambda: 1.79e9)
    session = play(begin(), []).sent[0].data[1:9]
    reply = server.seal(HARD_RESET_SERVER_V2, b"SERVERID", b"\x01" + bytes(4) + session + bytes(4))
    return play(begin(), [reply]).flow


def record_first_flight(spec: DialogueSpec, **given) -> Messages:
    """Return what goes out to a server that is silent."""
    ask = Ask(entropy=fixed_entropy(), host="proxy.test", address="192.0.2.1", port=443, **given)
    return play(spec.start(ask), []).flow[:1]


def record_ike(port: int) -> Messages:
    answer = test_ike.Responder()
    marker = bytes(4) if port == 4500 else b""
    ask = test_ike.make_ask(secrets={"psk": test_ike.PSK}, port=port, deepest=Depth.HELLO)

    def serve(sent) -> bytes:
        plain = [type(one)(one.data[len(marker) :]) for one in sent]
        return marker + test_ike.answer_with(plain[-1].data, test_ike.notify(17, b"\0\x13"))

    assert answer.seen == []
    return play(test_ike.v2.start(ask), serve).flow


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("ndpi")
    pki = Pki(folder)
    hellos = test_udp_hellos
    plain = record_openvpn(pki, "udp")
    secrets = {"password": b"right", "uuid": hellos_uuid(), "obfs-password": b"veil"}
    roots = {"roots": pki.ca.decode()}
    talks: dict[str, Messages] = {
        "wireguard": record_wireguard(),
        "wireguard on another port": record_wireguard(),
        "amnezia": record_wireguard(wireguard_client.WORDS, **wireguard_client.AMNEZIA | {"jc": "0"}),
        "openvpn on its port": plain,
        "openvpn on another port": plain,
        "openvpn over tcp": record_openvpn(pki, "tcp"),
        "openvpn tls-auth": record_wrapped_openvpn("tls-auth"),
        "openvpn tls-crypt": record_wrapped_openvpn("tls-crypt"),
        "ikev2": record_ike(500),
        "ikev2 behind nat": record_ike(4500),
        "ikev1": play(
            test_ike.v1.start(test_ike.make_ask()), lambda sent: test_ike.accept_main_mode(sent[-1].data)
        ).flow,
        "stun": play(hellos.begin(stun.SPEC), [hellos.stun_answer()]).flow,
        "dtls": record_first_flight(dtls.SPEC),
        "quic versions": play(hellos.begin(quic_hello.SPEC), [hellos.versions_answer(1)]).flow,
        "tuic": record_first_flight(tuic.SPEC, secrets=secrets, **roots),
        "hysteria": record_first_flight(hysteria2.SPEC, secrets=secrets, **roots),
        "salamander": record_first_flight(hysteria2.SPEC, secrets=secrets, params={"obfs": "salamander"}, **roots),
        "l2tp": play(hellos.begin(l2tp.SPEC), [hellos.l2tp_answer()]).flow,
        "pptp": play_stream(pptp.start(Ask(entropy=fixed_entropy())), serve_in_turn(test_gateways.PPTP)).flow,
        "ssh": play_stream(
            test_ssh.begin(), serve_in_turn(test_ssh.BANNER + test_ssh.pack(test_ssh.build_kexinit(bytes(16))))
        ).flow,
        "socks": play_stream(
            test_socks5.begin(), serve_in_turn(b"\x05\x00", test_socks5.CONNECTED, test_socks5.SERVER_HELLO)
        ).flow,
        "http proxy": play_stream(
            test_http_proxy.begin(), serve_in_turn(test_http_proxy.OPEN, test_http_proxy.SERVER_HELLO)
        ).flow,
        "shadowsocks": record_first_flight(
            shadowsocks.SPEC, params={"method": "aes-256-gcm"}, secrets={"password": b"right"}
        ),
        "obfs4": record_first_flight(obfs4.SPEC, secrets={"cert": test_tor.CERT.encode()}),
        # With a page inside, in the clear, nDPI takes it for HTTP; with a handshake inside it does not.
        "vless in the clear": record_first_flight(vless.SPEC, secrets=secrets),
        "vmess": record_first_flight(vmess.SPEC, secrets=secrets),
        "openvpn tls-crypt-v2": record_first_flight(
            OPENVPN, params={"wrap": "tls-crypt-v2"}, secrets={"key": CLIENT_KEY.encode()}
        ),
        "shadowsocks 2022": record_first_flight(
            shadowsocks.SPEC,
            params={"method": "2022-blake3-aes-128-gcm"},
            secrets={"password": test_shadowsocks.KEY.encode()},
        ),
        "anytls": record_in_tls("anytls", tmp_path_factory),
        "anyconnect": record_in_tls("anyconnect, login", tmp_path_factory),
        "tor": wrap_in_tls(
            play_stream(test_tor.begin(fingerprint=test_tor.fingerprint()), test_tor.FakeRelay()).flow,
            tor.parse("tor://192.0.2.1:9001").params["sni"],
            "www.7vx3rsqgbmuzkvvdmcjx.net",
            "www.m5gpt4bnhqfd.com",
        ),
        # Only a capture that begins after the upgrade is WebSocket to it: so the standard's own example shows.
        "websocket": record_websocket(),
        "websocket of RFC 6455": [(True, RFC_UPGRADE), (False, RFC_ACCEPT), (True, RFC_FRAME)],
    }
    assert talks.keys() == NAMED.keys()
    names = {42000 + number: name for number, name in enumerate(talks)}
    flows = [
        Flow(
            name=name,
            client_port=port,
            server_port=NAMED[name][0],
            stream=NAMED[name][1],
            messages=talks[name],
        )
        for port, name in names.items()
    ]
    write_pcap(folder / "flows.pcap", flows)
    command = [find_program("ndpiReader") or "", "-i", str(folder / "flows.pcap"), "-v", "2"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = {names[int(port)]: label for _, port, label in LINE.findall(said)}
    assert found.keys() == NAMED.keys(), said
    return found


def record_in_tls(occasion: str, folders: pytest.TempPathFactory) -> Messages:
    one = find_occasions(folders.mktemp("occasions"))[occasion]
    return wrap_in_tls(play(one.begin(), one.make_server()).flow, "proxy.example", "proxy.example", "Some CA")


def record_websocket() -> Messages:
    begin = vless.start(test_tls_proxies.ask(security="none", type="ws", path="/chat"))
    return play_stream(begin, lambda sent: occasions.answer_websocket(sent, bytes(2) + test_tls_proxies.ECHO)).flow


def hellos_uuid() -> bytes:
    return b"00000000-0000-0000-0000-000000000007"


@pytest.mark.parametrize("name", NAMED)
def test_ndpi_names_ours_as_it_names_the_real_thing(labels: dict[str, str], name: str) -> None:
    assert NAMED[name][2] in (labels[name], labels[name].partition(".")[0], labels[name].rpartition(".")[2])
