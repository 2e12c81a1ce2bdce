"""An OpenVPN server without wrapping in a few lines, for what real servers do rarely and for streams cut anywhere."""

import hashlib
import ssl
import struct
from pathlib import Path

import trustme

from probe.protocols.openvpn.data import EXIT, PING, DataChannel, open_channel
from probe.protocols.openvpn.framing import Framing
from probe.protocols.openvpn.keys import StaticKey
from probe.protocols.openvpn.login import Material
from probe.protocols.openvpn.prf import derive_key

SESSION = b"SERVERID"
PUSH = "PUSH_REPLY,route-gateway 10.8.0.1,topology subnet,ping 10,ifconfig 10.8.0.2 255.255.255.0,peer-id 5"


class Pki:
    def __init__(self, folder: Path) -> None:
        ca = trustme.CA()
        pair = ca.issue_cert("server.test")
        client = ca.issue_cert("client.test")
        self.ca = ca.cert_pem.bytes()
        self.client = (client.cert_chain_pems[0].bytes(), client.private_key_pem.bytes())
        self.fingerprint = hashlib.sha256(
            ssl.PEM_cert_to_DER_cert(pair.cert_chain_pems[0].bytes().decode())
        ).hexdigest()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.verify_mode = ssl.CERT_OPTIONAL
        ca.configure_trust(self.context)
        pair.configure_cert(self.context)


class Server:
    """Answers what is sent to it; `stream` frames as over TCP."""

    def __init__(
        self,
        pki: Pki,
        *,
        stream: bool = False,
        echoes: bool = True,
        pushes: tuple[str, ...] = (PUSH + ",cipher AES-256-GCM",),
        cipher: str = "AES-256-GCM",
        digest: str = "sha1",
        framing: Framing = Framing.NONE,
    ):
        self.cipher, self.digest, self.framing = cipher, digest, framing
        self.stream, self.pushes, self.echoes = stream, pushes, echoes
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = pki.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.client = b""
        self.sent = 0
        self.pending = b""
        self.piece_bytes = 1000
        self.expected = 1
        self.done = False
        self.said: list[bytes] = []
        self.tunnel: DataChannel | None = None
        self.inner: list[bytes] = []

    def serve(self, data: bytes) -> bytes:
        """Take bytes of a stream, return bytes of a stream."""
        self.pending += data
        found = b""
        while len(self.pending) >= 2 and len(self.pending) >= (end := 2 + int.from_bytes(self.pending[:2], "big")):
            packet, self.pending = self.pending[2:end], self.pending[end:]
            found += b"".join(struct.pack("!H", len(one)) + one for one in self.take(packet))
        return found

    def take(self, packet: bytes) -> list[bytes]:
        opcode = packet[0] >> 3
        if opcode == 9:
            return self.take_data(packet)
        self.client = packet[1:9]
        acks = packet[9]
        rest = packet[10 + 4 * acks + (8 if acks else 0) :]
        if opcode == 5:
            return []
        number, payload = rest[:4], rest[4:]
        if opcode == 7:
            return [self.build(8, b"", number)]
        if int.from_bytes(number, "big") != self.expected:
            return []  # out of order, or again: the client keeps it until it is acked
        self.expected += 1
        return self.take_tls(payload, number)

    def build(self, opcode: int, payload: bytes, acked: bytes) -> bytes:
        acks = b"\x01" + acked + self.client if acked else b"\0"
        self.sent += 1
        return bytes((opcode << 3,)) + SESSION + acks + struct.pack("!I", self.sent - 1) + payload

    def take_tls(self, payload: bytes, acked: bytes) -> list[bytes]:
        self.incoming.write(payload)
        try:
            if not self.done:
                self.tls.do_handshake()
                self.done = True
            while True:
                self.hear(self.tls.read(16384))
        except ssl.SSLWantReadError:
            pass
        data = self.outgoing.read()
        pieces = [data[at : at + self.piece_bytes] for at in range(0, len(data), self.piece_bytes)]
        found = [self.build(4, piece, acked if number == 0 else b"") for number, piece in enumerate(pieces)]
        return found or [bytes((5 << 3,)) + SESSION + b"\x01" + acked + self.client]

    def hear(self, message: bytes) -> None:
        self.said.append(message)
        if message.startswith(b"PUSH_REQUEST"):
            for push in self.pushes:
                self.tls.write(push.encode() + b"\0")
            return
        random = bytes(range(64))
        theirs = Material(
            pre_master=message[5:53], ours=(message[53:85], message[85:117]), theirs=(random[:32], random[32:])
        )
        material = derive_key(theirs, self.client, SESSION).material
        swapped = StaticKey(material=material[128:] + material[:128])
        self.tunnel = open_channel(self.cipher, self.digest, swapped, 5, bytes)
        self.tls.write(b"\0\0\0\0\2" + random + b"\0\x02V\0" + bytes(4))

    def take_data(self, packet: bytes) -> list[bytes]:
        assert self.tunnel is not None
        assert packet[:4] == bytes((9 << 3, 0, 0, 5))
        inner = self.framing.unwrap(self.tunnel.open(packet))
        assert inner is not None
        self.inner.append(inner)
        if inner in (PING, EXIT) or not self.echoes:
            return []
        echo = inner[:12] + inner[16:20] + inner[12:16] + b"\0" + inner[21:]
        return [self.tunnel.seal(self.framing.wrap(echo))]
