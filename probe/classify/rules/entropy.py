"""Rules about filters that drop connections because they look like nothing that is known.

Source: Wu et al. (USENIX Security 2023), algorithm 1; Bock et al. (FOCI 2020); CONTRACT section 2 (five of five against
none of five).
"""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.shares import Share
from probe.classify.facts.tunnel_facts import TunnelFacts
from probe.classify.pairs import PAIRS
from probe.classify.plans.entropy import is_opaque
from probe.classify.rules.rule import C2, Rule
from probe.classify.rules.vpn import level_elsewhere
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.experiment import Design, NameKind, Place
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, EvidenceFamily

LEAST_STOPPED = 5
"""Of thirty: fewer may be chance where some line loses more than another."""


def _sent(facts: PathFacts, kind: NameKind) -> tuple[Try, ...]:
    rows = facts.seen(Layer.VPN, name=kind, at=tuple(Place), design=Design.ENTROPY)
    return tuple(row for row in rows if row.experiment is not None and row.experiment.about == facts.spot)


def _reacts_to_bytes(facts: PathFacts) -> bool:
    if not facts.failed(Layer.VPN, *TRIGGERABLE) or not is_opaque(facts.case.target):
        return False
    tunnel = TunnelFacts(facts)
    broken = facts.failing
    if not tunnel.proofs or broken is None:
        return False
    opaque, exempt = _sent(facts, NameKind.TEST), _sent(facts, NameKind.NEUTRAL)
    stopped = [row for row in opaque if row.outcome is broken.outcome]
    passed = [row for row in exempt if row.outcome is Outcome.OK]
    return len(stopped) == len(opaque) >= PAIRS and len(passed) == len(exempt) >= PAIRS


def _only_known_passes(facts: PathFacts) -> bool:
    """Tell whether a page came from each of five ports of a control, and bytes of no protocol never arrived there."""
    if not facts.failed(Layer.VPN, Outcome.SILENT) or not is_opaque(facts.case.target):
        return False
    if not TunnelFacts(facts).proofs:
        return False
    unknown = _of_protocols(facts, Layer.VPN, NameKind.TEST)
    known = _of_protocols(facts, Layer.HTTP, NameKind.NEUTRAL)
    stopped = [row for row in unknown if row.outcome is Outcome.SILENT]
    passed = [row for row in known if row.outcome is Outcome.OK]
    return len(stopped) == len(unknown) >= PAIRS and len(passed) == len(known) >= PAIRS


def _of_protocols(facts: PathFacts, layer: Layer, kind: NameKind) -> tuple[Try, ...]:
    rows = facts.seen(layer, name=kind, at=tuple(Place), design=Design.PROTOCOL)
    return tuple(row for row in rows if row.experiment is not None and row.experiment.about == facts.spot)


def _share_of(facts: PathFacts) -> Share | None:
    """Return how often such bytes were stopped, where letters and few bits never were; `None` = that is not so."""
    broken = facts.failing
    if broken is None or not facts.failed(Layer.VPN, *TRIGGERABLE) or not is_opaque(facts.case.target):
        return None
    opaque, exempt = _sent(facts, NameKind.TEST), _sent(facts, NameKind.NEUTRAL)
    stopped = [row for row in opaque if row.outcome is broken.outcome]
    good = [row for row in opaque if row.outcome is Outcome.OK]
    if not TunnelFacts(facts).proofs or len(stopped) + len(good) < len(opaque):
        return None
    baseline = facts.case.baseline
    return Share(
        failed=len(stopped),
        good=len(good),
        controls=sum(row.outcome is Outcome.OK for row in exempt),
        controls_failed=sum(row.outcome is not Outcome.OK for row in exempt),
        outcome=broken.outcome,
        loss_ratio=baseline.loss_ratio if baseline is not None else 0.0,
    )


def _stops_some(facts: PathFacts) -> bool:
    share = _share_of(facts)
    return share is not None and share.failed >= LEAST_STOPPED and share.is_shown and share.is_the_names


def _counts(facts: PathFacts) -> str:
    share = _share_of(facts)
    if share is None:
        return ""
    return f"Stopped {share.failed} of {share.failed + share.good}, and none of {share.controls} others."


ENTROPY_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.protocol_allowlist.page_passes",
        when=_only_known_passes,
        pattern=Pattern.FLOW_PROTOCOL_ALLOWLIST,
        cause=Cause.NETWORK,
        family=EvidenceFamily.DIFFERENTIAL,
        level=C2,
        reason="Bytes of no known protocol never arrive at a control's ports, and a page comes from each of them.",
    ),
    Rule(
        id="flow.entropy.exempt_passes",
        when=_reacts_to_bytes,
        pattern=Pattern.FLOW_ENTROPY,
        cause=Cause.NETWORK,
        family=EvidenceFamily.DIFFERENTIAL,
        level=C2,
        reason="Random bytes are stopped at a control's ports too; with letters in front, or fewer bits, they pass.",
    ),
    Rule(
        id="flow.entropy.sometimes",
        when=_stops_some,
        pattern=Pattern.FLOW_ENTROPY,
        cause=Cause.NETWORK,
        family=EvidenceFamily.DIFFERENTIAL,
        level=C2,
        reason="Random bytes are stopped now and then at a control's ports too; with letters, or fewer bits, never.",
        measured=_counts,
    ),
)

ENTROPY_OUTSIDE_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.protocol_allowlist.elsewhere_ok",
        when=lambda facts: _only_known_passes(facts) and TunnelFacts(facts).rounds_elsewhere() > 0,
        pattern=Pattern.FLOW_PROTOCOL_ALLOWLIST,
        cause=Cause.NETWORK,
        family=EvidenceFamily.CONTROL,
        level=level_elsewhere,
        reason="From another network the same handshake works at this moment.",
    ),
    Rule(
        id="flow.entropy.elsewhere_ok",
        when=lambda facts: _reacts_to_bytes(facts) and TunnelFacts(facts).rounds_elsewhere() > 0,
        pattern=Pattern.FLOW_ENTROPY,
        cause=Cause.NETWORK,
        family=EvidenceFamily.CONTROL,
        level=level_elsewhere,
        reason="From another network the same handshake works at this moment.",
    ),
)
"""A second method beside the comparison of bytes: the two together settle it."""
