"""A whole conversation of every protocol, each with a server of a few lines, for what all dialogues must bear.

Where a protocol has several ways (a disguise, a transport, a login) each way is an occasion of its own: `NAME` or
`NAME, WAY`. A new protocol without one fails `tests/unit/protocols/test_every_dialogue.py`.
"""

import base64
import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from probe.model.depth import Depth
from probe.protocols import dtls, l2tp, pptp, quic_hello, stun
from probe.protocols.dialogue import Ask, Dialogue, Send
from probe.protocols.gateways import anyconnect
from probe.protocols.ike import v1, v2
from probe.protocols.proxies import http_proxy, hysteria2, reality, shadowsocks, socks5, trojan, tuic, vless
from probe.protocols.wireguard import SPEC as WIREGUARD
from tests.dialogues import fixed_entropy, ssh_server, wireguard_client
from tests.dialogues.dtls_server import DTLSServer
from tests.dialogues.hardship import serve_in_turn
from tests.dialogues.naive_server import PaddedEcho
from tests.dialogues.openvpn_server import Pki, Server
from tests.dialogues.quic_server import NAME, Authority, QuicServer
from tests.unit.protocols import (
    test_gateways,
    test_http_proxy,
    test_ike,
    test_naive,
    test_openvpn,
    test_quic_proxies,
    test_shadowsocks,
    test_socks5,
    test_ssh,
    test_tls_proxies,
    test_tor,
    test_udp_hellos,
    test_wireguard_tunnel,
)

ERRAND_BYTES = 64
Serve = Callable[[list[Send]], bytes | None]
"""Answers all that was sent so far; `None` = it has nothing to say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Occasion:
    """One way to hold a protocol's conversation to its end."""

    begin: Callable[[], Dialogue]
    make_server: Callable[[], Serve]
    stream: bool
    depth: Depth
    """How deep it goes when nothing is wrong."""
    same_twice: bool = True
    """The same entropy makes the same bytes; false where OpenSSL or the QUIC engine throws dice of its own."""
    acknowledges: bool = False
    """What it sends depends on the pieces in which answers come."""


def over_stream(answer: Callable[[bytes], bytes]) -> Serve:
    """Make a server of what answers the bytes that were just sent."""
    heard = 0

    def serve(sent: list[Send]) -> bytes | None:
        nonlocal heard
        fresh = b"".join(one.data for one in sent[heard:])
        heard = len(sent)
        return (answer(fresh) if fresh else b"") or None

    return serve


def _stream(begin: Callable[[], Dialogue], answer: Callable[[], Callable[[bytes], bytes]], depth: Depth) -> Occasion:
    return Occasion(begin=begin, make_server=lambda: over_stream(answer()), stream=True, depth=depth)


def _datagrams(begin: Callable[[], Dialogue], make_server: Callable[[], Serve], depth: Depth) -> Occasion:
    return Occasion(begin=begin, make_server=make_server, stream=False, depth=depth)


def _by_rote(*replies: bytes) -> Callable[[], Serve]:
    def make() -> Serve:
        left = list(replies)
        return lambda _: left.pop(0) if left else None

    return make


def _gateways() -> Iterator[tuple[str, Occasion]]:
    for name, (module, answers, reached) in test_gateways.CONVERSATIONS.items():
        if module is pptp:
            continue
        way = name.partition(" ")[2]
        begin = lambda m=module: test_gateways.begin(m)  # noqa: E731
        occasion = _stream(begin, lambda a=answers: serve_in_turn(*a), reached[-1])
        yield f"{module.SPEC.name}{f', {way}' if way else ''}", occasion
    begin = lambda: test_gateways.begin(anyconnect, user="me")  # noqa: E731
    yield "anyconnect, login", _stream(begin, test_gateways.serve_login, Depth.DATA)
    begin = lambda: pptp.start(Ask(entropy=fixed_entropy()))  # noqa: E731
    yield "pptp", _stream(begin, lambda: serve_in_turn(test_gateways.PPTP), Depth.HELLO)


def _relays() -> Iterator[tuple[str, Occasion]]:
    hello = test_socks5.SERVER_HELLO
    yield (
        "socks5",
        _stream(test_socks5.begin, lambda: serve_in_turn(b"\x05\x00", test_socks5.CONNECTED, hello), Depth.DATA),
    )
    yield (
        "http-proxy",
        _stream(test_http_proxy.begin, lambda: serve_in_turn(test_http_proxy.OPEN, hello), Depth.DATA),
    )
    yield "socks5, volume", _carrying(socks5, b"\x05\x00", test_socks5.CONNECTED)
    yield "http-proxy, volume", _carrying(http_proxy, test_http_proxy.OPEN)
    yield "trojan, volume", _carrying(trojan, b"", cut=True)
    yield "vless, volume", _carrying(vless, bytes(2), cut=True)
    naive = _stream(lambda: test_naive.begin(Depth.VOLUME), PaddedEcho, Depth.VOLUME)
    yield "naive", dataclasses.replace(naive, acknowledges=True)
    for name, module in test_tls_proxies.MODULES.items():
        begin = lambda m=module: m.start(test_tls_proxies.ask())  # noqa: E731
        yield name, _stream(begin, lambda n=name: serve_in_turn(test_tls_proxies.reply_of(n)), Depth.DATA)
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    begin = lambda: vless.start(test_tls_proxies.ask(type="httpupgrade"))  # noqa: E731
    reply = upgrade + bytes(2) + test_tls_proxies.ECHO
    yield "vless, httpupgrade", _stream(begin, lambda: serve_in_turn(reply), Depth.DATA)
    begin = lambda: trojan.start(test_tls_proxies.ask(type="ws"))  # noqa: E731
    yield "trojan, ws", _stream(begin, lambda: lambda sent: answer_websocket(sent, test_tls_proxies.ECHO), Depth.DATA)
    begin = lambda: reality.start(test_tls_proxies.ask(sni="cover.example"))  # noqa: E731
    yield "reality", _stream(begin, serve_in_turn, Depth.REACH)


def _carrying(module: ModuleType, *replies: bytes, cut: bool = False) -> Occasion:
    """Have blocks echoed through a proxy that says these first; `cut`: the errand stands at the end of the request."""
    asked = test_tls_proxies.ask(security="tls")
    given = dataclasses.replace(asked, deepest=Depth.VOLUME, entropy=fixed_entropy())

    def make_server() -> Callable[[bytes], bytes]:
        left = list(replies)

        def answer(sent: bytes) -> bytes:
            if left:
                return left.pop(0) + (sent[-ERRAND_BYTES:] if cut else b"")
            return sent

        return answer

    begin = lambda: module.start(dataclasses.replace(given, entropy=fixed_entropy()))  # noqa: E731
    return _stream(begin, make_server, Depth.VOLUME)


def answer_websocket(sent: bytes, payload: bytes) -> bytes:
    """Accept an upgrade and send this behind it in one frame."""
    key = sent.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    if not key:
        return b""
    # RFC 6455 sections 1.3 (the accept), 5.2 (a server's frame is not masked).
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return b"HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n" + bytes((0x82, len(payload))) + payload


def _shadowsocks() -> Iterator[tuple[str, Occasion]]:
    unit = test_shadowsocks
    for method in unit.METHODS:
        reply = unit.answer(unit.ask(method), unit.echo_of(unit.ask(method)))
        begin = lambda m=method: shadowsocks.start(unit.ask(m))  # noqa: E731
        yield f"shadowsocks, {method}", _stream(begin, lambda r=reply: serve_in_turn(r), Depth.DATA)
    for obfs in ("http", "tls"):
        reply = unit.obfs_reply(obfs, unit.answer(unit.ask(), unit.echo_of(unit.ask())))
        begin = lambda o=obfs: shadowsocks.start(unit.ask(obfs=o))  # noqa: E731
        yield f"shadowsocks, obfs {obfs}", _stream(begin, lambda r=reply: serve_in_turn(r), Depth.DATA)


def _hellos() -> Iterator[tuple[str, Occasion]]:
    unit = test_udp_hellos
    for spec, reply in (
        (stun.SPEC, unit.stun_answer()),
        (l2tp.SPEC, unit.l2tp_answer()),
        (quic_hello.SPEC, unit.versions_answer(1)),
    ):
        yield spec.name, _datagrams(lambda s=spec: unit.begin(s), _by_rote(reply), Depth.HELLO)
    main_mode = lambda: lambda sent: test_ike.accept_main_mode(sent[-1].data)  # noqa: E731
    yield "ikev1", _datagrams(lambda: v1.start(test_ike.make_ask()), main_mode, Depth.HELLO)
    for name, chosen in (("ikev2", test_ike.CBC), ("ikev2, gcm", test_ike.GCM)):
        begin = lambda: v2.start(test_ike.make_ask(secrets={"psk": test_ike.PSK}, deepest=Depth.AUTH))  # noqa: E731
        yield name, _datagrams(begin, lambda c=chosen: test_ike.Responder(c), Depth.AUTH)


def _bridges() -> Iterator[tuple[str, Occasion]]:
    begin = lambda: test_tor.begin(fingerprint=test_tor.fingerprint())  # noqa: E731
    yield "tor", _stream(begin, test_tor.FakeRelay, Depth.DATA)
    yield "obfs4", _stream(test_tor.begin_obfs4, lambda: test_tor.serve_obfs4, Depth.PROOF)
    offers = test_ssh.BANNER + test_ssh.pack(test_ssh.build_kexinit(bytes(16)))
    yield "ssh, offers", _stream(test_ssh.begin, lambda: serve_in_turn(offers), Depth.HELLO)
    given = {"hostkey": ssh_server.HOST_PRINT, "relay": "192.0.2.7:7", "payload": "echo", "user": "me"}
    asked = {"params": given, "secrets": {"key": ssh_server.USER_KEY}, "deepest": Depth.VOLUME}
    yield "ssh", _stream(lambda: test_ssh.begin(**asked), ssh_server.SSHServer, Depth.VOLUME)


def _engines(folder: Path) -> Iterator[tuple[str, Occasion]]:
    """Those that need keys and certificates in files."""
    pki, authority = Pki(folder), Authority()
    roots = folder / "ca.pem"
    authority.ca.cert_pem.write_to_path(roots)
    dice = {"same_twice": False}
    begin = lambda: test_openvpn.begin(pki, deepest=Depth.VOLUME)  # noqa: E731
    tcp = _stream(begin, lambda: Server(pki).serve, Depth.VOLUME)
    yield "openvpn, tcp", dataclasses.replace(tcp, **dice)
    begin = lambda: test_openvpn.begin(pki, proto="udp")  # noqa: E731
    yield "openvpn, udp", dataclasses.replace(_datagrams(begin, lambda: _openvpn_datagrams(pki), Depth.DATA), **dice)
    begin = lambda: WIREGUARD.start(wireguard_client.ask(deepest=Depth.VOLUME))  # noqa: E731
    echoes = lambda: test_wireguard_tunnel.echo_until(wireguard_client.responder(), 1 << 20)  # noqa: E731
    yield "wireguard", _datagrams(begin, echoes, Depth.VOLUME)

    def ask() -> Ask:
        return Ask(
            entropy=fixed_entropy(), host=NAME, address="192.0.2.1", port=443, roots=roots.read_text(),
            params={"sni": NAME, "relay": "192.0.2.9:7", "payload": "echo"}, deepest=Depth.VOLUME,
            secrets={"password": b"right", "uuid": test_quic_proxies.USER.encode()}, elapsed_s=time.monotonic,
        )  # fmt: skip

    made = _datagrams(lambda: dtls.start(ask()), lambda: DTLSServer(authority, folder).serve, Depth.PROOF)
    yield "dtls", dataclasses.replace(made, **dice)
    for spec, react in (
        (hysteria2.SPEC, test_quic_proxies.echo_of_hysteria),
        (tuic.SPEC, lambda: test_quic_proxies.echo_on(0)),
    ):
        serve = lambda r=react: QuicServer(authority, r()).serve  # noqa: E731
        made = _datagrams(lambda s=spec: s.start(ask()), serve, Depth.VOLUME)
        yield spec.name, dataclasses.replace(made, **dice)


def _openvpn_datagrams(pki: Pki) -> Serve:
    server = Server(pki)
    waiting: list[bytes] = []
    heard = 0

    def serve(sent: list[Send]) -> bytes | None:
        nonlocal heard
        for one in sent[heard:]:
            waiting.extend(server.take(one.data))
        heard = len(sent)
        return waiting.pop(0) if waiting else None

    return serve


def find_occasions(folder: Path) -> dict[str, Occasion]:
    """Return all of them; keys and certificates are made in this folder."""
    found: dict[str, Occasion] = {}
    for kind in (_gateways(), _relays(), _shadowsocks(), _hellos(), _bridges(), _engines(folder)):
        found.update(kind)
    return found
