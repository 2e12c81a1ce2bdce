"""obfs4: a handshake that looks like nothing, and that only who knows the bridge's line can hold with it.

Source: obfs4-spec.txt of obfs4proxy (section 4, "Handshake phase"), which says of the key exchange that it is Tor's
ntor (tor-spec, "The ntor handshake"); the bridge's implementation hashes the parts in an order of its own:
B, B, X, Y, PROTOID, NODEID. Its answer proves that it holds the key of the line: `proof`, and all at once.
Readings: a wrong `cert` is silence, after which the bridge hangs up when it likes; so is a clock that is off by more
than an hour. What is inside, the Tor link, is not spoken here: see `tor` for a bridge without a disguise.
"""

import base64
import binascii
import hmac
from types import MappingProxyType

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Send, Tcp
from probe.protocols.incoming import Incoming
from probe.protocols.relayed import WAIT_S
from probe.protocols.tor import elligator
from probe.protocols.tor.relay import read_fingerprint
from probe.protocols.written.link import split_link

_ID_BYTES, _KEY_BYTES, _MARK_BYTES = 20, 32, 16
_PAD_BYTES = (85, 8128)
_MOST_BYTES = 8192
_PROTOCOL = b"ntor-curve25519-sha256-1"
_TRIES = 64
"""Each secret has a representative with probability 1/2."""


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """What answered."""

    answer: str = "obfs4 handshake"
    clock_hours: int = 0
    """By how many hours the bridge's clock is ahead of ours."""


class Line:
    """What a bridge's line says, and what hangs on it."""

    def __init__(self, cert: str) -> None:
        """Read `cert`: the node's id and its key in base64.

        Raises:
            ValueError: it is not that.
        """
        try:
            raw = base64.b64decode(cert + "=" * (-len(cert) % 4), validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != _ID_BYTES + _KEY_BYTES:
            raise ValueError("cert is no id and key of an obfs4 bridge")
        self.node, self.key = raw[:_ID_BYTES], raw[_ID_BYTES:]

    def mac(self, data: bytes) -> bytes:
        """Return what shows that we know the line."""
        return hmac.digest(self.key + self.node, data, "sha256")[:_MARK_BYTES]

    def make_auth(self, shared: bytes, ours: bytes, theirs: bytes) -> bytes:
        """Return what only the holder of the bridge's key can say."""
        suffix = self.key + self.key + ours + theirs + _PROTOCOL + self.node
        verify = hmac.digest(_PROTOCOL + b":key_verify", shared + suffix, "sha256")
        return hmac.digest(_PROTOCOL + b":mac", verify + suffix + b"Server", "sha256")


class Handshake:
    """Our half of one handshake."""

    def __init__(self, line: Line, ask: Ask) -> None:
        self._line = line
        self._hours = int(ask.wall_s // 3600)
        for _ in range(_TRIES):
            secret, tweak = ask.entropy(_KEY_BYTES), ask.entropy(1)[0]
            made = elligator.make_public(secret, tweak)
            if made is not None:
                break
        else:
            raise UserError("obfs4", "these random bytes make no key", "try again")
        self._secret = X25519PrivateKey.from_private_bytes(secret)
        self._public, self._representative = made
        low, high = _PAD_BYTES
        padding = ask.entropy(low + int.from_bytes(ask.entropy(4), "big") % (high - low + 1))
        self._opening = self._representative + padding + line.mac(self._representative)

    def build(self) -> bytes:
        """Return the first flight."""
        return self._opening + self._line.mac(self._opening + str(self._hours).encode())

    def split_answer(self, data: bytes) -> tuple[Bridge, int] | None:
        """Take the bridge's flight from the front; `None` = need more.

        Raises:
            ProtocolError: it is none, or not of who holds the key.
        """
        start = 2 * _KEY_BYTES
        mark = data.find(self._line.mac(data[:_KEY_BYTES]), start) if len(data) > start else -1
        end = mark + 2 * _MARK_BYTES
        if mark < 0 or len(data) < end:
            if len(data) > _MOST_BYTES:
                raise ProtocolError(f"not an obfs4 answer to this line: {data[:32].hex()}")
            return None
        said = data[mark + _MARK_BYTES : end]
        for ahead in (0, 1, -1):
            if hmac.compare_digest(said, self._line.mac(data[: end - _MARK_BYTES] + str(self._hours + ahead).encode())):
                break
        else:
            raise ProtocolError(f"an obfs4 answer of another hour: {said.hex()}")
        theirs = elligator.read_public(data[:_KEY_BYTES])
        if data[_KEY_BYTES:start] != self._line.make_auth(self._share(theirs), self._public, theirs):
            raise ProtocolError(f"not of who holds the bridge's key: {data[:start].hex()}")
        return Bridge(clock_hours=ahead), end

    def _share(self, theirs: bytes) -> bytes:
        try:
            return b"".join(
                self._secret.exchange(X25519PublicKey.from_public_bytes(key)) for key in (theirs, self._line.key)
            )
        except ValueError:  # a point of small order
            raise ProtocolError(f"no key of a bridge: {theirs.hex()}") from None


def start(ask: Ask) -> Dialogue:
    """Shake hands.

    Raises:
        UserError: the line is none.
    """
    try:
        line = Line(ask.secrets.get("cert", b"").decode("ascii", "replace"))
    except ValueError as error:
        raise UserError("obfs4", str(error), "copy the bridge's line again") from None
    handshake = Handshake(line, ask)
    yield Send(handshake.build())
    bridge = yield from Incoming(WAIT_S).take_message(handshake.split_answer)
    if bridge is None:
        return None
    yield Reached(Depth.HELLO)
    yield Reached(Depth.PROOF)
    return bridge


def parse(text: str) -> Parsed:
    """Read a bridge's line (`[Bridge] obfs4 host:port FINGERPRINT cert=… iat-mode=0`), or the same as a link.

    Raises:
        ValueError: it is neither; the message says what is wrong.
    """
    given: dict[str, str] = {}
    if "://" in text:
        link = split_link(text, 443)
        given = {key: value.replace(" ", "+") if key == "cert" else value for key, value in link.params.items()}
        host, port = link.host, link.port
    else:
        words = text.split()
        words = words[1:] if words[:1] and words[0].lower() == "bridge" else words
        if len(words) < 3 or words[0].lower() != "obfs4":
            raise ValueError("a bridge's line is written obfs4 HOST:PORT FINGERPRINT cert=…")
        link = split_link(f"obfs4://{words[1]}", 0)
        host, port = link.host, link.port
        for word in words[2:]:
            key, equals, value = word.partition("=")
            given[key if equals else "fingerprint"] = value if equals else key
    if not 0 < port < 65536:
        raise ValueError("the port is not between 1 and 65535")
    Line(given.get("cert", ""))
    params = {"fingerprint": read_fingerprint(given["fingerprint"])} if given.get("fingerprint") else {}
    return Parsed(
        host=host,
        port=port,
        params=MappingProxyType(params),
        secrets=MappingProxyType({"cert": given["cert"].rstrip("=")}),
    )


SPEC = DialogueSpec(
    name="obfs4",
    question="Does an obfs4 bridge shake hands with us?",
    schemes=("obfs4",),
    default_port=443,
    stack=(Tcp(),),
    start=start,
    parse=parse,
    secrets=("cert",),
    proves=Depth.PROOF,
    open_proves=Depth.REACH,
)
