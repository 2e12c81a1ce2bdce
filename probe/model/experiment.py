"""Leave to open a connection, and follow-ups as data: what is varied, what is held, and where."""

from enum import StrEnum

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.observation import Resolver


class Traffic(StrEnum):
    """What a grant is asked for; the gate keeps a budget for each."""

    DNS = "dns"
    CONNECT = "connect"
    DATAGRAM = "datagram"
    """A conversation over UDP: of the budget of connections, and hot or cold by itself."""
    ECHO = "echo"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to send. Only the gate makes one, and `net` opens nothing without it."""

    serial: int
    traffic: Traffic
    endpoint: Endpoint | None
    queued_s: float = 0.0
    """How long the step waited for it; reported as its own phase, never inside a round trip."""
    hot: bool = False
    """Something triggering was sent there less than a cool-down ago and failed."""


class Step(StrEnum):
    """What a follow-up does, once."""

    LOOKUP = "lookup"
    CONNECT = "connect"
    HOLD = "hold"
    """Connect and send nothing: does the peer hang up unasked?"""
    HANDSHAKE = "handshake"
    FETCH = "fetch"
    ECHO = "echo"
    """One ICMP echo; the port of its endpoint means nothing."""
    MIN_TTL = "min_ttl"
    """Names over floors under the TTL of what our kernel accepts: does what ends them come from the server?"""
    TRACE_SYN = "trace_syn"
    """One SYN for each of some TTLs: where on the way does it end?"""
    TRACE_NAME = "trace_name"
    """A hello or request for each of some TTLs, on connections that were opened with the usual one."""
    QUIC = "quic"
    """A QUIC handshake, nothing fetched."""
    QUIC_PING = "quic_ping"
    """A question for QUIC versions: no name is sent."""
    FETCH_H3 = "fetch_h3"
    """A page over HTTP/3."""
    QUIC_ANCHOR = "quic_anchor"
    """A neutral site's page over TLS and, where that offers HTTP/3, a question for QUIC versions there."""
    HELLO = "hello"
    """A ClientHello of some shape, answered or not; the handshake goes no further."""
    NEUTRAL_PAGE = "neutral_page"
    """A neutral site's page, wherever its name leads."""
    CONVERSE = "converse"
    """The conversation of a vpn target, once more or with another server."""
    SINK = "sink"
    """Bytes of a kind to a control's echo port, which says that it has them."""


class HelloShape(StrEnum):
    """What a ClientHello looks like on the wire."""

    STOCK = "stock"
    """As our own TLS library sends it."""
    SMALL = "small"
    """One segment, of the age before post-quantum key shares."""
    BROWSER = "browser"
    """As large as a browser's: a post-quantum key share and GREASE ECH, in two segments."""
    NO_ECH = "no_ech"
    """The browser's without its ECH extension, as large."""
    SEGMENTS = "segments"
    """The small one, cut inside the server name into two segments."""
    RECORDS = "records"
    """The small one, cut inside the server name into two TLS records."""
    ECH = "ech"
    """The browser's with a real ECH configuration: another name outside."""
    ESNI = "esni"
    """The small one with the extension that ECH grew out of, and no name."""
    NO_NAME = "no_name"
    """The small one without a server name."""


class EchConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a client must know of a server's ECH (RFC 9849 section 4)."""

    public_name: str
    config_id: int
    kdf: int
    aead: int


class NameKind(StrEnum):
    """Which name a try carried."""

    TEST = "test"
    NEUTRAL = "neutral"
    NONE = "none"


class Place(StrEnum):
    """Where a try went, seen from the target."""

    OWN = "own"
    """The address under test."""
    SIBLING = "sibling"
    """Another address that our own resolver gave for the name."""
    ELSEWHERE = "elsewhere"
    """An address that only another resolver gave for the name."""
    UNRELATED = "unrelated"
    """An address that has nothing to do with the name."""


class Design(StrEnum):
    """The comparison a follow-up belongs to."""

    REPEAT = "repeat"
    SNI = "sni"
    HOST = "host"
    CONNECT = "connect"
    """The connection alone, many times, and to another port of the host in turn: is its first packet lost?"""
    SHARE = "share"
    """The same handshake many times: does a share of them fail?"""
    VOLUME = "volume"
    """The same page again and again, and a comparison in turn: how fast, and how far."""
    FLOW = "flow"
    """Bytes at a steady rate from a control's echo port, under the name and under another in turn."""
    PATH = "path"
    """Another page of the same host: the name is held, the path varied."""
    CROSS = "cross"
    """The name at a control's echo port, an address that has nothing to do with it."""
    RESIDUAL = "residual"
    """A neutral name at once after the name, and later: for how long is the place dead?"""
    CERTIFICATE = "certificate"
    """A neutral name at the place of a certificate that does not hold: is the site's own one shown then?"""
    RESOLVERS = "resolvers"
    NEUTRAL_LOOKUP = "neutral_lookup"
    NOWHERE = "nowhere"
    """A question to an address at which no resolver is, named by the user: who answers stands on the way."""
    ADDRESSES = "addresses"
    HOLD = "hold"
    PORTS = "ports"
    """Another port of the same host."""
    MIN_TTL = "min_ttl"
    TRACE = "trace"
    """Packets that live for some hops only, to the place under test and to a neighbour."""
    ENCRYPTED_ROUTE = "encrypted_route"
    """The same host over https, to hold a cleartext page against."""
    HTTP3 = "http3"
    """The same page over HTTP/3, and what becomes of QUIC on the way there."""
    SOURCE_PORT = "source_port"
    """The same QUIC from a source port that is not above the one it goes to: at least one filter lets such flows be."""
    INITIAL = "initial"
    """The same QUIC with a hello that takes two datagrams, as browsers' do, its name in the second."""
    ROUTE = "route"
    """The page over HTTP/3 where TLS over TCP fails: another route to the same host."""
    HELLO = "hello"
    """The same name in ClientHellos of other shapes."""
    ECH = "ech"
    """The name hidden as the site's own zone asks browsers to."""
    SERVICE = "service"
    """Something else on the same host, which has nothing to do with the tunnel."""
    REFERENCE = "reference"
    """The same protocol with another server, whose credentials are known to be good."""
    ENTROPY = "entropy"
    """Bytes that look like nothing, and the same with what such filters let go, at a control's echo ports."""
    PROTOCOL = "protocol"
    """A page, and bytes of no known protocol, in turn at a control's echo ports."""
    PROXY = "proxy"
    """Unrelated names at an address that was given for this one: does it serve whatever it is asked for?"""
    SYSTEM = "system"
    """The operating system's own resolver function beside our view of its nameservers."""


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """One follow-up. Its id is `design.cell.place.number`, unique in a measurement."""

    id: str
    design: Design
    step: Step
    name: str
    name_kind: NameKind
    place: Place = Place.OWN
    endpoint: Endpoint | None = None
    resolver: Resolver | None = None
    query_type: str = "A"
    path: str = "/"
    host: str = ""
    """Whom the request names, if not whom the hello does."""
    secure: bool = True
    shape: HelloShape = HelloShape.STOCK
    ech: EchConfig | None = None
    """With the shape of that name."""
    low_port: bool = False
    """From a source port that is not above the one it goes to, where all others are above theirs."""
    beside: str = ""
    """The neutral name, for a step that compares within itself."""
    ttls: tuple[int, ...] = ()
    """For a trace: how many hops each of its packets may make."""
    hop: int = 0
    about: str = ""
    """The address or resolver under test, when that is not where the try goes."""
    delay_s: float = 0.0
    """Wait at least this long after the experiment is planned."""
    within_s: float = 0.0
    """Give it up after this long; 0 = the target's own timeout. For what must not hold up a page that works."""
    cell: int = 0
    """Number of the try within its cell, from 1; order matters in T C T C designs."""

    @property
    def over_udp(self) -> bool:
        """Tell whether it goes to its endpoint in QUIC."""
        return self.step in (Step.QUIC, Step.QUIC_PING, Step.FETCH_H3)


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Follow-ups that must wait for a cold endpoint; the schedule runs them as a new measurement."""

    due_in_s: float
    question: str
    """What they will settle, for a reader."""
    experiments: tuple[Experiment, ...]
    second_opinion: bool = False
    """A control says that nobody gets there: ask another one as well, for the first may stand behind a censor."""
