"""How far packets get: one observation for a sweep of TTLs, with what came back at each.

Source: RFC 792 and RFC 4443 (time exceeded, destination unreachable); a fresh connection for each TTL.
"""

from enum import StrEnum

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.failure import Failure
from probe.model.role import Role


class TraceKind(StrEnum):
    """What is sent with a small TTL."""

    SYN = "syn"
    """The first packet of a connection."""
    HELLO = "hello"
    """A ClientHello, on a connection that was opened with the usual TTL."""
    REQUEST = "request"
    """An HTTP request in the clear, on such a connection."""
    FLOOR_SYN = "floor_syn"
    """The first packet of a connection, whose answer must come with at least a TTL (`IP_MINTTL`); 0 = any."""
    FLOOR_HELLO = "floor_hello"
    """A ClientHello on a connection that was opened without such a floor; what comes then must come over one."""
    FLOOR_REQUEST = "floor_request"
    """An HTTP request in the clear, on such a connection."""

    @property
    def is_floor(self) -> bool:
        """Tell whether the TTLs are those of what comes back, not of what is sent."""
        return self in (TraceKind.FLOOR_SYN, TraceKind.FLOOR_HELLO, TraceKind.FLOOR_REQUEST)


class HopAnswer(StrEnum):
    """What came back to a packet that could make only so many hops."""

    EXPIRED = "expired"
    """A router said that the TTL ran out: the packet came that far."""
    ANSWERED = "answered"
    """The peer, or somebody in its name: a SYN-ACK, or bytes."""
    RESET = "reset"
    FIN = "fin"
    FORBIDDEN = "forbidden"
    """Another ICMP error: no route, or prohibited."""
    SILENT = "silent"
    """Nothing; also where a router expires packets without a word."""
    UNOPENED = "unopened"
    """A hello could not be sent: its connection did not open."""
    INSTRUMENT = "instrument"
    """Our own host refused; proves nothing."""


class HopSeen(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One packet of a trace."""

    ttl: int
    answer: HopAnswer
    router: str = ""
    """Who sent the ICMP error; empty = nobody did, or the kernel does not say."""
    asn: int = 0
    """AS of the router; 0 = not known."""
    took_s: float = 0.0


class PathTrace(msgspec.Struct, frozen=True, kw_only=True, tag="trace"):
    """One sweep: the same packet to one place with several TTLs, each on a connection of its own."""

    transaction: int
    t0_s: float
    t_s: float
    endpoint: Endpoint
    kind: TraceKind
    server_name: str = ""
    """The SNI of the hellos or the host of the requests; empty = none, or a trace of SYNs."""
    hops: tuple[HopSeen, ...] = ()
    """In the order of their TTLs, or of time where those are floors; empty where this host cannot trace."""
    payload_bytes: int = 0
    failure: Failure | None = None
    """Why there is no trace; what single packets met is in `hops`."""
    role: Role = Role.EXPERIMENT
    hop: int = 0
    """Redirect hop, as in every observation."""
    experiment: str = ""
    queued_s: float = 0.0
    hot: bool = False
    """The place had been triggered within the cool-down, by an earlier measurement."""
    asn: int = 0
    """AS of the endpoint; 0 = not known."""
