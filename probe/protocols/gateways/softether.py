"""SoftEther VPN: the greeting that its own clients get over HTTPS, a list of named values called PACK.

Source: github.com/SoftEtherVPN/SoftEtherVPN (Mayaqua/Pack.c, Cedar/Protocol.c: ServerUploadHello, `VPNCONNECT`).
Anybody gets the greeting: `hello`; these servers make their own certificates, so a pin is the usual `proof`. The login
is not spoken here. The same ports also answer OpenVPN, which is a target of its own.
"""

from collections.abc import Mapping

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, Reached
from probe.protocols.gateways.tls_gateway import authority, build_spec, not_ours, prove
from probe.protocols.http.turn import build_head, take_turn
from probe.protocols.incoming import Incoming
from probe.protocols.relayed import WAIT_S

_BODY = b"VPNCONNECT"
_AGENT = "Mozilla/5.0 (Windows NT 6.3; WOW64; rv:29.0) Gecko/20100101 Firefox/29.0"
"""What SoftEther's clients call themselves."""
_INTEGER, _DATA, _TEXT, _UNICODE, _LONG = range(5)
_MOST_ELEMENTS, _MOST_VALUES = 4096, 4096
_RANDOM_BYTES = 20
_GREETING = ("hello", "random", "version", "build")

Value = int | bytes


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself."""

    server: str
    version: str
    build: int


def parse_pack(data: bytes) -> dict[str, tuple[Value, ...]]:
    """Read a PACK: values by name, texts as their bytes.

    Raises:
        ProtocolError: it is none.
    """
    reader = _Reader(data)
    found: dict[str, tuple[Value, ...]] = {}
    for _ in range(reader.count(_MOST_ELEMENTS)):
        # The length of a name counts a closing zero byte that is not sent.
        name = reader.take(max(0, reader.integer() - 1)).decode("ascii", "replace")
        kind = reader.integer()
        found[name] = tuple(reader.value(kind) for _ in range(reader.count(_MOST_VALUES)))
    return found


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise ProtocolError(f"a PACK that ends early: {self._data[:32].hex()}")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def integer(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def count(self, most: int) -> int:
        count = self.integer()
        if count > most:
            raise ProtocolError(f"not a PACK: {self._data[:32].hex()}")
        return count

    def value(self, kind: int) -> Value:
        match kind:
            case 0:
                return self.integer()
            case 4:
                return int.from_bytes(self.take(8), "big")
            case 1 | 2 | 3:
                return self.take(self.integer())
            case _:
                raise ProtocolError(f"a PACK's value of type {kind}: {self._data[:32].hex()}")


def start(ask: Ask) -> Dialogue:
    """Knock and read the greeting."""
    headers = [
        ("Host", authority(ask)),
        ("User-Agent", _AGENT),
        ("Content-Type", "image/jpeg"),
        ("Connection", "Keep-Alive"),
        ("Content-Length", str(len(_BODY))),
    ]
    request = build_head("POST /vpnsvc/connect.cgi HTTP/1.1", headers, _BODY)
    response = yield from take_turn(Incoming(WAIT_S), request)
    if response is None:
        return None
    if response.status != 200:
        raise not_ours("SoftEther server", response)
    pack = parse_pack(response.body)
    greeting = read_greeting(pack)
    yield Reached(Depth.HELLO)
    yield from prove(ask)
    return greeting


def read_greeting(pack: Mapping[str, tuple[Value, ...]]) -> Greeting:
    """Return what a server says of itself.

    Raises:
        ProtocolError: this is no greeting.
    """
    hello, random, version, build = (next(iter(pack.get(name, ())), None) for name in _GREETING)
    if not isinstance(hello, bytes) or not isinstance(random, bytes) or len(random) != _RANDOM_BYTES:
        raise ProtocolError(f"a PACK that is no greeting: it holds {', '.join(pack)[:80]}")
    number = version if isinstance(version, int) else 0
    return Greeting(
        server=hello.decode("utf-8", "replace")[:120],
        version=f"{number // 100}.{number % 100:02}",
        build=build if isinstance(build, int) else 0,
    )


SPEC = build_spec("softether", "Does a SoftEther VPN server answer?", start)
