"""What a user wants to reach."""

from enum import StrEnum

import msgspec

from probe.model.endpoint import AddressFamily


class CheckName(StrEnum):
    """The questions we can ask: one file in `probe/checks` each."""

    WEB = "web"
    H3 = "h3"
    """A page over HTTP/3; judged for that transport alone."""
    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    DOT = "dot"
    DOH = "doh"
    ICMP = "icmp"
    GROUP = "group"
    """Several targets taken together: nothing is asked, their verdicts are folded."""
    VPN = "vpn"
    """Any protocol of tunnels and proxies; `params["protocol"]` names it."""


class Exposure(StrEnum):
    """How much harm probing can do to an endpoint (CONTRACT section 6)."""

    PUBLIC = "public"
    SHARED = "shared"
    PRIVATE = "private"


class SecretRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where a secret lives; its value is read only when it is needed and never stored."""

    source: str
    """`file:/path`, `env:NAME` or `credential:NAME`: the whole of it is the secret. `entry:/path#2.key`: the secret
    `key` of the third endpoint that the file names. `given:SERIAL.key`: it was in an address, and this process alone
    remembers it."""


class GroupMode(StrEnum):
    """What a group is, besides a word that several targets share."""

    LABEL = "label"
    """No more than that."""
    ANY = "any"
    """One usable member makes it usable, as the `remote` lines of one file."""
    ALL = "all"
    """It is usable while all its members are."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP header field; as an expectation, `value` is a regular expression."""

    name: str
    value: str


class StatusRange(msgspec.Struct, frozen=True, kw_only=True):
    """Inclusive range of HTTP status codes."""

    low: int
    high: int


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """What the user says a good answer looks like; everything given must hold."""

    status: tuple[StatusRange, ...] = ()
    body: str | None = None
    """Regular expression that must be found in the body."""
    body_not: str | None = None
    """Regular expression that must not be found in the body."""
    headers: tuple[Header, ...] = ()
    cert_sha256: tuple[str, ...] = ()
    """Acceptable SHA-256 hashes of the leaf certificate (lower-case hex)."""
    answer: tuple[str, ...] = ()
    """DNS: all of the answers must be among these."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """How a web target is asked."""

    method: str = "GET"
    headers: tuple[Header, ...] = ()
    body: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to reach, as a list or a person named it.

    The id derives from the address, so it is equal on all vantages. `params` holds what a scheme adds:
    `resolver` and `type` for dns, `sni` for tls, `path` for doh.
    """

    id: str
    check: CheckName
    address: str
    """The canonical URI, redacted: what is shown everywhere."""
    host: str
    """Server name or address literal, lower-case and IDNA-encoded."""
    port: int
    path: str = "/"
    """Path and query of a web target."""
    secure: bool = True
    """Web only: https or http."""
    family: AddressFamily | None = None
    """Judge this family alone; `None` = all that the vantage has."""
    params: dict[str, str] = {}
    secrets: dict[str, SecretRef] = {}
    """Where the secrets of a vpn target are, by the names that its protocol has for them."""
    key_tag: str = ""
    """Hash of those secrets, keyed by the installation: two runs with the same one used the same secrets. Empty = there
    are none, or they could not be read."""
    expect: Expect | None = None
    request: Request | None = None
    category: str = ""
    group: str = ""
    group_mode: GroupMode = GroupMode.LABEL
    labels: dict[str, str] = {}
    exposure: Exposure = Exposure.PUBLIC
    interval_s: float = 300.0
    timeout_s: float = 10.0
    alias: str = ""
    """What it is called everywhere in place of its address and name; empty = they are shown."""
    worked: str = ""
    """A day (ISO 8601) on which its user says that it worked with these credentials."""
    source: str = ""
    """File and line, or `command line`."""

    @property
    def place(self) -> str:
        """Return what a reader of its group calls it: `vpn.office.example:1194/udp`, `trojan 192.0.2.1:443`."""
        if self.alias:
            return self.alias
        host = f"[{self.host}]" if ":" in self.host else self.host
        carried, protocol = self.params.get("proto", ""), self.params.get("protocol", "")
        return f"{host}:{self.port}/{carried}" if carried else f"{protocol} {host}:{self.port}".lstrip()
