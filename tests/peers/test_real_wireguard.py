"""WireGuard against sing-box's user-space server, and against wireguard-go with a device of its own."""

import base64
import contextlib
import os
import socket
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Send
from probe.protocols.wireguard import SPEC
from probe.protocols.wireguard.noise import Initiation, Keys
from tests.dialogues import Played, fixed_entropy, play, talk_over
from tests.peers.sealed import Sealed, find_program, wait_for_text
from tests.peers.sing_box import needs_sing_box, run_sing_box

pytestmark = pytest.mark.peers
SERVER, CLIENT, STRANGER = (bytes(range(n, n + 32)) for n in (1, 60, 120))
PSK = bytes(range(200, 232))
PORT, PSK_PORT, KERNEL_LIKE_PORT = 15821, 15822, 15820
ROUTE = """
ip link add out type veth peer name back && ip addr add 192.0.2.1/24 dev out && ip link set out up &&
ip link set back up && ip route add default via 192.0.2.2 && echo ready
"""
"""sing-box puts its tunnels to sleep where there is no default route; this one leads nowhere."""
MOMENT_S = 0.4
"""How long silence is waited for."""
WORD = b"\x01\0\0\0"


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def endpoint(port: int, network: int, **peer: str) -> dict[str, object]:
    return {
        "type": "wireguard",
        "tag": f"wg-{port}",
        "system": False,
        "address": [f"10.{network}.0.1/24"],
        "private_key": text(SERVER),
        "listen_port": port,
        "peers": [{"public_key": text(public(CLIENT)), "allowed_ips": [f"10.{network}.0.2/32"], **peer}],
    }


@pytest.fixture(scope="module")
def box(tmp_path_factory) -> Iterator[Sealed]:
    folder = tmp_path_factory.mktemp("wireguard")
    endpoints = [endpoint(PORT, 77), endpoint(PSK_PORT, 78, pre_shared_key=text(PSK))]
    with Sealed() as seal:
        seal.run(["sh", "-c", ROUTE], folder / "route.log")
        wait_for_text(folder / "route.log", "ready")
        with run_sing_box(seal, [], folder / "box.log", endpoints=endpoints):
            wait_for_text(folder / "box.log", "sing-box started")
            for port in (PORT, PSK_PORT):
                seal.wait_for_udp_port(port)
            yield seal


def make_ask(address: str, deepest: Depth, psk: bytes = b"", **shape: str) -> Ask:
    return Ask(
        entropy=fixed_entropy(os.urandom(8)),
        params={"public_key": text(public(SERVER)), "address": address} | shape,
        secrets={"private_key": text(CLIENT).encode()} | ({"preshared_key": text(psk).encode()} if psk else {}),
        stamps=time.time_ns(),
        deepest=deepest,
    )


def talk(
    seal: Sealed, port: int, *, address: str, deepest: Depth = Depth.DATA, psk: bytes = b"", **shape: str
) -> Played:
    ask = make_ask(address, deepest, psk, **shape)
    return talk_over(lambda _: SPEC.start(ask), seal.connect(("127.0.0.1", port), udp=True))


def send_one(sock: socket.socket, keys: Keys, stamp_ns: int, wait_s: float = 5.0) -> tuple[Initiation, bytes | None]:
    """Send one initiation by hand; return what comes."""
    initiation = Initiation(keys, ephemeral=os.urandom(32), index=os.urandom(4), stamp_ns=stamp_ns, kind=WORD)
    sock.send(initiation.build())
    sock.settimeout(wait_s)
    try:
        return initiation, sock.recv(2048)
    except TimeoutError:
        return initiation, None


@needs_sing_box
def test_a_known_key_is_answered_and_an_echo_comes_back_through_the_tunnel(box: Sealed) -> None:
    played = talk(box, PORT, address="10.77.0.2/32")
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    assert played.reply.inner == "echo reply"
    assert [len(sent.data) for sent in played.sent] == [148, 96]


@needs_sing_box
def test_decoys_of_amnezia_are_passed_over_by_a_server_that_knows_nothing_of_them(box: Sealed) -> None:
    """Its words and paddings need a server of its own, which no registry has; these two need none."""
    time.sleep(0.05)
    played = talk(box, PORT, address="10.77.0.2/32", jc="4", jmin="30", jmax="70")
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    assert [30 <= len(sent.data) <= 70 for sent in played.sent] == [True] * 4 + [False] * 2


@needs_sing_box
def test_the_handshake_alone_sends_one_packet(box: Sealed) -> None:
    time.sleep(0.05)  # servers take one initiation of a peer in 20 ms
    played = talk(box, PORT, address="10.77.0.2/32", deepest=Depth.PROOF)
    assert played.reached[-1] is Depth.AUTH
    assert len(played.sent) == 1


@needs_sing_box
def test_a_preshared_key_is_mixed_in_and_a_wrong_one_shows(box: Sealed) -> None:
    assert talk(box, PSK_PORT, address="10.78.0.2/32", psk=PSK).reached[-1] is Depth.DATA
    time.sleep(0.05)
    with box.connect(("127.0.0.1", PSK_PORT), udp=True) as sock:
        initiation, answer = send_one(sock, Keys(CLIENT, public(SERVER), bytes(32)), time.time_ns())
    assert answer is not None
    assert answer[8:12] == initiation.index
    with pytest.raises(ProtocolError, match="do not open"):
        initiation.open_response(answer)


@needs_sing_box
def test_strangers_and_timestamps_of_the_past_meet_silence(box: Sealed) -> None:
    time.sleep(0.05)
    with box.connect(("127.0.0.1", PORT), udp=True) as sock:
        keys, now_ns = Keys(CLIENT, public(SERVER)), time.time_ns()
        assert send_one(sock, keys, now_ns)[1] is not None
        time.sleep(0.05)
        assert send_one(sock, keys, now_ns, MOMENT_S)[1] is None, "the same timestamp again"
        assert send_one(sock, keys, now_ns + 1)[1] is not None
        assert send_one(sock, Keys(STRANGER, public(SERVER)), time.time_ns(), MOMENT_S)[1] is None
        assert send_one(sock, Keys(CLIENT, public(STRANGER)), time.time_ns(), MOMENT_S)[1] is None


@pytest.fixture(scope="module")
def device(tmp_path_factory) -> Iterator[Sealed]:
    folder = tmp_path_factory.mktemp("wireguard-go")
    (folder / "wg.conf").write_text(
        f"[Interface]\nPrivateKey = {text(SERVER)}\nListenPort = {KERNEL_LIKE_PORT}\n"
        f"[Peer]\nPublicKey = {text(public(CLIENT))}\nAllowedIPs = 10.79.0.2/32\n"
    )
    with Sealed() as seal:
        seal.run(["wireguard-go", "-f", "wgtest"], folder / "go.log", {"WG_SOCKET_DIR": str(folder)})
        up = (
            "until wg setconf wgtest wg.conf 2>/dev/null; do sleep 0.05; done;"
            "ip addr add 10.79.0.1/24 dev wgtest; ip link set wgtest up; echo ready"
        )
        seal.run(["sh", "-c", f"cd {folder}; {up}"], folder / "up.log")
        wait_for_text(folder / "up.log", "ready")
        seal.wait_for_udp_port(KERNEL_LIKE_PORT)
        yield seal


needs_wireguard_go = pytest.mark.skipif(
    find_program("wireguard-go") is None
    or find_program("wg") is None
    or not os.access("/dev/net/tun", os.R_OK | os.W_OK),
    reason="wireguard-go is not installed (apt-get install wireguard-go wireguard-tools), or there is no /dev/net/tun",
)


@needs_wireguard_go
def test_a_kernel_answers_the_echo_behind_wireguard_go(device: Sealed) -> None:
    played = talk(device, KERNEL_LIKE_PORT, address="10.79.0.2/32")
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    assert played.reply.inner == "echo reply"


@needs_wireguard_go
def test_a_volume_goes_through_the_tunnel_both_ways(device: Sealed) -> None:
    time.sleep(0.05)
    played = talk(device, KERNEL_LIKE_PORT, address="10.79.0.2/32", deepest=Depth.VOLUME)
    assert played.reached[-1] is Depth.VOLUME
    assert played.reply.carried_bytes >= 65536


@needs_wireguard_go
def test_a_server_under_load_wants_its_cookie_back(device: Sealed) -> None:
    for _ in range(6):  # until the flood was quicker than the server
        played, first = talk_under_load(device)
        if len(first) == 64:
            break
    assert len(first) == 64
    assert played.sent[1].data[-16:] != bytes(16)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH]


def talk_under_load(device: Sealed) -> tuple[Played, bytes]:
    """Shake hands while initiations of a stranger pour in; return what came of it, and the first answer."""
    time.sleep(0.05)
    answered: list[bytes] = []
    of_a_stranger = Initiation(
        Keys(STRANGER, public(SERVER)), ephemeral=CLIENT, index=bytes(4), stamp_ns=time.time_ns(), kind=WORD
    ).build()
    with device.connect(("127.0.0.1", KERNEL_LIKE_PORT), udp=True) as sock:
        sock.settimeout(0.5)

        def answer(sent: list[Send]) -> bytes | None:
            if len(sent) > len(answered):
                for _ in range(6000 if not answered else 0):
                    sock.send(of_a_stranger)
                answered.append(ask_until_answered(sock, sent[-1].data))
                return answered[-1]
            return None  # five seconds pass

        played = play(SPEC.start(make_ask("10.79.0.2/32", Depth.PROOF)), answer)
    return played, answered[0]


def ask_until_answered(sock: socket.socket, packet: bytes) -> bytes:
    """Send a packet again for as long as the server's buffer is too full for it."""
    for _ in range(20):
        sock.send(packet)
        with contextlib.suppress(TimeoutError):
            return receive_one(sock, packet[4:8])
    raise TimeoutError("no answer")


def receive_one(sock: socket.socket, index: bytes) -> bytes:
    """Return the first answer that names this index."""
    while True:
        data = sock.recv(2048)
        if index in (data[4:8], data[8:12]):
            return data
