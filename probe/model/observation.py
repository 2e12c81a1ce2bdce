"""What a step saw: one value per network operation, success or failure. Facts, never judgement.

Times are seconds since the start of the measurement; the measurement holds the wall time.
"""

from enum import StrEnum

import msgspec

from probe.model.depth import Depth
from probe.model.dns_lookup import DNSAnswer, DNSLookup, DNSReply, ReplyFit, Resolver, Transport
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure
from probe.model.path_trace import PathTrace
from probe.model.role import Role

# Lookups and roles have rooms of their own; all who read observations take them from here.
__all__ = [
    "BytesAt",
    "DNSAnswer",
    "DNSLookup",
    "DNSReply",
    "DialogueExchange",
    "Ending",
    "HTTPExchange",
    "ICMPEcho",
    "Message",
    "Observation",
    "QUICHandshake",
    "QUICStage",
    "RecordSeen",
    "ReplyFit",
    "Resolver",
    "Role",
    "Silence",
    "StageReached",
    "TCPConnect",
    "TLSHandshake",
    "TLSStage",
    "Transport",
]


class Ending(StrEnum):
    """How a connection ended before we were done with it."""

    RESET = "reset"
    FIN = "fin"
    SILENCE = "silence"
    ALERT = "alert"
    ERROR = "error"


class TCPConnect(msgspec.Struct, frozen=True, kw_only=True, tag="tcp"):
    """One connection attempt, timed by the kernel where it can."""

    transaction: int
    t0_s: float
    t_s: float
    endpoint: Endpoint
    local_port: int = 0
    kernel_rtt_s: float | None = None
    """`tcpi_rtt` right after the handshake (Linux)."""
    syn_retransmits: int = 0
    min_ttl: int = 0
    """`IP_MINTTL` that was set for the attempt; 0 = none."""
    held_s: float = 0.0
    """How long the open connection was left idle, nothing sent; 0 = not held."""
    held_ending: Ending | None = None
    """How the peer ended it while it was held; `None` = still open."""
    held_bytes: bytes = b""
    """The first bytes (at most 256) that a peer sent unasked while it was held."""
    failure: Failure | None = None
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    queued_s: float = 0.0
    hot: bool = False
    """The place had been triggered within the cool-down, by an earlier measurement: a failure here proves nothing."""
    asn: int = 0


class TLSStage(StrEnum):
    """How far the peer got before the handshake stopped."""

    NOTHING = "nothing_sent_back"
    GARBAGE = "not_tls"
    PARTIAL = "partial_server_hello"
    SERVER_HELLO = "server_hello"
    ALERT = "alert"
    DONE = "done"


class RecordSeen(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One TLS record as it passed: direction, content type (RFC 8446 section 5.1), length."""

    sent: bool
    type: int
    length: int


class TLSHandshake(msgspec.Struct, frozen=True, kw_only=True, tag="tls"):
    """One handshake on an open connection."""

    transaction: int
    t0_s: float
    t_s: float
    endpoint: Endpoint
    server_name: str
    """The SNI sent; empty = none."""
    stage: TLSStage
    alpn_offered: tuple[str, ...] = ()
    alpn: str = ""
    hello_shape: str = "stock"
    hello_bytes: int = 0
    version: str = ""
    cipher: str = ""
    hello_retry: bool = False
    alert: tuple[int, int] | None = None
    """Level and description of the alert that came; `None` if none came in the clear."""
    ending: Ending | None = None
    """`None` = the handshake completed, or we stopped on purpose."""
    chain: tuple[bytes, ...] = ()
    """Certificates as DER, leaf first, also when they are not trusted."""
    verified: bool = False
    """The chain leads to the reference roots and names the server we meant."""
    verify_code: int = 0
    """OpenSSL's X509_V_ERR number; 0 = ok or not reached."""
    verify_message: str = ""
    root_store: str = ""
    records: tuple[RecordSeen, ...] = ()
    """Every record of a handshake that did not complete; empty on the happy path."""
    first_bytes: bytes = b""
    """The first bytes (at most 64) of an answer that was not TLS."""
    bytes_sent: int = 0
    bytes_received: int = 0
    bytes_acked: int | None = None
    """What the peer's kernel acknowledged (`tcpi_bytes_acked`), when the handshake failed."""
    failure: Failure | None = None
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    queued_s: float = 0.0


class BytesAt(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Cumulative bytes, of a page's body or of a conversation, at a moment."""

    t_s: float
    body_bytes: int


class HTTPExchange(msgspec.Struct, frozen=True, kw_only=True, tag="http"):
    """One request and what came back on an open channel."""

    transaction: int
    t0_s: float
    t_s: float
    endpoint: Endpoint
    method: str
    url: str
    """With the host that was asked for in `Host`."""
    secure: bool
    over_quic: bool = False
    """HTTP/3; else HTTP/1.1."""
    status: int = 0
    """0 = no status line came."""
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    head: bytes = b""
    """The response head as received, at most 64 KB."""
    title: str = ""
    body: bytes = b""
    """Decoded body up to the limit in force."""
    body_bytes: int = 0
    """Body bytes received on the wire."""
    body_sha256: str = ""
    """Of `body`; empty when there is none."""
    body_truncated: bool = False
    timeline: tuple[BytesAt, ...] = ()
    """At most 32 samples of the body's arrival."""
    first_byte_s: float | None = None
    """When the answer began, on the same scale as `t0_s` and `t_s`; `None` = it never did."""
    ending: Ending | None = None
    bytes_sent: int = 0
    bytes_received: int = 0
    bytes_acked: int | None = None
    segments: int | None = None
    """TCP segments with data that came on the connection, in an experiment; `None` = not known."""
    early_segments: int | None = None
    """Those of them before which something was missing: it was lost on the way, or overtaken."""
    failure: Failure | None = None
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    queued_s: float = 0.0

    @property
    def location(self) -> str:
        """Return the `Location` header, or an empty string."""
        for name, value in self.headers:
            if len(name) == 8 and name.lower() == "location":
                return value
        return ""


class ICMPEcho(msgspec.Struct, frozen=True, kw_only=True, tag="icmp"):
    """One echo request (RFC 792, RFC 4443 section 4) and its answer."""

    transaction: int
    t0_s: float
    t_s: float
    address: str
    sequence: int = 0
    ip_ttl: int | None = None
    failure: Failure | None = None
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    queued_s: float = 0.0


class Message(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One datagram, or one chunk of a stream, as it passed."""

    sent: bool
    t_s: float
    length: int
    data: bytes = b""
    """Its first bytes; zeros where a secret was, empty where all of it was one."""


class StageReached(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A step that the peer proved, and when."""

    depth: Depth
    t_s: float


class DialogueExchange(msgspec.Struct, frozen=True, kw_only=True, tag="dialogue"):
    """One conversation in a protocol of tunnels and proxies, with the protocol's own retransmissions."""

    transaction: int
    t0_s: float
    t_s: float
    endpoint: Endpoint
    protocol: str
    transport: str
    """The layers below, such as `udp` or `tcp+tls`."""
    depth: Depth = Depth.NONE
    """The deepest stage that the peer proved in it."""
    stages: tuple[StageReached, ...] = ()
    messages: tuple[Message, ...] = ()
    sends: int = 0
    """All that were sent, also those that `messages` has no room for."""
    reply: dict[str, str] = {}
    """What the peer said, as flat public facts; empty when the dialogue did not end well."""
    refused: str = ""
    """What the peer said when it understood and refused."""
    verify_code: int = 0
    """OpenSSL's X509_V_ERR number of a certificate that did not hold inside the conversation; 0 = none was bad."""
    ending: Ending | None = None
    """How the peer or the network ended it; `None` = it came to its end."""
    local_port: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    timeline: tuple[BytesAt, ...] = ()
    """At most 32 samples of what arrived, once that is more than the first round trips bring; all bytes count."""
    failure: Failure | None = None
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    queued_s: float = 0.0
    hot: bool = False
    asn: int = 0

    @property
    def answered(self) -> bool:
        """Tell whether the peer sent anything at all."""
        return self.bytes_received > 0


class QUICStage(StrEnum):
    """How far the peer got before the handshake stopped."""

    NOTHING = "nothing_sent_back"
    GARBAGE = "not_quic"
    VERSIONS = "version_negotiation"
    RETRY = "retry"
    INITIAL = "server_initial"
    DONE = "done"


class QUICHandshake(msgspec.Struct, frozen=True, kw_only=True, tag="quic"):
    """One QUIC handshake on a UDP socket of its own, or one question which versions a server has (RFC 9000)."""

    transaction: int
    t0_s: float
    t_s: float
    endpoint: Endpoint
    server_name: str
    """The SNI in our Initial; empty = none, as in a question for versions."""
    stage: QUICStage
    ping: bool = False
    """A question for versions: a version that nobody has was sent, and no name."""
    local_port: int = 0
    """Above the peer's: some filters pass over what comes from a port at or below it."""
    versions: tuple[int, ...] = ()
    """Those that the server offered in a version negotiation."""
    alpn_offered: tuple[str, ...] = ()
    alpn: str = ""
    version: int = 0
    """The version agreed upon; 0 = none."""
    cipher: str = ""
    chain: tuple[bytes, ...] = ()
    """Certificates as DER, leaf first, also when they are not trusted."""
    verified: bool = False
    """The chain leads to the reference roots and names the server we meant."""
    verify_code: int = 0
    """OpenSSL's X509_V_ERR number; 0 = ok or not reached."""
    verify_message: str = ""
    root_store: str = ""
    close_code: int | None = None
    """The error code with which the peer closed the connection (RFC 9000 section 20.1); `None` = it did not."""
    close_reason: str = ""
    first_bytes: bytes = b""
    """The first bytes (at most 64) of an answer that was not QUIC."""
    datagrams_sent: int = 0
    datagrams_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    failure: Failure | None = None
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    queued_s: float = 0.0
    hot: bool = False
    """The place had been triggered within the cool-down, by an earlier measurement: a failure here proves nothing."""
    asn: int = 0


Observation = (
    DNSLookup | TCPConnect | TLSHandshake | HTTPExchange | ICMPEcho | QUICHandshake | DialogueExchange | PathTrace
)


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A step has waited max(4 RTT, 250 ms) without an answer. The planner may act on it; rules never read it."""

    transaction: int
    since_s: float
    layer: str
    """`dns`, `tcp`, `tls`, `http` or `quic`."""
    endpoint: Endpoint | None = None
    name: str = ""
    experiment: str = ""
    hop: int = 0
