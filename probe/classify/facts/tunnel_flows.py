"""How bytes flow through a tunnel: our own runs, a reference's in turn with harmless pages from its port, and the line.

Source: Xue et al. 2021 (paired runs in turn); net4people/bbs 490 (bytes at which a flow freezes); CONTRACT sections 2
and 6. A run is a conversation that reached the data stage and was asked to carry some 64 KB more.
"""

import functools
import statistics
from collections.abc import Sequence

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.tunnel_facts import FRESH_S
from probe.classify.facts.volumes import (
    ALIKE,
    MUCH_SLOWER,
    SOME_BYTES,
    STALLS_AT_LEAST,
    is_stalled,
    much_slower,
    rate_of,
)
from probe.classify.pairs import PAIRS
from probe.classify.tries import Layer, Try
from probe.model.depth import Depth
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.observation import DialogueExchange, Ending, HTTPExchange
from probe.model.proof import Proof

STARTED_BYTES = 4000
"""A tunnel that stops before so much came is killed, not frozen."""
SLOW_S = 1.5
"""Volume that takes so long calls for a comparison: 64 KB are through in less at 44 KB a second."""
SLOW_RTTS = 16
"""A healthy run is over after half as many round trips, whatever the line."""
_QUIET_S = 1.0
_QUIET_SHARE = 0.4
"""Silence before the end of a run that makes it frozen, not slow: a second, and so much of all the time it had."""
_RAMP = 1 / 3
"""The first third of the bytes is the slow start's, as in `volumes.py`."""
_ANYWHERE = tuple(Place)


def reached_data(run: DialogueExchange) -> bool:
    """Tell whether a conversation came to its data stage."""
    return run.depth.rank >= Depth.DATA.rank


def data_began_s(run: DialogueExchange) -> float:
    """Return when the data stage was reached."""
    return next((stage.t_s for stage in run.stages if stage.depth is Depth.DATA), run.t0_s)


def is_frozen(run: DialogueExchange) -> bool:
    """Tell whether bytes came through the tunnel and then nothing more, without a word of its end."""
    if run.ending is not Ending.SILENCE or not reached_data(run) or not run.timeline:
        return False
    quiet_s = run.t_s - run.timeline[-1].t_s
    long_s = max(_QUIET_S, _QUIET_SHARE * (run.t_s - data_began_s(run)))
    return run.bytes_received >= STARTED_BYTES and quiet_s >= long_s


def is_slow_run(run: DialogueExchange) -> bool:
    """Tell whether a volume came slowly, or still was coming when time was over."""
    if not reached_data(run) or not run.timeline or run.ending not in (None, Ending.SILENCE) or is_frozen(run):
        return False
    # The first stage takes a round trip, or more where the server has to ask somebody itself.
    rtt_s = run.stages[0].t_s - run.t0_s if run.stages else 0.0
    took_s = run.timeline[-1].t_s - data_began_s(run)
    return run.bytes_received >= STARTED_BYTES and took_s >= max(SLOW_S, SLOW_RTTS * rtt_s)


def are_slow(runs: Sequence[DialogueExchange]) -> bool:
    """Tell whether all of these runs were slow.

    A policer's losses leave some runs silent at their end. Where most went on, and further than any that fell silent,
    nothing stops flows at a number of bytes.
    """
    slow, frozen = [run for run in runs if is_slow_run(run)], [run for run in runs if is_frozen(run)]
    furthest = max((run.bytes_received for run in slow), default=0)
    passed = all(run.bytes_received < furthest for run in frozen)
    return len(slow) + len(frozen) == len(runs) and len(slow) > len(frozen) and passed


def flow_rate(run: DialogueExchange) -> float:
    """Return the rate in bytes per second at which most of a volume came; 0.0 = none was carried.

    A silence at the end counts as time.
    """
    if not run.timeline or not reached_data(run):
        return 0.0
    last = run.timeline[-1]
    first = next((s for s in run.timeline if s.body_bytes >= last.body_bytes * _RAMP), last)
    start_s, start_bytes = (first.t_s, first.body_bytes) if first is not last else (data_began_s(run), 0)
    end_s = run.t_s if is_frozen(run) else last.t_s
    return (last.body_bytes - start_bytes) / max(end_s - start_s, 0.001)


def alike_at(counts: Sequence[int]) -> int:
    """Return the byte count around which all of these lie; 0 = too few of them, or not alike."""
    if len(counts) < STALLS_AT_LEAST:
        return 0
    middle = statistics.median(counts)
    return int(middle) if all(abs(count - middle) <= ALIKE * middle for count in counts) else 0


class TunnelFlows:
    """The runs that belong to one endpoint of a tunnel."""

    def __init__(self, facts: PathFacts) -> None:
        self._facts = facts

    @functools.cached_property
    def own(self) -> tuple[DialogueExchange, ...]:
        """Return our own runs here that came to data: the check's, its repeats, those of the run that it continues."""
        rows = [r for r in self._facts.table if r.layer is Layer.VPN and r.spot == self._facts.spot]
        mine = [r for r in rows if r.experiment is None or r.experiment.design is Design.REPEAT]
        runs = (r.observation for r in mine)
        return tuple(run for run in runs if isinstance(run, DialogueExchange) and reached_data(run))

    def _volume(self, kind: NameKind, step: Step) -> tuple[Try, ...]:
        rows = [row for row in self._facts.table if row.experiment is not None and row.kind is kind]
        return tuple(
            r
            for r in rows
            if r.experiment is not None
            and r.experiment.design is Design.VOLUME
            and r.experiment.step is step
            and r.experiment.about == self._facts.spot
        )

    @functools.cached_property
    def reference(self) -> tuple[DialogueExchange, ...]:
        """Return the runs through a reference."""
        rows = self._volume(NameKind.TEST, Step.CONVERSE)
        return tuple(r.observation for r in rows if isinstance(r.observation, DialogueExchange))

    @functools.cached_property
    def harmless(self) -> tuple[HTTPExchange, ...]:
        """Return the pages that came from the reference's port."""
        rows = self._volume(NameKind.NEUTRAL, Step.FETCH)
        return tuple(r.observation for r in rows if isinstance(r.observation, HTTPExchange))

    @functools.cached_property
    def line(self) -> tuple[HTTPExchange, ...]:
        """Return the pages of neutral sites, as far as they have any size."""
        rows = self._volume(NameKind.NEUTRAL, Step.NEUTRAL_PAGE)
        pages = (r.observation for r in rows if isinstance(r.observation, HTTPExchange))
        return tuple(page for page in pages if page.body_bytes >= SOME_BYTES)

    @functools.cached_property
    def frozen_at(self) -> int:
        """Return the bytes after which all our own runs froze alike; 0 = not so."""
        frozen = [run.bytes_received for run in self.own if is_frozen(run)]
        return alike_at(frozen) if len(frozen) == len(self.own) else 0

    @property
    def froze(self) -> bool:
        """Tell whether every run of ours froze."""
        return bool(self.own) and all(map(is_frozen, self.own))

    @functools.cached_property
    def is_slow(self) -> bool:
        """Tell whether every run of ours was slow."""
        return are_slow(self.own)

    @functools.cached_property
    def rates(self) -> list[float]:
        """Return the rates of our own runs."""
        return [flow_rate(run) for run in self.own if run.timeline]

    @property
    def reference_was_good(self) -> bool:
        """Tell whether the reference was seen to carry a volume before: one that never did proves nothing now."""
        places = {place for proof in self._facts.case.proofs for place in proof.carriers}
        return bool(self.reference) and all(str(run.endpoint) in places for run in self.reference)

    @functools.cached_property
    def reference_frozen_at(self) -> int:
        """Return the bytes after which the reference's runs froze alike, while pages from its port went on."""
        if len(self.reference) < PAIRS or not all(map(is_frozen, self.reference)):
            return 0
        at = alike_at([run.bytes_received for run in self.reference])
        past = [page for page in self.harmless if _went_past(page, at)]
        return at if len(past) >= PAIRS and len(past) == len(self.harmless) else 0

    @property
    def reference_is_throttled(self) -> bool:
        """Tell whether the reference's runs are slow and pages from its port fast, five of each."""
        pairs = min(len(self.reference), len(self.harmless))
        fast = [rate_of(page) for page in self.harmless]
        slow = [flow_rate(run) for run in self.reference]
        return pairs >= PAIRS and are_slow(self.reference) and much_slower(slow, fast, MUCH_SLOWER)

    @property
    def reference_passes(self) -> bool:
        """Tell whether a reference carried its volume, and in time."""
        return any(run.depth is Depth.VOLUME and not is_slow_run(run) for run in self.reference)

    @property
    def line_is_fast(self) -> bool:
        """Tell whether neutral sites' pages come many times faster than the tunnel's bytes."""
        return len(self.line) >= 2 and much_slower(self.rates, [rate_of(page) for page in self.line], MUCH_SLOWER)

    @functools.cached_property
    def elsewhere(self) -> tuple[Proof, ...]:
        """Return the moments just now at which the tunnel carried a volume from another network, far enough apart."""
        rounds: list[Proof] = []
        for proof in sorted(self._facts.case.proofs, key=lambda proof: proof.age_s):
            apart = not rounds or proof.age_s - rounds[-1].age_s >= self._facts.case.round_apart_s
            if proof.elsewhere and proof.age_s <= FRESH_S and proof.carried_bytes > 0 and apart:
                rounds.append(proof)
        return tuple(rounds)

    @property
    def is_fast_elsewhere(self) -> bool:
        """Tell whether every run of ours was much slower than all of those."""
        return bool(self.elsewhere) and much_slower(self.rates, [p.rate for p in self.elsewhere], MUCH_SLOWER)


def _went_past(page: HTTPExchange, stall_bytes: int) -> bool:
    return bool(page.status) and not is_stalled(page) and page.body_bytes > 1.5 * stall_bytes > 0
