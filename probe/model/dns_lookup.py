"""One DNS question, whom it was put to, and every reply that came: the observation of a lookup."""

from enum import StrEnum

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.failure import Failure
from probe.model.role import Role


class Transport(StrEnum):
    """How a DNS question travels; `getaddrinfo` is the operating system's own view."""

    UDP = "udp"
    TCP = "tcp"
    DOT = "dot"
    DOH = "doh"
    GETADDRINFO = "getaddrinfo"


class Resolver(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask, by address: a poisoned name cannot break its own check."""

    transport: Transport
    endpoint: Endpoint | None = None
    """`None` only for getaddrinfo."""
    server_name: str = ""
    """Name in the resolver's certificate (DoT, DoH)."""
    path: str = "/dns-query"
    system: bool = False
    """One of the nameservers that this host is configured with."""

    def __str__(self) -> str:
        if self.endpoint is None:
            return self.transport.value
        scheme = "doh+https" if self.transport is Transport.DOH else self.transport.value
        path = self.path if self.transport is Transport.DOH else ""
        name = f"#{self.server_name}" if self.server_name else ""
        return f"{scheme}://{self.endpoint}{path}{name}"


class ReplyFit(StrEnum):
    """Whether a datagram answers our question; those that do not are kept, never used."""

    OURS = "ours"
    WRONG_ID = "wrong_id"
    WRONG_QUESTION = "wrong_question"
    WRONG_SENDER = "wrong_sender"
    """Id and question are right, but it came from another address than the one asked."""
    MALFORMED = "malformed"


class DNSAnswer(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One record of an answer section."""

    type: str
    value: str
    ttl_s: int
    name: str = ""


class DNSReply(msgspec.Struct, frozen=True, kw_only=True):
    """One datagram, or one message, that came back to a question."""

    t_s: float
    fit: ReplyFit = ReplyFit.OURS
    rcode: int = 0
    flags: int = 0
    """The 16 header bits as sent (RFC 1035 section 4.1.1): AA, TC, RD, RA and the rcode."""
    answers: tuple[DNSAnswer, ...] = ()
    ip_ttl: int | None = None
    """TTL or hop limit of the packet that carried it; `None` where the kernel does not say."""
    sender: str = ""
    """Address it came from, when that is not the resolver's."""
    trailing_bytes: int = 0
    """Bytes after the end of the message: some injectors leak memory there."""
    raw: bytes = b""
    """The message as received; empty for a clean answer on the happy path."""


class DNSLookup(msgspec.Struct, frozen=True, kw_only=True, tag="dns"):
    """One question to one resolver, with every reply that came."""

    transaction: int
    t0_s: float
    t_s: float
    resolver: Resolver
    name: str
    query_type: str
    replies: tuple[DNSReply, ...] = ()
    sends: int = 1
    """Datagrams sent: the protocol's own retransmissions belong to one observation."""
    held_s: float = 0.0
    """How long we went on listening after the first reply."""
    failure: Failure | None = None
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    queued_s: float = 0.0
    asns: tuple[int, ...] = ()
    """AS of each address of the first reply, where data was at hand."""

    @property
    def accepted(self) -> DNSReply | None:
        """Return the reply that an ordinary client would have used: the first that fits; `None` = none fits."""
        return next((reply for reply in self.replies if reply.fit is ReplyFit.OURS), None)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the address literals of the accepted reply, in its order."""
        reply = self.accepted
        return () if reply is None else tuple(a.value for a in reply.answers if a.type in ("A", "AAAA"))
