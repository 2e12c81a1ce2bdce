"""What is asked of SSH under keys: to log in, and to connect to a destination for us.

Source: RFC 4252 sections 5 to 8 (authentication by key and password), RFC 8332 section 3 (RSA with SHA-2), RFC 4254
sections 5 and 7.2 (channels, `direct-tcpip`).
"""

import base64
import struct

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from probe.model.errors import ProtocolError, UserError
from probe.protocols.dialogue import Refused
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.ssh.packets import Fields, Wire, put_mpint, put_string

SERVICE_REQUEST, SERVICE_ACCEPT = 5, 6
USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS, USERAUTH_BANNER = 50, 51, 52, 53
CHANNEL_OPEN, CHANNEL_CONFIRMATION, CHANNEL_FAILURE = 90, 91, 92
WINDOW_ADJUST, CHANNEL_DATA, CHANNEL_EOF, CHANNEL_CLOSE = 93, 94, 96, 97
_WINDOW_BYTES = 1 << 20
_MOST_BANNERS = 20
OPEN_FAILURES = {
    1: "administratively prohibited",
    2: "connect failed",
    3: "unknown channel type",
    4: "resource shortage",
}


class Key:
    """A private key that can log in."""

    def __init__(self, text: bytes) -> None:
        """Read an OpenSSH private key without a passphrase.

        Raises:
            UserError: it is none.
        """
        try:
            self._key = load_ssh_private_key(text, None)
            line = self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UserError("ssh", "the key cannot be read", "give an OpenSSH key without a passphrase") from None
        kind, encoded = line.split(b" ")[:2]
        self.algorithm = b"rsa-sha2-256" if kind == b"ssh-rsa" else kind
        self.blob = base64.b64decode(encoded)

    def sign(self, data: bytes) -> bytes:
        """Return the signature as a message carries it.

        Raises:
            UserError: no server is asked with such a key any more.
        """
        key = self._key
        if isinstance(key, Ed25519PrivateKey):
            value = key.sign(data)
        elif isinstance(key, RSAPrivateKey):
            value = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
            r, s = decode_dss_signature(key.sign(data, ECDSA(hashes.SHA256())))
            value = put_mpint(r) + put_mpint(s)
        else:
            raise UserError("ssh", "this kind of key is not used here", "give an Ed25519, P-256 or RSA key")
        return put_string(self.algorithm) + put_string(value)


def log_in(wire: Wire, session_id: bytes, user: bytes, key: Key | None, password: bytes | None) -> Reading[bool]:
    """Log in with a key, or else a password; false if the server falls silent.

    Raises:
        Refused: the server does not accept it.
    """
    yield wire.pack(bytes((SERVICE_REQUEST,)) + put_string(b"ssh-userauth"))
    accepted = yield from wire.take_payload()
    if accepted is None:
        return False
    if accepted[0] != SERVICE_ACCEPT:
        raise ProtocolError(f"not the start of SSH's authentication: {accepted[:32].hex()}")
    head = bytes((USERAUTH_REQUEST,)) + put_string(user) + put_string(b"ssh-connection")
    if key is not None:
        asked = head + put_string(b"publickey") + b"\x01" + put_string(key.algorithm) + put_string(key.blob)
        asked += put_string(key.sign(put_string(session_id) + asked))
    else:
        asked = head + put_string(b"password") + b"\x00" + put_string(password or b"")
    yield wire.pack(asked)
    for _ in range(_MOST_BANNERS):
        answer = yield from wire.take_payload()
        if answer is None:
            return False
        if answer[0] == USERAUTH_SUCCESS:
            return True
        if answer[0] == USERAUTH_FAILURE:
            ways = ", ".join(Fields(answer[1:]).take_names())[:80]
            raise Refused(f"the server refuses the login; it takes {ways or 'nothing'}")
        if answer[0] != USERAUTH_BANNER:
            break
    raise ProtocolError(f"not the end of SSH's authentication: {(answer or b'')[:32].hex()}")


def open_channel(wire: Wire, host: str, port: int) -> Reading["Channel | None"]:
    """Have the server connect to a destination; `None` if it falls silent.

    Raises:
        Refused: it does not, for the reason it gives.
    """
    asked = put_string(b"direct-tcpip") + struct.pack("!III", 0, _WINDOW_BYTES, 32768)
    asked += put_string(host.encode()) + struct.pack("!I", port) + put_string(b"127.0.0.1") + struct.pack("!I", 0)
    yield wire.pack(bytes((CHANNEL_OPEN,)) + asked)
    answer = yield from wire.take_payload()
    if answer is None:
        return None
    fields = Fields(answer[1:])
    if answer[0] == CHANNEL_FAILURE:
        fields.take(4)
        code = fields.take_number()
        text = fields.take_string()[:80].decode("ascii", "replace")
        raise Refused(f"the server says: {OPEN_FAILURES.get(code, 'unknown reason')} ({code}) {text}".rstrip())
    if answer[0] != CHANNEL_CONFIRMATION:
        raise ProtocolError(f"not the answer to an SSH channel: {answer[:32].hex()}")
    fields.take(4)
    return Channel(wire, fields.take_number())


class Channel(Incoming):
    """What comes back over a channel, read as a stream."""

    def __init__(self, wire: Wire, number: int) -> None:
        super().__init__(wire.incoming.timeout_s)
        self._wire = wire
        self._number = number

    def send(self, data: bytes) -> Reading[None]:
        """Send these bytes over the channel; they must fit into one packet."""
        yield self._wire.pack(bytes((CHANNEL_DATA,)) + struct.pack("!I", self._number) + put_string(data))

    def more(self) -> Reading[bool]:
        """Wait for more bytes of the channel; false at its end.

        Raises:
            ProtocolError: a message that belongs to no channel.
        """
        while not self.ended:
            payload = yield from self._wire.take_payload()
            if payload is None:
                return False
            if payload[0] in (CHANNEL_EOF, CHANNEL_CLOSE):
                self.ended = True
            elif payload[0] == CHANNEL_DATA:
                fields = Fields(payload[1:])
                fields.take(4)
                self.pending += fields.take_string()
                return True
            elif payload[0] != WINDOW_ADJUST:
                raise ProtocolError(f"not a message of our SSH channel: {payload[:32].hex()}")
        return False
