"""What the world consists of, as data: sites, resolvers, and what each answers."""

import ipaddress
from enum import StrEnum

import msgspec

from probe.lab.censor.signatures import Signature


class Certificate(StrEnum):
    """What a site shows when it is asked for one of its names."""

    VALID = "valid"
    EXPIRED = "expired"
    WRONG_NAME = "wrong_name"
    SELF_SIGNED = "self_signed"
    UNKNOWN_AUTHORITY = "unknown_authority"
    LARGE = "large"
    """Valid, and of the size that usual chains have: it takes several packets."""


class StrangeName(StrEnum):
    """What a site does with a server name that is not its own."""

    DEFAULT_CERTIFICATE = "default_certificate"
    ALERT = "alert"
    RESET = "reset"
    CLOSE = "close"
    SILENCE = "silence"


class Turn(StrEnum):
    """What one of several machines behind an address does with a connection."""

    SERVES = "serves"
    RESETS = "resets"
    CLOSES = "closes"
    HANGS = "hangs"
    """It takes the connection, and says nothing."""


class Demand(StrEnum):
    """What a TLS end wants of its clients."""

    TLS_1_2 = "tls_1_2"
    """No newer version."""
    CLIENT_CERTIFICATE = "client_certificate"
    HTTP_2 = "http_2"
    """No other protocol inside."""


class Page(msgspec.Struct, frozen=True, kw_only=True, tag="page"):
    """A page; without a body one is made up from the site's name."""

    status: int = 200
    title: str = ""
    body: str = ""
    body_bytes: int = 3000
    headers: dict[str, str] = {}


class Redirect(msgspec.Struct, frozen=True, kw_only=True, tag="redirect"):
    """Send the client elsewhere."""

    location: str
    status: int = 302


class Countdown(msgspec.Struct, frozen=True, kw_only=True, tag="countdown"):
    """`/N` redirects to `/N-1`, and `/0` is a page."""

    prefix: str = "/redirect/"


class Trickle(msgspec.Struct, frozen=True, kw_only=True, tag="trickle"):
    """A body that comes slowly."""

    body_bytes: int
    bytes_per_s: float


class Mute(msgspec.Struct, frozen=True, kw_only=True, tag="mute"):
    """Take the request and never answer."""


class HangUp(msgspec.Struct, frozen=True, kw_only=True, tag="hang_up"):
    """Take the request and close, by FIN or by reset."""

    reset: bool = False


Answer = Page | Redirect | Countdown | Trickle | Mute | HangUp


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A stand-in for a server that is not the web's: it answers first packets as the real one does."""

    port: int
    speaks: Signature | None = None
    """`None` = it answers whatever it is sent."""
    over_tcp: bool = False


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A web site: its names, where it lives, what it serves."""

    names: tuple[str, ...]
    addresses: tuple[str, ...]
    answer: Answer = Page()
    paths: dict[str, Answer] = {}
    """Other answers by prefix of the path."""
    certificate: Certificate = Certificate.VALID
    cleartext: Answer | None = None
    """What port 80 serves, if something else."""
    http_ports: tuple[int, ...] = (80,)
    https_ports: tuple[int, ...] = (443,)
    h3_ports: tuple[int, ...] = ()
    """Where it serves HTTP/3; its pages say so by Alt-Svc (RFC 7838)."""
    ech_name: str = ""
    """Its zone asks browsers to hide its names behind this one (RFC 9849); empty = it does not."""
    services: tuple[Service, ...] = ()
    strange_name: StrangeName = StrangeName.DEFAULT_CERTIFICATE
    own_name: StrangeName = StrangeName.DEFAULT_CERTIFICATE
    """What its own names meet where the machine behind a balancer that goes by names is broken; usually all is well."""
    longest_hello_bytes: int | None = None
    """It resets larger ones, as servers do that read one segment only; `None` = it takes any."""
    turns: tuple[Turn, ...] = ()
    """What becomes of one connection after the other at each of its addresses; empty = all are served."""
    demands: tuple[Demand, ...] = ()
    is_up: bool = True
    """False: nobody is at its addresses; packets to them vanish."""
    dead_addresses: int = 0
    """How many of its addresses, after the first, are dead."""
    shuns_client: bool = False
    """Its own firewall drops what comes from our country; others are served."""

    @property
    def name(self) -> str:
        """Return the main name."""
        return self.names[0]

    @property
    def url(self) -> str:
        """Return the address a person would type."""
        return f"https://{self.names[0]}/"

    @property
    def cleartext_url(self) -> str:
        """Return the same without TLS."""
        return f"http://{self.names[0]}/"

    @property
    def live_addresses(self) -> tuple[str, ...]:
        """Return the addresses at which it answers."""
        return self.addresses[:1] + self.addresses[1 + self.dead_addresses :]

    @property
    def v4(self) -> tuple[str, ...]:
        """Return the IPv4 addresses."""
        return tuple(a for a in self.addresses if ":" not in a)

    @property
    def v6(self) -> tuple[str, ...]:
        """Return the IPv6 addresses."""
        return tuple(a for a in self.addresses if ":" in a)


class Lie(msgspec.Struct, frozen=True, kw_only=True):
    """What a resolver says of a name instead of the truth."""

    addresses: tuple[str, ...] = ()
    rcode: int = 0
    is_silent: bool = False
    remembered_s: int = 0
    """So long, at most, it is remembered still that the name's zone denied it; 0 = it is not."""


class NameServer(msgspec.Struct, frozen=True, kw_only=True):
    """A resolver: where it listens, and what it lies about."""

    key: str
    addresses: tuple[str, ...]
    server_name: str = ""
    """Name in its certificate; empty = UDP and TCP only."""
    lies: dict[str, Lie] = {}
    """By name; `*.parent` = all below a name, `*` = every name."""
    invents: tuple[str, ...] = ()
    """What it says of names that nobody has; empty = that there are none."""
    is_up: bool = True


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A middlebox with an address of its own, to which censors divert or lie.

    On 443 it answers hellos with forged certificates for some names and splices all others to where they belong;
    on 80 it serves `page` for those names and splices the rest.
    """

    addresses: tuple[str, ...]
    forges_for: tuple[str, ...] = ()
    """Names whose TLS it ends itself; `*` any."""
    page: Page = Page()
    pages_for: tuple[str, ...] = ()
    """Hosts that get `page` on port 80."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything outside the client."""

    sites: dict[str, Site]
    """By what they are in a scenario, such as `news`; the names they have are drawn by lot."""
    resolvers: tuple[NameServer, ...]
    box: Box
    records: dict[str, Lie] = {}
    """Names that are no site's, as every resolver tells them."""
    aliases: dict[str, str] = {}
    """CNAMEs."""
    clock_offset_s: float = 0.0
    """How far the world's certificates and Date headers are from our clock."""

    def change(self, key: str, **fields: object) -> "World":
        """Return a world in which one site has other properties."""
        site = msgspec.structs.replace(self.sites[key], **fields)
        return msgspec.structs.replace(self, sites={**self.sites, key: site})

    def lie(self, resolver: str, lies: dict[str, Lie]) -> "World":
        """Return a world in which one resolver lies about these names, besides its other lies."""
        changed = tuple(
            msgspec.structs.replace(r, lies={**r.lies, **lies}) if r.key == resolver else r for r in self.resolvers
        )
        return msgspec.structs.replace(self, resolvers=changed)

    def silence(self, resolver: str) -> "World":
        """Return a world in which one resolver is switched off."""
        changed = tuple(msgspec.structs.replace(r, is_up=False) if r.key == resolver else r for r in self.resolvers)
        return msgspec.structs.replace(self, resolvers=changed)

    @property
    def empty_addresses(self) -> tuple[str, ...]:
        """Return the addresses at which, seen from the client, nobody is."""
        alive = {a for s in self.sites.values() if s.is_up for a in s.live_addresses}
        off = {a for s in self.sites.values() for a in s.addresses}
        alive -= {a for s in self.sites.values() if s.shuns_client for a in s.addresses}
        off |= {a for r in self.resolvers if not r.is_up for a in r.addresses}
        return tuple(sorted(off - alive))

    @property
    def all_addresses(self) -> tuple[str, ...]:
        """Return every address that the world owns."""
        owned = {a for s in self.sites.values() for a in s.addresses}
        owned |= {a for r in self.resolvers for a in r.addresses}
        return tuple(sorted(owned | set(self.box.addresses), key=lambda a: (":" in a, ipaddress.ip_address(a).packed)))
