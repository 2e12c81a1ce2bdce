"""Connections whose first packet is lost, again and again: which came about at once, and which had to ask again.

Source: RFC 6298 section 2.1 (the first SYN is sent again after 1 s); tcp(7) `TCP_INFO`, which counts them. Where that
option is missing nothing is counted, and no rule speaks.
"""

import msgspec

from probe.classify.facts.path_facts import PathFacts
from probe.classify.pairs import PAIRS
from probe.classify.tries import Layer, Outcome, Try
from probe.model.chance import fisher_two_sided
from probe.model.experiment import Design, Place
from probe.model.observation import TCPConnect

BY_CHANCE = 0.05
"""Nobody is accused by it: five lost of ten against none of ten come out so by chance in 3 % of cases."""
BY_CHANCE_ON_LOSSY_LINES = 0.01
"""Where the other port loses a packet too: eight of ten against one of ten, 0.6 %."""
CONTROLS_LOST_AT_MOST = 1
"""More of them, and the line loses packets whatever the port."""
_ANSWERED = frozenset({Outcome.OK, Outcome.REFUSED})
_WENT_OUT = _ANSWERED | {Outcome.SILENT, Outcome.RESET}


class Resends(msgspec.Struct, frozen=True, kw_only=True):
    """How connections to a place began, and those to another port of its host."""

    tries: int
    lost: int
    """Their first packet got no answer."""
    came_about: int
    """Those of the lost that came about in the end."""
    controls: int
    """To the other port."""
    controls_lost: int

    @property
    def is_shown(self) -> bool:
        """Tell whether so much is lost here, while the same host answers at once on another port."""
        if self.lost < PAIRS or self.controls < PAIRS or self.is_lossy:
            return False
        chance = fisher_two_sided(self.lost, self.tries, self.controls_lost, self.controls)
        return chance <= (BY_CHANCE_ON_LOSSY_LINES if self.controls_lost else BY_CHANCE)

    @property
    def is_lossy(self) -> bool:
        """Tell whether the other port loses packets as well, more than one may by accident."""
        return self.controls_lost > CONTROLS_LOST_AT_MOST


def is_lost(row: Try) -> bool:
    """Tell whether a connection's first packet went unanswered."""
    return isinstance(row.observation, TCPConnect) and row.observation.syn_retransmits > 0


def resends_of(facts: PathFacts) -> Resends:
    """Count over this path: every connection there counts, for nothing has been said when it opens."""
    resends: Resends | None = facts.derived.get("resends")
    if resends is None:
        resends = facts.derived["resends"] = _count(facts)
    return resends


def _count(facts: PathFacts) -> Resends:
    here = [row for row in facts.seen(Layer.TCP, *_WENT_OUT) if not _is_floored(row)]
    lost = [row for row in here if is_lost(row)]
    beside = [row for row in facts.seen(Layer.TCP, at=tuple(Place)) if _is_beside(row, facts.spot)]
    return Resends(
        tries=len(here),
        lost=len(lost),
        came_about=sum(row.outcome is Outcome.OK for row in lost),
        controls=len(beside),
        controls_lost=sum(is_lost(row) or row.outcome not in _ANSWERED for row in beside),
    )


def _is_beside(row: Try, spot: str) -> bool:
    planned = row.experiment
    if planned is None or planned.about != spot or row.spot == spot:
        return False
    return planned.design in (Design.PORTS, Design.CONNECT)


def _is_floored(row: Try) -> bool:
    return isinstance(row.observation, TCPConnect) and row.observation.min_ttl > 0
