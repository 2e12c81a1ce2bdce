"""An SSH server in a few lines: an exchange on curve 25519, a login by any key, and channels that echo."""

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from probe.protocols.incoming import Incoming
from probe.protocols.ssh.exchange import IDENTIFICATION, build_kexinit, print_key
from probe.protocols.ssh.packets import Fields, Wire, put_mpint, put_string

HOST_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
USER_KEY = Ed25519PrivateKey.from_private_bytes(b"u" * 32).private_bytes(
    Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
)
BLOB = put_string(b"ssh-ed25519") + put_string(HOST_KEY.public_key().public_bytes_raw())
HOST_PRINT = print_key(BLOB)
BANNER = b"SSH-2.0-test_1.0"


class SSHServer:
    """Hand it to `play_stream`; what it is sent holds whole packets."""

    def __init__(self) -> None:
        self._incoming = Incoming(1.0)
        self._wire = Wire(self._incoming, bytes)
        self._later: Wire | None = None
        """The wire under keys, once they are agreed upon."""
        self._init = build_kexinit(b"c" * 16)
        self._greeted = False
        self._theirs = b""

    def __call__(self, sent: bytes) -> bytes:
        answer = b""
        if not self._greeted:
            self._greeted = True
            _, _, sent = sent.partition(b"\r\n")
            answer = BANNER + b"\r\n" + self._wire.pack(self._init).data
        self._incoming.pending += sent
        while (payload := self._next()) is not None:
            answer += b"".join(self._wire.pack(reply).data for reply in self._answer(payload))
            if payload[0] == 30:
                self._send_under_keys()
        return answer

    def _next(self) -> bytes | None:
        if not self._incoming.pending:
            return None
        try:
            next(self._wire.take_payload())
        except StopIteration as end:
            payload: bytes | None = end.value
            return payload
        raise AssertionError("a packet that is cut")

    def _answer(self, payload: bytes) -> list[bytes]:
        fields = Fields(payload[1:])
        match payload[0]:
            case 20:
                self._theirs = payload
                return []
            case 30:
                return [self._exchange(fields.take_string()), b"\x15"]
            case 21:
                assert self._later is not None
                self._wire._in = self._later._out
                return []
            case 5:
                return [b"\x06" + put_string(fields.take_string())]
            case 50:
                return [b"\x34"]
            case 90:
                return [b"\x5b" + struct.pack("!IIII", 0, 7, 1 << 20, 32768)]
            case 94:
                assert fields.take_number() == 7
                return [b"\x5e" + struct.pack("!I", 0) + put_string(fields.take_string())]
            case _:
                return []

    def _exchange(self, theirs: bytes) -> bytes:
        private = X25519PrivateKey.from_private_bytes(b"s" * 32)
        ours = private.public_key().public_bytes_raw()
        secret = put_mpint(int.from_bytes(private.exchange(X25519PublicKey.from_public_bytes(theirs)), "big"))
        parts = (IDENTIFICATION, BANNER, self._theirs, self._init, BLOB, theirs, ours)
        digest = hashlib.sha256(b"".join(map(put_string, parts)) + secret).digest()
        self._later = Wire(self._incoming, bytes)
        self._later.protect(secret, digest)
        signature = put_string(b"ssh-ed25519") + put_string(HOST_KEY.sign(digest))
        return b"\x1f" + put_string(BLOB) + put_string(ours) + put_string(signature)

    def _send_under_keys(self) -> None:
        """What the client opens with is what we seal with."""
        assert self._later is not None
        self._wire._out = self._later._in
