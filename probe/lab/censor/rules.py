"""Censor rules as data: when a rule looks up, and what it then does.

Source: what is published of censors: GFW Report, USENIX Security 2021 to 2025; net4people/bbs; OONI; Xue et al. 2022.
"""

from enum import StrEnum

import msgspec

from probe.lab.censor.signatures import Signature


class Place(StrEnum):
    """Where on the way the box stands: it sees domestic traffic, or only what crosses the border."""

    ACCESS = "access"
    BORDER = "border"


class ToAddress(msgspec.Struct, frozen=True, kw_only=True, tag="to_address"):
    """Any packet of a flow with one of these prefixes; empty tuples match all."""

    prefixes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    protocols: tuple[int, ...] = ()
    """IP protocol numbers."""
    except_prefixes: tuple[str, ...] = ()
    except_ports: tuple[int, ...] = ()


class LargePackets(msgspec.Struct, frozen=True, kw_only=True, tag="large_packets"):
    """Each packet above a size, for itself: a link too narrow for it that says so to nobody."""

    above_bytes: int
    prefixes: tuple[str, ...] = ()


class Opening(msgspec.Struct, frozen=True, kw_only=True, tag="opening"):
    """The SYN of a TCP connection."""

    prefixes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class Crowds(msgspec.Struct, frozen=True, kw_only=True, tag="crowds"):
    """The SYN of one connection too many to one address: what a server's own guard, or a router's table, counts."""

    at_most: int
    within_s: float
    prefixes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class AsksFor(msgspec.Struct, frozen=True, kw_only=True, tag="asks_for"):
    """A DNS question in clear on port 53; a name matches itself and all below it, `*` any."""

    names: tuple[str, ...]
    resolvers: tuple[str, ...] = ()
    """Prefixes of the servers asked; empty = any address, resolver or not."""
    query_types: tuple[str, ...] = ()
    over_tcp: bool = False


class NamesServer(msgspec.Struct, frozen=True, kw_only=True, tag="names_server"):
    """A ClientHello with one of these server names."""

    names: tuple[str, ...]
    except_names: tuple[str, ...] = ()
    """Let alone, as by a list of what passes; a hello without a name is not."""
    reassembles: bool = True
    """False: each segment is read alone, so a split hello passes."""
    prefixes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class HelloShape(msgspec.Struct, frozen=True, kw_only=True, tag="hello_shape"):
    """A ClientHello by shape; the conditions given must all hold."""

    names: tuple[str, ...] = ()
    """Also by name, where a shape alone would hit too many: the outer name of an encrypted hello."""
    extensions: tuple[int, ...] = ()
    """Types that must all be there."""
    min_bytes: int = 0
    max_bytes: int | None = None
    nameless: bool | None = None
    over_quic: bool = False
    """Hellos in QUIC too, not only those over TCP."""
    prefixes: tuple[str, ...] = ()


class NamesQuicServer(msgspec.Struct, frozen=True, kw_only=True, tag="names_quic_server"):
    """A QUIC Initial, opened, with one of these server names; its frames are put in order within each datagram."""

    names: tuple[str, ...]
    reassembles: bool = False
    """Over several datagrams too."""
    first_only: bool = False
    """Only a flow's first datagram is read, so one of junk before it lets the rest pass."""
    spares_low_source_ports: bool = False
    """Flows whose source port is not above the destination port are let alone."""
    prefixes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class NamesHost(msgspec.Struct, frozen=True, kw_only=True, tag="names_host"):
    """A cleartext request with one of these hosts."""

    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


class SaysKeyword(msgspec.Struct, frozen=True, kw_only=True, tag="says_keyword"):
    """A cleartext request with this text in its head."""

    text: str


class FirstBytes(msgspec.Struct, frozen=True, kw_only=True, tag="first_bytes"):
    """The first payload of a connection: not of a known protocol, or looking fully encrypted."""

    fully_encrypted: bool
    prefixes: tuple[str, ...] = ()


class Speaks(msgspec.Struct, frozen=True, kw_only=True, tag="speaks"):
    """A flow that began as one of these tunnels do."""

    signatures: tuple[Signature, ...]
    after_packets: int = 0
    """Only once so many packets with payload have passed, both ways counted: the data phase."""
    over_tcp: bool | None = None
    prefixes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class Volume(msgspec.Struct, frozen=True, kw_only=True, tag="volume"):
    """A flow that has carried more than so many bytes to the client."""

    after_bytes: int
    prefixes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Only flows whose hello carried one of these; empty = all."""
    signatures: tuple[Signature, ...] = ()
    """Only flows that began as one of these tunnels do; empty = all."""
    opaque: bool = False
    """Only connections whose first payload looked fully encrypted."""


When = (
    ToAddress
    | LargePackets
    | Opening
    | Crowds
    | AsksFor
    | NamesServer
    | HelloShape
    | NamesQuicServer
    | NamesHost
    | SaysKeyword
    | FirstBytes
    | Speaks
    | Volume
)


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag="drop"):
    """Let nothing of the flow pass from here on."""

    to_world: bool = True
    to_client: bool = True


class ForgeAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="forge_answer"):
    """Answer a DNS question in the resolver's name."""

    copies: tuple[tuple[str, ...], ...]
    """One forged message for each; an empty inner tuple is a message without records."""
    rcode: int = 0
    in_path: bool = False
    """True: the question goes no further, so no true answer follows."""
    ip_ttl: int = 64
    mirrors_ttl: bool = False
    """The forged packet leaves with the TTL that the question arrived with."""
    authoritative: bool = False
    answer_ttl_s: int = 60
    trailing_hex: str = ""
    spacing_s: float = 0.0002


class ResetForm(StrEnum):
    """How a connection is torn."""

    RST = "rst"
    RST_ACK = "rst_ack"
    TRIPLE = "triple"
    """Three RST+ACK with sequence numbers 0, 1460 and 4380 on (Clayton et al. 2006)."""


class Reset(msgspec.Struct, frozen=True, kw_only=True, tag="reset"):
    """Forge resets to the client, and to the server if told."""

    form: ResetForm = ResetForm.RST
    ip_ttl: int = 64
    ip_id: int = 0
    copies_ip_id: bool = False
    """The IPID is that of the packet which provoked it (IPv4)."""
    window: int = 0
    payload_hex: str = ""
    both_ends: bool = True
    in_path: bool = False


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag="finish"):
    """Forge an answer, if any, and a FIN to the client; the true flow is cut."""

    payload: str = ""
    ip_ttl: int = 64
    in_path: bool = True


class Prohibit(msgspec.Struct, frozen=True, kw_only=True, tag="prohibit"):
    """Drop, and send the ICMP error "administratively prohibited" from a router."""

    router: str
    router_v6: str = ""


class Divert(msgspec.Struct, frozen=True, kw_only=True, tag="divert"):
    """Carry the flow to another address; answers come back in the true one's name."""

    to: str
    to_v6: str = ""


class Throttle(msgspec.Struct, frozen=True, kw_only=True, tag="throttle"):
    """Police the flow, each way, by dropping what exceeds the rate."""

    bytes_per_s: float
    burst_bytes: int = 8000


class Impair(msgspec.Struct, frozen=True, kw_only=True, tag="impair"):
    """Delay and lose the packets of the flow."""

    delay_s: float = 0.0
    loss_ratio: float = 0.0


class Pass(msgspec.Struct, frozen=True, kw_only=True, tag="pass"):
    """Let it go, and remember that it was seen: what other rules wait for."""


Then = Drop | ForgeAnswer | Reset | Finish | Prohibit | Divert | Throttle | Impair | Pass


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the censor does."""

    id: str
    when: When
    then: Then
    place: Place = Place.ACCESS
    probability: float = 1.0
    """Rolled once for each flow, or DNS question."""
    residual_s: float = 0.0
    """After it struck, so long all between this client, address, port and transport is treated as `residual` says."""
    residual: Drop | Reset = Drop()
    starts_s: float = 0.0
    """Seconds after the engine was set up."""
    ends_s: float | None = None
    after: str = ""
    """Id of another rule: until that has struck, this one sleeps."""


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """All that a censor does, and what it holds to be domestic."""

    rules: tuple[Rule, ...] = ()
    domestic: tuple[str, ...] = ()
    """Prefixes whose traffic does not cross the border."""
    seed: int = 0
