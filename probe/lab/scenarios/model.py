"""A scenario as data: what is different in the world, what the censor does, what is tried, and what is true."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from probe.lab.censor.rules import RuleSet
from probe.lab.censor.signatures import Signature
from probe.lab.line import Line
from probe.lab.world.plan import World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status


class Outcome(StrEnum):
    """What a plain socket meets."""

    OK = "ok"
    RESET = "reset"
    END = "end"
    SILENCE = "silence"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    BAD_CERTIFICATE = "bad_certificate"
    ALERT = "alert"
    NXDOMAIN = "nxdomain"
    DNS_ERROR = "dns_error"
    NO_ADDRESS = "no_address"
    NO_ROOM = "no_room"
    """Our own host has no descriptor, or no port, left."""


class Resolve(msgspec.Struct, frozen=True, kw_only=True, tag="resolve"):
    """Ask a resolver over UDP and listen on."""

    name: str
    resolver: str
    query_type: str = "A"
    hold_s: float = 0.4
    addresses: tuple[str, ...] = ()
    """The first answer's; empty = any."""
    replies: int = 1
    """How many different answers came."""


class Reach(msgspec.Struct, frozen=True, kw_only=True, tag="reach"):
    """Open a TCP connection."""

    address: str
    port: int = 443


class Greet(msgspec.Struct, frozen=True, kw_only=True, tag="greet"):
    """Shake hands by TLS with a server name, and look at the certificate."""

    address: str
    server_name: str
    port: int = 443


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """Fetch a page in clear."""

    address: str
    host: str
    port: int = 80
    path: str = "/"
    says: str = ""
    """Text that must be in what comes back."""


class LookUp(msgspec.Struct, frozen=True, kw_only=True, tag="look_up"):
    """Have the C library resolve a name, as most programs do."""

    name: str
    min_s: float = 0.0
    """So long it must take at least."""


class Proxied(msgspec.Struct, frozen=True, kw_only=True, tag="proxied"):
    """Shake hands by TLS through the proxy that the environment names."""

    server_name: str
    port: int = 443


class Pile(msgspec.Struct, frozen=True, kw_only=True, tag="pile"):
    """Open so many connections and keep them all."""

    address: str
    connections: int
    port: int = 443


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """Fetch over TLS and count what arrives within some seconds."""

    address: str
    server_name: str
    path: str = "/"
    within_s: float = 2.0
    min_bytes: int = 0
    max_bytes: int | None = None
    says: str = ""


class GreetQuic(msgspec.Struct, frozen=True, kw_only=True, tag="greet_quic"):
    """Shake hands by QUIC with a server name, look at the certificate, and fetch the page over HTTP/3."""

    address: str
    server_name: str
    port: int = 443
    source_port: int = 0
    """0 = any."""
    large: bool = False
    """With a hello that takes two datagrams."""


class Negotiate(msgspec.Struct, frozen=True, kw_only=True, tag="negotiate"):
    """Ask by QUIC for a version that nobody has: a server answers with those it has, before any name is said."""

    address: str
    port: int = 443


class SendHello(msgspec.Struct, frozen=True, kw_only=True, tag="send_hello"):
    """Send one ClientHello of this shape; any record that comes back will do."""

    address: str
    server_name: str
    extensions: tuple[int, ...] = ()
    padding: int = 0
    """So many bytes larger."""
    port: int = 443


class Speak(msgspec.Struct, frozen=True, kw_only=True, tag="speak"):
    """Send a tunnel's first packet, and data after it; each waits for its answer."""

    address: str
    port: int
    signature: Signature | None = None
    """`None` = `text`; without text, bytes that look fully encrypted."""
    text: str = ""
    over_tcp: bool = False
    data_packets: int = 0
    answers: int | None = None
    """How many must come before the end; `None` = it does not matter."""


Trial = Resolve | Reach | Greet | Ask | LookUp | Proxied | Pile | Load | GreetQuic | Negotiate | SendHello | Speak


class Met(msgspec.Struct, frozen=True, kw_only=True):
    """What one try met, in words where it is not what was wanted."""

    outcome: Outcome
    wrong: str = ""


class Symptom(msgspec.Struct, frozen=True, kw_only=True):
    """Something a plain socket must meet in the client for the scenario to be what it claims."""

    trial: Trial
    outcome: Outcome = Outcome.OK
    at_s: float = 0.0
    """When to start; all symptoms of a scenario are tried side by side."""
    times: int = 1
    """Tries, one after the other."""
    at_least: int | None = None
    """How many of the tries must meet the outcome; `None` = all."""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is so."""

    status: Status
    patterns: tuple[Pattern, ...] = ()
    """Primary first."""
    cause: Cause = Cause.NONE
    seen: tuple[Pattern, ...] = ()
    """What it looks like from here, where that is not what it is: naming that is no error."""
    local: Status | None = None
    """The strongest status that means on the spot, without an outside view, allow; `None` = the true one."""
    outside: Status | None = None
    """The strongest status that these and a control allow together; `None` = the true one."""


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else behind our address, who greets a host with a name again and again."""

    address: str
    server_name: str
    every_s: float


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """What is unusual about the host that asks."""

    nameservers: tuple[str, ...] = ()
    """What its resolv.conf says, if not the access network's resolver."""
    resolver_lines: tuple[str, ...] = ("options timeout:2 attempts:2",)
    """What else its resolv.conf says."""
    hosts: tuple[str, ...] = ()
    """Lines of its hosts file, besides its own name."""
    refused: tuple[str, ...] = ()
    """Prefixes to which its own routing lets nothing go, as firewalls and the emergency brakes of VPN clients do."""
    refusal: str = "prohibit"
    """How it refuses: `prohibit`, `unreachable` or `blackhole`, see ip-route(8)."""
    environment: dict[str, str] = {}
    """Variables of its programs."""
    denies_descriptors: bool = False
    """A program that has asked a resolver may not open another file."""
    takes_ports: bool = False
    """Another program has taken every port that connections could start from."""
    tunnel: bool = False
    """A tunnel to a host outside carries all that it sends."""
    neighbour: Neighbour | None = None


_SHELLS = ("sh", "unshare")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A real server that runs in the world; in its words `{folder}` is where its files are.

    `{certificate}` and `{key}` are paths of a certificate that is its own authority; `probe.lab.papers` lists others.
    """

    program: str
    words: tuple[str, ...]
    files: dict[str, str] = {}
    before: tuple[str, ...] = ()
    """A command that must end before it starts."""
    says: str = ""
    """Part of the line that it writes once it listens; empty = it says nothing."""
    needs: tuple[str, ...] = ()
    """Other programs that it starts; where a shell does so, the server is the first of them."""
    after: tuple[str, ...] = ()
    """A command that the client runs once it listens, and that must succeed."""

    @property
    def name(self) -> str:
        """Return the name of the server itself."""
        return self.needs[0] if self.program in _SHELLS and self.needs else self.program


class Proven(StrEnum):
    """What is known of a tunnel's credentials before it is judged."""

    NO = "no"
    BEFORE = "before"
    """The same handshake succeeded from here, before the censor was there."""
    ELSEWHERE = "elsewhere"
    """It succeeded twice from another network just now."""
    BOTH = "both"
    """The one, and then the other."""


class Tunnel(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario about a tunnel needs besides."""

    servers: tuple[Server, ...] = ()
    proven: Proven = Proven.NO
    proven_world: World | None = None
    """The world of that time; `None` = the same."""
    proven_servers: tuple[Server, ...] | None = None
    """The servers of that time; `None` = the same."""
    file: str = ""
    """A client's file or link, with papers in it by name; the target is then the file's name."""


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent is told, where that is not as in other scenarios."""

    timeout: str = ""
    """For a step; empty = as long as it is wont to."""
    cool_down: str = "3s"
    """Until a place is cold: shorter than in the field, and longer than any residual blocking of the scenario."""
    nowhere: tuple[str, ...] = ()
    """Addresses at which no resolver is."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One situation."""

    name: str
    about: str
    """One sentence for `lab list`."""
    world: World
    target: str
    """What a person would type."""
    truth: Truth
    rules: RuleSet = RuleSet()
    line: Line = Line()
    symptoms: tuple[Symptom, ...] = ()
    client: Client = Client()
    tunnel: Tunnel | None = None
    options: tuple[str, ...] = ()
    """What else a person would type who knows of such a case."""
    settles_s: float = 0.0
    """How long to wait before the target is judged."""
    configured: Configured = Configured()


Build = Callable[[World], Scenario]
"""A scenario for a world whose names and addresses are drawn by lot."""
