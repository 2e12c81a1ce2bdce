"""The vantage comes first: when a failure may be judged at all. Source: CONTRACT section 3."""

from probe.classify.case import Case
from probe.classify.fold import Folded
from probe.classify.status import Usable
from probe.classify.tries import Outcome, Try
from probe.model.depth import Depth
from probe.model.observation import DialogueExchange, HTTPExchange, QUICHandshake, TLSHandshake
from probe.model.pattern import Pattern
from probe.model.vantage import Baseline, VantageState
from probe.model.verdict import Cause, Confidence, Evidence, EvidenceFamily


def needs_baseline(table: tuple[Try, ...]) -> bool:
    """Tell whether anything seen could be the vantage's own fault.

    A success with a valid certificate, or with a server's proven keys, cannot; a failure can, and so can a page that
    came in the clear (a portal's).
    """
    checks = [row for row in table if row.experiment is None and not row.measurement]
    if any(row.outcome is not Outcome.OK for row in checks):
        return True
    shaken = (row.observation for row in checks if isinstance(row.observation, TLSHandshake | QUICHandshake))
    if any(handshake.verified for handshake in shaken):
        return False
    # A portal does not have a tunnel's keys, so a conversation that proved them went past any.
    spoken = (row.observation for row in checks if isinstance(row.observation, DialogueExchange))
    return not any(exchange.depth.rank >= Depth.PROOF.rank for exchange in spoken)


def suspended(case: Case, folded: Folded, table: tuple[Try, ...]) -> Folded | None:
    """Return what to say instead when the vantage does not allow the judgement, else `None`."""
    if not needs_baseline(table) or folded.cause is Cause.INSTRUMENT:
        return None
    baseline = case.baseline
    if baseline is None:
        return None if folded.usable is Usable.ALL and not _cleartext(table) else _waiting(folded)
    match baseline.state:
        case VantageState.OFFLINE if folded.patterns[:1] == (Pattern.NET_CLOCK,):
            # By a wrong clock no certificate holds, the anchors' as little as the target's: "offline" would say less.
            return None
        case VantageState.OFFLINE if _names_fail(baseline):
            return _unfit(Pattern.NET_DNS_BROKEN, "net.dns_broken", "No name resolves here, not even a neutral one.")
        case VantageState.OFFLINE if _hellos_fail(baseline):
            return _unfit(Pattern.NET, "net.handshakes_fail", "Connections open here and no handshake completes.")
        case VantageState.OFFLINE:
            return _unfit(Pattern.NET_OFFLINE, "net.offline", "This network has no way out; nothing is judged.")
        case VantageState.PORTAL:
            return _unfit(Pattern.NET_CAPTIVE_PORTAL, "net.portal", "A captive portal answers in place of sites.")
        case VantageState.FOREIGN_CUT if folded.usable is Usable.NONE and not _own_reason(folded):
            return _foreign_cut(selective=baseline.selective)
        case _:
            return None


def _own_reason(folded: Folded) -> bool:
    """Tell whether the target fails for a reason that a cut has no part in: its server answered, or this host erred."""
    if folded.cause in (Cause.SERVER, Cause.LOCAL):
        return True
    return folded.cause is Cause.OUTAGE and folded.confidence >= Confidence.C2


def _names_fail(baseline: Baseline) -> bool:
    """Tell whether names alone are out of order: the gateway answers, and no anchor's name gives an address."""
    return baseline.gateway_ok is True and bool(baseline.anchors) and all(a.failure == "dns" for a in baseline.anchors)


def _hellos_fail(baseline: Baseline) -> bool:
    """Tell whether anchors connect, and none gets through a handshake: large packets are lost, or TLS is kept out."""
    reached = [anchor for anchor in baseline.anchors if anchor.failure == "tls"]
    return len(reached) >= 2 and not any(anchor.ok for anchor in baseline.anchors)


def _cleartext(table: tuple[Try, ...]) -> bool:
    return any(isinstance(row.observation, HTTPExchange) and not row.observation.secure for row in table)


def _waiting(folded: Folded) -> Folded:
    note = Evidence(
        rule_id="vantage.not_yet_known",
        family=EvidenceFamily.OBSERVED,
        reason="No look at the vantage itself has succeeded since; the failure is not judged.",
        confidence=Confidence.C0,
    )
    return Folded(
        usable=Usable.NONE,
        cause=Cause.UNKNOWN,
        confidence=Confidence.C0,
        evidence=(note, *folded.evidence),
    )


def _unfit(pattern: Pattern, rule_id: str, reason: str) -> Folded:
    note = Evidence(
        rule_id=rule_id,
        family=EvidenceFamily.OBSERVED,
        pattern=pattern,
        cause=Cause.LOCAL,
        confidence=Confidence.C0,
        reason=reason,
    )
    return Folded(
        usable=Usable.NONE, patterns=(pattern,), cause=Cause.LOCAL, confidence=Confidence.C0, evidence=(note,)
    )


def _foreign_cut(*, selective: bool) -> Folded:
    pattern = Pattern.NET_ALLOWLIST_MODE if selective else Pattern.NET_FOREIGN_CUT
    note = Evidence(
        rule_id="net.allowlist_mode.selective" if selective else "net.foreign_cut",
        family=EvidenceFamily.DIFFERENTIAL if selective else EvidenceFamily.OBSERVED,
        pattern=pattern,
        cause=Cause.NETWORK if selective else Cause.UNKNOWN,
        confidence=Confidence.C2 if selective else Confidence.C1,
        reason=(
            "Only some foreign places pass on this path, all others fail."
            if selective
            else "Domestic places answer and foreign ones do not: a cut cable looks the same as a closed border."
        ),
    )
    return Folded(
        usable=Usable.NONE, patterns=(pattern,), cause=note.cause, confidence=note.confidence, evidence=(note,)
    )
