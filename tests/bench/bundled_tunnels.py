"""Answers OpenVPN, WireGuard, IKEv2 and STUN at every address: `python -m tests.bench.bundled_tunnels`.

Each datagram is answered from the address it was sent to, as a server there would, and with one datagram.
"""

import selectors
import socket
import struct
from collections.abc import Callable

from tests.dialogues.wireguard_server import Responder, public

PORTS = {"openvpn": 1194, "wireguard": 51820, "ikev2": 500, "stun": 3478}
SERVER, CLIENT = bytes(range(1, 33)), bytes(range(60, 92))
_IP_PKTINFO = 8
_responder = Responder(SERVER, public(CLIENT))


def answer_openvpn(data: bytes) -> bytes:
    return b"\x40SERVERID\x01" + data[-4:] + data[1:9] + bytes(4)


def answer_ikev2(data: bytes) -> bytes:
    notice = struct.pack("!BBHBBHH", 0, 0, 10, 0, 0, 17, 19)
    return data[:8] + b"RESPONDR" + b"\x29\x20\x22\x20" + bytes(4) + struct.pack("!I", 28 + len(notice)) + notice


def answer_stun(data: bytes) -> bytes:
    return b"\x01\x01\0\0" + data[4:20]


ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "openvpn": answer_openvpn,
    "wireguard": _responder.answer,
    "ikev2": answer_ikev2,
    "stun": answer_stun,
}


def serve_one(sock: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    data, ancillary, _, sender = sock.recvmsg(4096, socket.CMSG_SPACE(12))
    (_, _, where) = ancillary[0]
    there = bytes(4) + where[8:12] + bytes(4)
    sock.sendmsg([answer(data)], [(socket.IPPROTO_IP, _IP_PKTINFO, there)], 0, sender)


def main() -> None:
    ready = selectors.DefaultSelector()
    for name, port in PORTS.items():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind(("0.0.0.0", port))
        ready.register(sock, selectors.EVENT_READ, ANSWERS[name])
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            serve_one(key.fileobj, key.data)


if __name__ == "__main__":
    main()
