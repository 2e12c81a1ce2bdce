"""What a baseline's sights say about the vantage. Source: CONTRACT section 3."""

import msgspec

from probe.model.vantage import AnchorResult, LocalFinding, VantageState

QUORUM = 2
"""One anchor that fails, or passes, is a target like any other."""
CLOCK_WRONG_S = 300.0
"""Certificates and tokens tolerate less than an hour; five minutes is no round-trip artefact."""


class Sights(msgspec.Struct, frozen=True, kw_only=True):
    """What a baseline saw, before judgement."""

    gateway_ok: bool | None = None
    resolvers_ok: int = 0
    resolvers_total: int = 0
    resolver_outside: bool = False
    """At least one resolver that answered is outside our own network."""
    anchors: tuple[AnchorResult, ...] = ()
    previous: tuple[AnchorResult, ...] = ()
    """The anchors of the look before: only what was so twice shows that a border is selective, not congested."""
    portal_status: int | None = None
    """HTTP status of the portal check; `None` = it was not asked or did not answer."""
    portal_body_bytes: int = 0
    families: tuple[int, ...] = ()
    """Families with a route."""
    udp_ok: bool | None = None
    clock_offset_s: float | None = None
    tunnel_route: bool = False
    proxy_environment: bool = False
    fake_addresses: bool = False
    """Neutral names resolved to 198.18/15 or private addresses."""
    neutral_falsified: bool = False
    """Our resolver denied or falsified neutral names that an encrypted resolver knows."""
    getaddrinfo_differs: bool = False


class Fitness(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of the vantage."""

    state: VantageState
    findings: tuple[LocalFinding, ...] = ()
    selective: bool = False
    loss_ratio: float = 0.0
    families: tuple[int, ...] = ()


def judge_vantage(sights: Sights) -> Fitness:
    """Say whether failures may be judged from here, and what interferes on or beside this machine."""
    foreign = [a for a in sights.anchors if a.group == "foreign"]
    domestic = [a for a in sights.anchors if a.group == "domestic"]
    inspected = _common_issuer(foreign + domestic)
    passing = [a for a in foreign if a.ok or (inspected and a.issuer == inspected)]
    home = [a for a in domestic if a.ok or (inspected and a.issuer == inspected)]
    state = _state(sights, foreign, passing, domestic, home, inspected=bool(inspected))
    names_passing = {a.address for a in passing}
    return Fitness(
        state=state,
        # Until one has logged in a portal signs every site as well: that is no TLS inspection.
        findings=_findings(sights, inspected=bool(inspected) and state is not VantageState.PORTAL),
        selective=state is VantageState.FOREIGN_CUT and _is_selective(foreign, list(sights.previous)),
        loss_ratio=1.0 - len(names_passing) / len({a.address for a in foreign}) if foreign else 0.0,
        families=_families(sights, passing + home),
    )


def _state(
    sights: Sights,
    foreign: list[AnchorResult],
    passing: list[AnchorResult],
    domestic: list[AnchorResult],
    home: list[AnchorResult],
    *,
    inspected: bool,
) -> VantageState:
    names = {a.address for a in passing}
    quorum = min(QUORUM, len({a.address for a in foreign})) or 1
    proven = any(a.ok for a in passing + home)
    if _portal_answered(sights) and not proven:
        return VantageState.PORTAL
    if len(names) < quorum:
        home_answers = bool(home) or (not domestic and sights.resolver_outside and sights.resolvers_ok > 0)
        if home_answers or (names and not domestic):
            return VantageState.FOREIGN_CUT
        # An anchor that proves itself shows a way out; what else failed is judged target by target.
        return VantageState.DEGRADED if names else VantageState.OFFLINE
    broken_family = any(
        family in sights.families and not any(a.family == family and (a.ok or inspected) for a in sights.anchors)
        for family in {a.family for a in sights.anchors}
    )
    few = len(names) * 2 < len({a.address for a in foreign})
    dead_resolver = 0 < sights.resolvers_ok < sights.resolvers_total
    return VantageState.DEGRADED if broken_family or few or dead_resolver else VantageState.ONLINE


def _is_selective(foreign: list[AnchorResult], previous: list[AnchorResult]) -> bool:
    """Tell whether the same foreign anchors passed and the same, two or more, failed in two looks one after the other.

    On a congested line some pass by chance, and others the next time.
    """
    earlier = _names_by_outcome([a for a in previous if a.group == "foreign"])
    now = _names_by_outcome(foreign)
    changed = (now[True] & earlier[False]) | (now[False] & earlier[True])
    return bool(now[True] & earlier[True]) and len(now[False] & earlier[False]) >= QUORUM and not changed


def _names_by_outcome(anchors: list[AnchorResult]) -> dict[bool, set[str]]:
    good = {a.address for a in anchors if a.ok}
    return {True: good, False: {a.address for a in anchors} - good}


def _portal_answered(sights: Sights) -> bool:
    status = sights.portal_status
    return status is not None and (status != 204 or sights.portal_body_bytes > 0)


def _common_issuer(anchors: list[AnchorResult]) -> str:
    """Return the non-public issuer that at least two neutral names share, or an empty string."""
    seen: dict[str, set[str]] = {}
    for anchor in anchors:
        if anchor.issuer:
            seen.setdefault(anchor.issuer, set()).add(anchor.address)
    return next((issuer for issuer, names in seen.items() if len(names) >= 2), "")


def _findings(sights: Sights, *, inspected: bool) -> tuple[LocalFinding, ...]:
    clock_wrong = sights.clock_offset_s is not None and abs(sights.clock_offset_s) > CLOCK_WRONG_S
    marks = (
        (sights.tunnel_route, LocalFinding.TUNNEL_ROUTE),
        (sights.fake_addresses, LocalFinding.FAKE_IP),
        (inspected, LocalFinding.TLS_INSPECTION),
        (sights.proxy_environment, LocalFinding.PROXY_ENVIRONMENT),
        (sights.neutral_falsified and not sights.fake_addresses, LocalFinding.RESOLVER_FALSIFIES),
        (sights.getaddrinfo_differs, LocalFinding.GETADDRINFO_DIFFERS),
        (clock_wrong, LocalFinding.CLOCK_WRONG),
    )
    return tuple(finding for seen, finding in marks if seen)


def _families(sights: Sights, working: list[AnchorResult]) -> tuple[int, ...]:
    """Return the families that carried something; with no anchor asked in a family, those with a route."""
    tried = {a.family for a in sights.anchors}
    worked = {a.family for a in working}
    return tuple(f for f in sights.families if f in worked or f not in tried)
