"""Tor: a link to a relay or bridge, its identity, and a page that it serves over a circuit of one hop.

Source: tor-spec (channels, circuits, relay cells), dir-spec ("/tor/server/authority": a relay's own descriptor).
The certificates of the link bind the relay's keys to the TLS handshake, so a `fingerprint` in the target that matches
is the `proof`; without one it is a `hello`, for anybody can be some relay. `data` is a descriptor fetched through
CREATE_FAST and BEGIN_DIR; it needs no account, and is done only where the target goes beyond `proof`.
Seen from outside this is a plain Tor handshake, after which some networks block a bridge's address for hours: a bridge
that is meant to stay hidden should be asked for by its obfs4 line.
"""

import base64
import hashlib
import ipaddress
import struct
from types import MappingProxyType

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Refused, Send, Tcp, Tls
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.relayed import WAIT_S, goes_to
from probe.protocols.tor import cells
from probe.protocols.tor.cells import Cell, Circuit, Identity
from probe.protocols.written.link import parse_login_link

_REQUEST = b"GET /tor/server/authority HTTP/1.0\r\nHost: tor\r\n\r\n"
_CIRCUIT = 0x80000000
"""Circuits of who opened the connection have the highest bit set."""
_STREAM = 1
_MOST_CELLS = 64
_MOST_PAGE_BYTES = 32768
_FINGERPRINT_DIGITS = 40
_DEPTHS = (Depth.HELLO, Depth.PROOF, Depth.DATA)


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """What answered."""

    fingerprint: str
    ed25519: str
    link: int
    """The link protocol agreed upon."""
    page: str = ""
    """First line of what it serves."""


def start(ask: Ask) -> Dialogue:
    """Open a link, look who is there, and fetch a page over it where that is wanted."""
    incoming = Incoming(WAIT_S)
    yield Send(cells.build_versions())
    versions = yield from incoming.take_message(cells.split_versions)
    if versions is None:
        return None
    common = [version for version in cells.LINK_VERSIONS if version in versions]
    if not common:
        raise ProtocolError(f"no link protocol in common, it has {sorted(versions)[:8]}")
    certs = yield from _take_cell(incoming, cells.CERTS)
    info = None if certs is None else (yield from _take_cell(incoming, cells.NETINFO))
    if certs is None or info is None:
        return None
    identity = cells.prove_identity(cells.parse_certs(certs.payload), ask.certificate, ask.wall_s)
    yield Reached(Depth.HELLO)
    if ask.params.get("fingerprint"):
        _require(identity, ask.params["fingerprint"])
        yield Reached(Depth.PROOF)
    yield Send(cells.build_cell(0, cells.NETINFO, build_netinfo(ask.address)))
    relay = Relay(fingerprint=identity.fingerprint, ed25519=identity.ed25519, link=max(common))
    if not goes_to(ask, Depth.DATA):
        return relay
    page = yield from _fetch(incoming, Circuit(_CIRCUIT | int.from_bytes(ask.entropy(3), "big"), ask.entropy(20)))
    if page is None:
        return None
    yield Reached(Depth.DATA)
    return msgspec.structs.replace(relay, page=page)


def _require(identity: Identity, fingerprint: str) -> None:
    if identity.fingerprint != fingerprint.upper():
        raise ProtocolError(f"another relay answers: {identity.fingerprint}")


def _take_cell(incoming: Incoming, *wanted: int) -> Reading[Cell | None]:
    """Return the next cell of these kinds; padding and what is for servers is passed over.

    Raises:
        ProtocolError: another cell comes, or nothing but padding.
    """
    for _ in range(_MOST_CELLS):
        cell = yield from incoming.take_message(cells.split_cell)
        if cell is None or cell.command in wanted:
            return cell
        if cell.command not in (cells.PADDING, cells.VPADDING, cells.AUTH_CHALLENGE):
            raise ProtocolError(f"a cell of kind {cell.command} where {wanted[0]} is due: {cell.payload[:16].hex()}")
    raise ProtocolError("cells and cells, and none that is due")


def build_netinfo(peer: str) -> bytes:
    """Return our side of NETINFO: no time, the peer's address, none of ours."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        address = ipaddress.ip_address("0.0.0.0")
    return struct.pack("!IBB", 0, 4 if address.version == 4 else 6, len(address.packed)) + address.packed + b"\0"


def _fetch(incoming: Incoming, circuit: Circuit) -> Reading[str | None]:
    """Return the first line of the relay's own page; `None` if it falls silent.

    Raises:
        Refused: it makes no circuit, or serves no page.
    """
    yield Send(circuit.build_create())
    created = yield from _take_cell(incoming, cells.CREATED_FAST, cells.DESTROY)
    if created is None:
        return None
    if created.command == cells.DESTROY:
        raise Refused(f"the relay makes no circuit: reason {created.payload[0]}")
    circuit.open(created.payload)
    yield Send(circuit.build_relay(cells.BEGIN_DIR, _STREAM))
    yield Send(circuit.build_relay(cells.DATA, _STREAM, _REQUEST))
    page = b""
    while len(page) < _MOST_PAGE_BYTES:
        cell = yield from _take_cell(incoming, cells.RELAY, cells.DESTROY)
        if cell is None:
            return None
        if cell.command == cells.DESTROY:
            raise Refused(f"the relay ends the circuit: reason {cell.payload[0]}")
        command, data = circuit.open_relay(cell.payload)
        if command == cells.DATA:
            page += data
        elif command != cells.CONNECTED:
            break
    yield Send(cells.build_cell(circuit.number, cells.DESTROY, b"\0"))
    head, _, body = page.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1."):
        raise Refused("the relay serves no directory")
    # A new relay answers that it has no descriptor yet: that too came through the circuit, which is what we ask.
    first = body if head[8:12] == b" 200" else head
    return "".join(c for c in first.splitlines()[0][:80].decode("ascii", "replace") if c.isprintable()) if first else ""


def parse(text: str) -> Parsed:
    """Read `tor://host:port[?fingerprint=…&depth=data]`, or a bridge's line `[Bridge] host:port FINGERPRINT`.

    A page needs no login, so a link alone may ask for it.

    Raises:
        ValueError: it is not such a link.
    """
    if "://" not in text:
        words = text.split()
        if len(words) < 2:
            raise ValueError("a bridge's line is written HOST:PORT FINGERPRINT")
        text = f"tor://{words[-2]}?fingerprint={words[-1]}"
    known = frozenset({"fingerprint", "sni", "depth"})
    parsed = parse_login_link(text, default_port=9001, params=known, secrets=frozenset())
    if "user" in parsed.params or parsed.secrets:
        raise ValueError("a user name or password has no place in it")
    if parsed.params.get("depth", Depth.DATA) not in _DEPTHS:
        raise ValueError(f"depth is {', '.join(_DEPTHS)}")
    fingerprint = read_fingerprint(parsed.params["fingerprint"]) if "fingerprint" in parsed.params else ""
    params = {**parsed.params, "sni": parsed.params.get("sni") or make_server_name(parsed.host, parsed.port)}
    if fingerprint:
        params["fingerprint"] = fingerprint
    return Parsed(host=parsed.host, port=parsed.port, params=MappingProxyType(params), label=parsed.label)


def read_fingerprint(text: str) -> str:
    """Return the 40 digits of a relay's fingerprint, as lists and bridge lines write it.

    Raises:
        ValueError: it is none.
    """
    digits = text.replace(" ", "").removeprefix("$").upper()
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(digits) != _FINGERPRINT_DIGITS or len(raw) != _FINGERPRINT_DIGITS // 2:
        raise ValueError("fingerprint has 40 hexadecimal digits")
    return digits


def make_server_name(host: str, port: int) -> str:
    """Return a name of no meaning to send, as Tor's clients do; the same for the same relay."""
    digest = hashlib.sha256(f"tor {host} {port}".encode()).digest()
    return f"www.{base64.b32encode(digest).decode().lower()[: 8 + digest[0] % 12]}.com"


SPEC = DialogueSpec(
    name="tor",
    question="Does a Tor relay answer, is it the one that is meant, and does it serve us?",
    schemes=("tor",),
    default_port=9001,
    stack=(Tcp(), Tls(verify=False)),
    start=start,
    parse=parse,
    proves=Depth.DATA,
    open_proves=Depth.DATA,
)
