"""The configuration as frozen values: `probe.config` reads YAML into them, every other room takes its part."""

from enum import StrEnum

import msgspec

from probe.model.control import ControlKind
from probe.model.observation import Resolver
from probe.model.target import Exposure, SecretRef
from probe.model.written import Written


class Profile(StrEnum):
    """How much traffic a vantage can bear."""

    LINE = "line"
    SERVER = "server"


class PerTarget(StrEnum):
    """How many series a target has on /metrics."""

    FULL = "full"
    STATUS = "status"
    NONE = "none"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets. The figures of profile `line`; `server` has 1000, 700 and 10000."""

    profile: Profile = Profile.LINE
    connections_per_s: float = 30.0
    dns_per_s: float = 20.0
    sockets: int = 300
    bytes_per_day: int = 2_000_000_000
    cool_down_s: float = 200.0
    """How long an endpoint stays hot after a step failed there with a name or signature sent."""
    rounds_apart_s: float = 30.0
    """How far apart what a control sees is asked twice, before it counts."""
    handshakes_apart_s: float = 60.0
    """How far apart two handshakes with one tunnel's endpoint are, whoever asks."""
    longest_interval_s: float = 3600.0
    """To this the interval of a target doubles while it is unreachable and nothing changes."""


class TargetSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where targets come from: exactly one of `file`, `http_sd`, `uri` and `shipped`."""

    file: str = ""
    """Path of a list; the last part may hold `*`. Of a shipped list: where it was found."""
    http_sd: str = ""
    uri: str = ""
    shipped: str = ""
    """Name of a list that comes with the package, such as `sites-foreign`; `file` then holds its path."""
    refresh_s: float = 300.0
    group: str = ""
    exposure: Exposure = Exposure.PUBLIC
    interval_s: float | None = None
    timeout_s: float | None = None
    labels: dict[str, str] = {}
    entry: Written | None = None
    """With `uri`: what else was written beside it (`expect`, `request`, ...); `probe.targets` reads it."""
    place: str = ""
    """Where it was written, for error lines: `wallprobe.yml:4`."""


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a target gets that says nothing itself."""

    interval_s: float = 300.0
    timeout_s: float = 10.0


class Anchors(msgspec.Struct, frozen=True, kw_only=True):
    """What the vantage baseline asks; URLs, never-blocked ones."""

    foreign: tuple[str, ...] = ()
    domestic: tuple[str, ...] = ()
    portal: str = ""
    """An http URL that answers 204 with no body."""
    sham: tuple[str, ...] = ()
    """Neutral URLs run as if they were targets: what is found on them is a false positive."""


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The database."""

    path: str = ""
    """Empty = `$STATE_DIRECTORY/wallprobe.db`, else the user's state folder."""
    keep_s: float = 90 * 86400.0
    max_size_bytes: int = 2_000_000_000


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP server."""

    listen: tuple[str, ...] = ("127.0.0.1:9785",)
    config_file: str = ""
    modules_file: str = ""
    """A blackbox_exporter's configuration: on /probe its modules mean what they meant there."""
    allow_insecure: bool = False
    open_health: bool = False
    """Answer `/-/healthy` and `/-/ready` without authentication: whoever restarts us knows no password."""
    systemd_socket: bool = False
    """Listen on nothing but what systemd passed."""
    telemetry_path: str = "/metrics"
    external_url: str = ""
    """Under which others reach us, behind a reverse proxy; its host is welcome on loopback."""
    route_prefix: str = ""
    """What stands before every path, such as `/wallprobe`; empty = the path of `external_url`."""


class VantageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator says of the place."""

    id: str = "local"
    country: str = "ZZ"
    asn: int = 0


class ControlSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One control: somebody who measures for us from elsewhere."""

    url: str = ""
    """Of its interface: `https://control.example:8443`. Empty = the way there is the control itself: a tunnel."""
    name: str = ""
    """Shown in evidence; empty = host and port."""
    kind: ControlKind = ControlKind.WALLPROBE
    token: SecretRef | None = None
    pin: str = ""
    """SHA-256 of its certificate (lower-case hex); then neither name nor chain is asked about."""
    ca_file: str = ""
    cert_file: str = ""
    """Our own certificate, where the control asks for one."""
    key_file: str = ""
    proxy: str = ""
    """How to get there: `socks5://127.0.0.1:1080` or `http://127.0.0.1:3128`; empty = directly.

    Without `url` also `device://wg0`, a network device that the measurements leave by.
    """
    asn: int = 0
    country: str = ""


class TokenEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One token of somebody who may ask, as a configuration has it."""

    name: str
    sha256: str
    """Lower-case hex."""
    per_minute: float


class PeerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which other agents may ask this one; nobody unless said."""

    tokens: tuple[TokenEntry, ...] = ()
    client_certificates: bool = False
    """Whoever shows a certificate of the web server's client authority may ask too."""
    per_minute: float = 60.0

    @property
    def served(self) -> bool:
        """Tell whether anybody may ask."""
        return bool(self.tokens) or self.client_certificates


class TLSLibrary(StrEnum):
    """Which library confirms, by one more handshake, that a target is still fine; OpenSSL does all else."""

    AUTO = "auto"
    """rustls where it is installed."""
    OPENSSL = "openssl"
    RUSTLS = "rustls"


class TunnelNames(StrEnum):
    """How tunnels' endpoints are called in all that is shown and stored."""

    SHOW = "show"
    """By address and name; metrics have ids that do not tell."""
    ALIAS = "alias"
    """By an alias alone: the owner's, or one made with the installation's key."""


class PrivacySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept from whoever reads what this installation says."""

    tunnels: TunnelNames = TunnelNames.SHOW
    key_file: str = ""
    """The key that makes aliases; empty = one of this installation's, made beside the database."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration; every field has a default."""

    vantage: VantageSettings = VantageSettings()
    targets: tuple[TargetSource, ...] = ()
    defaults: Defaults = Defaults()
    anchors: Anchors = Anchors()
    resolvers: tuple[Resolver, ...] = ()
    """Resolvers other than the system's: controls, asked on failure."""
    nowhere: tuple[str, ...] = ()
    """Addresses of the user's own, outside, at which no resolver is; DNS questions go there only where any is named."""
    controls: tuple[ControlSettings, ...] = ()
    """In the order in which they are preferred."""
    peers: PeerSettings = PeerSettings()
    references: tuple[TargetSource, ...] = ()
    """Servers of tunnels' protocols that are known to work, for comparisons; each with an address literal."""
    ca_file: str = ""
    """Trust these roots instead of certifi's; `SSL_CERT_FILE` comes second, certifi last."""
    tls_library: TLSLibrary = TLSLibrary.AUTO
    limits: Limits = Limits()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    per_target: PerTarget | None = None
    """`None` = full up to 5,000 targets, status above."""
    max_series: int = 2_000_000
    """More than this on /metrics is refused: it would be Prometheus that falls over, and not here."""
    asn_file: str = ""
    """An mmdb file with AS numbers; empty = AS unknown."""
    fingerprints_file: str = ""
    """Block page fingerprints in OONI's CSV columns, besides our own list."""
    accept_risk: bool = False
    privacy: PrivacySettings = PrivacySettings()
