"""Where we stand, and whether that place is fit to judge from."""

from enum import StrEnum

import msgspec


class VantageState(StrEnum):
    """Fitness of the vantage; only `portal` and `offline` suspend judgement."""

    ONLINE = "online"
    DEGRADED = "degraded"
    FOREIGN_CUT = "foreign_cut"
    PORTAL = "portal"
    OFFLINE = "offline"


class LocalFinding(StrEnum):
    """Interception that sits on or beside this machine: found at the vantage, never on targets."""

    TUNNEL_ROUTE = "tunnel_default_route"
    FAKE_IP = "fake_ip_proxy"
    TLS_INSPECTION = "tls_inspection"
    PROXY_ENVIRONMENT = "proxy_environment"
    RESOLVER_FALSIFIES = "own_resolver_falsifies"
    GETADDRINFO_DIFFERS = "getaddrinfo_differs"
    CLOCK_WRONG = "clock_wrong"


class Vantage(msgspec.Struct, frozen=True, kw_only=True):
    """The place a measurement was taken from. Our own address is not part of it."""

    id: str = "local"
    asn: int = 0
    """Own AS number; 0 = unknown, and rules that need it have no data."""
    as_name: str = ""
    country_code: str = "ZZ"
    resolver_asn: int = 0
    families: tuple[int, ...] = (4,)
    network: str = ""
    """Which access network this is, as a hash of its gateway and nameservers; tells two of one host apart."""
    via: str = ""
    """The tunnel that the default route leads into, such as `wg0`: what is seen is seen from its far end."""
    software_version: str = ""


class AnchorResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one anchor answered during a baseline."""

    address: str
    group: str
    """`foreign`, `domestic`, `portal` or `sham`."""
    ok: bool
    family: int = 4
    rtt_s: float | None = None
    failure: str = ""
    issuer: str = ""
    """Issuer of the leaf certificate when it does not lead to a public root."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the vantage itself. Failures are judged only by a fit one that started after them."""

    id: str
    quick: bool
    started_at: float
    """Wall time, seconds since the epoch (UTC)."""
    started_boot_s: float
    runtime_s: float
    state: VantageState
    gateway_ok: bool | None = None
    """`None` = could not be asked."""
    resolvers_ok: int = 0
    resolvers_total: int = 0
    anchors: tuple[AnchorResult, ...] = ()
    families: tuple[int, ...] = ()
    udp_ok: bool | None = None
    loss_ratio: float = 0.0
    clock_offset_s: float | None = None
    findings: tuple[LocalFinding, ...] = ()
    selective: bool = False
    """Some foreign names, ports or prefixes pass while others on the same path fail."""
    details: tuple[str, ...] = ()
    """One sentence each, for `wallprobe check` without a target."""

    @property
    def fit(self) -> bool:
        """Tell whether failures may be judged from here."""
        return self.state not in (VantageState.PORTAL, VantageState.OFFLINE)
