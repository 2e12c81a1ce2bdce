"""Rules about what a tunnel carries once it is up: frozen after some bytes, slowed down, or neither.

Source: as in `tunnel_flows.py`; CONTRACT sections 1 (degraded: the speed is interfered with), 2 (n of each family) and
6. That data came through proves the credentials, so none of these asks for an earlier proof of them.
"""

import statistics
from collections.abc import Callable

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.tunnel_flows import TunnelFlows
from probe.classify.rules.rule import C1, C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, Confidence, EvidenceFamily

A, B, OBSERVED = EvidenceFamily.DIFFERENTIAL, EvidenceFamily.CONTROL, EvidenceFamily.OBSERVED
_RUNS = 3
_ROUNDS = 2


def _frozen(says: Callable[[TunnelFlows], bool]) -> Callable[[PathFacts], bool]:
    """Return when a conversation fell silent in its data stage, every run froze, and this holds."""

    def when(facts: PathFacts) -> bool:
        if not facts.failed(Layer.VPN, Outcome.SILENT):
            return False
        flows = TunnelFlows(facts)
        return flows.froze and says(flows)

    return when


def _slow(says: Callable[[TunnelFlows], bool]) -> Callable[[PathFacts], bool]:
    """Return when every run carried its bytes slowly, to the end or not, and this holds."""

    def when(facts: PathFacts) -> bool:
        is_vpn = facts.case.target.check is CheckName.VPN
        if not is_vpn or (facts.failing is not None and not facts.failed(Layer.VPN, Outcome.SILENT)):
            return False
        flows = TunnelFlows(facts)
        return flows.is_slow and says(flows)

    return when


def _rounds(facts: PathFacts) -> Confidence:
    """Return how sure it is: two rounds elsewhere and three runs here, for one bad run may be an accident."""
    flows = TunnelFlows(facts)
    return C2 if len(flows.elsewhere) >= _ROUNDS and len(flows.own) >= _RUNS else C1


def _stops(facts: PathFacts) -> str:
    """Say after how many bytes our runs stopped."""
    counts = ", ".join(f"{run.bytes_received / 1000:.1f}" for run in TunnelFlows(facts).own)
    return f"It stopped after {counts} KB."


def _speeds(facts: PathFacts) -> str:
    """Say how fast bytes came."""
    flows = TunnelFlows(facts)
    compared = [(flows.rates, "here"), ([p.rate for p in flows.elsewhere], "from another network")]
    words = [f"{statistics.median(rates) / 1000:.0f} KB/s {where}" for rates, where in compared if rates]
    return f"It is {', '.join(words)}." if words else ""


TUNNEL_FLOW_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.freeze.reference_too",
        when=_frozen(lambda flows: flows.reference_was_good and flows.reference_frozen_at > 0),
        pattern=Pattern.FLOW_FREEZE,
        cause=Cause.NETWORK,
        family=A,
        level=C2,
        measured=_stops,
        reason="The tunnel stops after some bytes, a reference's too, alike each time; pages from its port go on.",
    ),
    Rule(
        id="flow.freeze.elsewhere_whole",
        when=_frozen(lambda flows: flows.frozen_at > 0 and bool(flows.elsewhere)),
        pattern=Pattern.FLOW_FREEZE,
        cause=Cause.NETWORK,
        family=B,
        level=_rounds,
        measured=_stops,
        reason="The tunnel stops after the same number of bytes each time; from another network it carries on.",
    ),
    Rule(
        id="flow.freeze.tunnel_alike",
        when=_frozen(lambda flows: flows.frozen_at > 0),
        pattern=Pattern.FLOW_FREEZE,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        measured=_stops,
        reason="The tunnel stops after the same number of bytes each time, without a word of its end.",
    ),
    Rule(
        id="flow.throttle.reference_too",
        when=_slow(lambda flows: flows.reference_was_good and flows.reference_is_throttled),
        pattern=Pattern.FLOW_THROTTLE,
        cause=Cause.NETWORK,
        family=A,
        level=C2,
        interferes=True,
        measured=_speeds,
        reason="The tunnel is slow, a reference's too, each time; pages from the same port come many times faster.",
    ),
    Rule(
        id="flow.throttle.elsewhere_fast",
        when=_slow(lambda flows: flows.is_fast_elsewhere and flows.line_is_fast),
        pattern=Pattern.FLOW_THROTTLE,
        cause=Cause.NETWORK,
        family=B,
        level=_rounds,
        interferes=True,
        measured=_speeds,
        reason="The tunnel is slow each time, from another network many times faster; and other sites come fast here.",
    ),
    Rule(
        id="flow.slow.tunnel_line_fast",
        when=_slow(lambda flows: flows.line_is_fast),
        pattern=Pattern.FLOW,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        interferes=True,
        measured=_speeds,
        reason="The tunnel is slow while other sites' pages come fast: the server's limit, or the network's.",
    ),
    Rule(
        id="flow.slow.tunnel_seen",
        when=lambda f: f.failing is not None and _slow(lambda _: True)(f),
        pattern=Pattern.FLOW,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        interferes=True,
        measured=_speeds,
        reason="Bytes were still coming through the tunnel when time was over; nothing tells what makes it slow.",
    ),
)
"""They come before the rules for tunnels that break off: what still comes is not broken."""
