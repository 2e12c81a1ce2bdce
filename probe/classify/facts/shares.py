"""Blocks that strike only a share of connections: how often the name failed, with good ones in between.

Source: Wald, Annals of Mathematical Statistics 16 (1945), the sequential test; the weakest share seen in the field is
26 % (Wu et al., USENIX Security 2023), held against healthy loss. A handshake survives lost packets by its
retransmissions, so one in a hundred is generous for the healthy share; where the vantage itself loses more, its own
loss takes that place.
"""

import msgspec

from probe.classify.facts.path_facts import OWN, SIBLING, PathFacts, is_kin, is_v6
from probe.classify.pairs import PAIRS, SPOKE
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.chance import Decision, decide_sequentially, fisher_two_sided
from probe.model.experiment import NameKind

HEALTHY, FAILING = 0.01, 0.26
MOST_SERVERS = 8
"""A balancer of more, with some dead, is taken for chance."""
BY_CHANCE = 0.01
"""Five against five come out so by chance in 0.8 % of cases (CONTRACT section 2)."""
FAILED_AT_LEAST = 3
"""One failure began the matter and one more may be chance."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How the name's handshakes came out at the name's places."""

    failed: int
    good: int
    controls: int
    """Neutral names that were answered at the same places."""
    controls_failed: int
    outcome: Outcome | None
    """How those failed that did; `None` = in several ways, or none did."""
    loss_ratio: float = 0.0
    in_turn: bool = False
    """Failures came in turn, whatever was carried: dead servers among several explain them all."""

    @property
    def is_mixed(self) -> bool:
        """Tell whether some came through and some did not, alike, while neutral names all did."""
        return bool(self.failed and self.good and self.outcome is not None and not self.controls_failed)

    @property
    def is_the_names(self) -> bool:
        """Tell whether neutral names fail less often: of a server one of whose machines is broken, all names do."""
        tried, asked = self.failed + self.good, self.controls + self.controls_failed
        return fisher_two_sided(self.failed, tried, self.controls_failed, asked) <= BY_CHANCE

    @property
    def is_shown(self) -> bool:
        """Tell whether so many failures are no healthy loss."""
        healthy = max(HEALTHY, self.loss_ratio)
        if (
            not self.is_mixed
            or self.in_turn
            or self.failed < FAILED_AT_LEAST
            or self.controls < PAIRS
            or healthy >= FAILING
        ):
            return False
        return self._decide() is Decision.FAILING

    @property
    def is_open(self) -> bool:
        """Tell whether more tries would decide: the name failed, too seldom to say so and too often for chance."""
        forbidden = not self.is_mixed or self.in_turn or max(HEALTHY, self.loss_ratio) >= FAILING
        return not forbidden and not self.is_shown and self._decide() is not Decision.HEALTHY

    def _decide(self) -> Decision:
        healthy = max(HEALTHY, self.loss_ratio)
        return decide_sequentially(self.failed, self.good, healthy=healthy, failing=FAILING)


def count_share(rows: tuple[Try, ...], loss_ratio: float = 0.0) -> Share:
    """Count handshakes of the name and of neutral ones at its own places."""
    shaken = [row for row in rows if row.layer is Layer.TLS]
    tests = [row for row in shaken if row.kind is NameKind.TEST]
    neutral = [row for row in shaken if row.kind is NameKind.NEUTRAL]
    ways = {row.outcome for row in tests if row.outcome in TRIGGERABLE}
    return Share(
        failed=sum(row.outcome in TRIGGERABLE for row in tests),
        good=sum(row.outcome is Outcome.OK for row in tests),
        controls=sum(row.outcome in SPOKE for row in neutral),
        controls_failed=sum(row.outcome in TRIGGERABLE for row in neutral),
        outcome=next(iter(ways)) if len(ways) == 1 else None,
        loss_ratio=loss_ratio,
        in_turn=_fails_in_turn(rows),
    )


def _fails_in_turn(rows: tuple[Try, ...]) -> bool:
    """Tell whether failures return with every n-th connection, as they come in to a balancer of n with some dead."""
    met = {_try_of(row): row.outcome in TRIGGERABLE for row in rows if row.layer in (Layer.TLS, Layer.HELLO)}
    opened = sorted((row for row in rows if row.layer is Layer.TCP), key=lambda row: (row.started_s, row.transaction))
    failed = [met.get(_try_of(row)) for row in opened]  # `None` = nothing was sent on it, so it says nothing
    return any(
        len(failed) >= 2 * servers and all(len(set(failed[first::servers]) - {None}) < 2 for first in range(servers))
        for servers in range(2, MOST_SERVERS + 1)
    )


def _try_of(row: Try) -> tuple[str, str]:
    return row.spot, row.experiment.id if row.experiment is not None else ""


def share_of(facts: PathFacts) -> Share:
    """Return the share over this path and its siblings of the same family."""
    key = ("share", facts.spots, is_v6(facts.spot))
    share: Share | None = facts.rows.derived.get(key)
    if share is None:
        share = facts.rows.derived[key] = _count_over(facts)
    return share


def _count_over(facts: PathFacts) -> Share:
    baseline = facts.case.baseline
    rows = tuple(row for row in facts.table if facts.place(row) in (OWN, SIBLING) and is_kin(row.spot, facts.spot))
    return count_share(rows, baseline.loss_ratio if baseline is not None else 0.0)
