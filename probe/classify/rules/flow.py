"""Rules about flows that are slowed or frozen: paired runs, and what a control gets of the same page.

Source: Xue et al., "Throttling Twitter" (IMC 2021), for paired runs; net4people/bbs 490 for flows that freeze; CONTRACT
sections 1 (degraded: the speed is interfered with) and 2 (n of each family).
"""

import statistics
from collections import Counter
from collections.abc import Callable

from probe.classify.facts.control_view import ControlView
from probe.classify.facts.flow_facts import Flows
from probe.classify.facts.path_facts import OWN, SIBLING, PathFacts
from probe.classify.facts.volumes import (
    MUCH_SLOWER,
    PLATEAU,
    SLOWER,
    SOME_BYTES,
    STALLS_AT_LEAST,
    is_stalled,
    much_slower,
    rate_of,
    share_early,
    stall_at,
    variation,
)
from probe.classify.pairs import PAIRS
from probe.classify.rules.rule import C1, C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design
from probe.model.observation import HTTPExchange
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

A, B, OBSERVED = EvidenceFamily.DIFFERENTIAL, EvidenceFamily.CONTROL, EvidenceFamily.OBSERVED
TESTS_AT_LEAST = 3
"""Runs of the page: three against three tell a difference (p = 0.1), five settle it."""
MUCH_LOST = 0.05
"""Share of segments that come behind a hole: on a good line next to none do."""
LINE_AT_LEAST = 2
"""Neutral sites that show what the line can do: one may be slow itself."""


def _flows(facts: PathFacts) -> Flows | None:
    """Return the volume runs of this path's page; `None` = there were none."""
    page = facts.exchange
    if page is None or not page.status or not facts.seen(Layer.HTTP, at=(OWN, SIBLING), design=Design.VOLUME):
        return None
    return Flows(facts.table, page)


def _comes(facts: PathFacts) -> bool:
    """Tell whether the page comes in the end, or still was coming when time was over."""
    page = facts.exchange
    return not facts.failed(Layer.HTTP) or (
        facts.failed(Layer.HTTP, Outcome.CUT) and page is not None and page.ending is None and not is_stalled(page)
    )


def _slow(test: Callable[[Flows, PathFacts], bool]) -> Callable[[PathFacts], bool]:
    return lambda f: (flows := _flows(f)) is not None and _comes(f) and test(flows, f)


def _frozen(test: Callable[[Flows, PathFacts], bool]) -> Callable[[PathFacts], bool]:
    return lambda f: (flows := _flows(f)) is not None and f.failed(Layer.HTTP, Outcome.CUT) and test(flows, f)


def _twins_fast(flows: Flows, _facts: PathFacts) -> bool:
    pairs = min(len(flows.test_rates), len(flows.twin_rates))
    return pairs >= TESTS_AT_LEAST and much_slower(flows.test_rates, flows.twin_rates, MUCH_SLOWER)


def _line_fast(flows: Flows) -> bool:
    enough = len(flows.test_rates) >= TESTS_AT_LEAST and len(flows.line_rates) >= LINE_AT_LEAST
    return enough and much_slower(flows.test_rates, flows.line_rates, SLOWER)


def _pairs_level(facts: PathFacts) -> Confidence:
    flows = _flows(facts)
    return C2 if flows is not None and min(len(flows.tests), len(flows.twins)) >= PAIRS else C1


def _echo_slow(flows: Flows) -> bool:
    enough = len(flows.echoes) >= TESTS_AT_LEAST
    return enough and much_slower(flows.echo_tests, flows.echo_twins, MUCH_SLOWER)


def _echo_stalls(flows: Flows) -> bool:
    return bool(flows.stalls_at) and stall_at([test for _, test in flows.echoes]) > 0


def _echo_level(facts: PathFacts) -> Confidence:
    """C2 from five pairs; of a rate it must be the same each time."""
    flows = _flows(facts)
    if flows is None or len(flows.echoes) < PAIRS:
        return C1
    return C2 if _echo_stalls(flows) or variation(flows.echo_tests) < PLATEAU else C1


def _lost(flows: Flows) -> bool:
    """Tell whether each slow run had holes on its way in, many together, and those it is held against next to none."""
    pairs = flows.echoes or list(zip(flows.twins, flows.tests, strict=False))
    told = [(share_early(twin), share_early(test)) for twin, test in pairs]
    known = [(twin, test) for twin, test in told if twin is not None and test is not None]
    if len(known) < TESTS_AT_LEAST:
        return False
    tests = [test for _, test in known]
    return statistics.median(tests) >= MUCH_LOST and min(tests) > 3 * max(twin for twin, _ in known)


def _rates(tests: Callable[[Flows], list[float]], others: Callable[[Flows], list[float]]) -> Callable[[PathFacts], str]:
    """Return what says the rates in figures: the medians of the runs and of those they are held against."""

    def say(facts: PathFacts) -> str:
        flows = _flows(facts)
        slow, fast = (tests(flows), others(flows)) if flows is not None else ([], [])
        if not slow or not fast:
            return ""
        held, free = (statistics.median(rates) / 1000 for rates in (slow, fast))
        return f"Medians of {len(slow)} and {len(fast)} runs: {held:.0f} kB/s, and {free:.0f} kB/s."

    return say


def _stalls(facts: PathFacts) -> str:
    """Say where it stopped, kilobyte by kilobyte."""
    flows = _flows(facts)
    if flows is None:
        return ""
    ends = Counter(round(size / 1000) for size in flows.stall_bytes)
    return f"It stopped after {', '.join(f'{size} KB {times}x' for size, times in sorted(ends.items()))}."


FLOW_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.throttle.same_page_fast",
        when=_slow(_twins_fast),
        pattern=Pattern.FLOW_THROTTLE,
        cause=Cause.NETWORK,
        family=A,
        level=_pairs_level,
        interferes=True,
        reason="The page comes slowly each time; from the same server, without its name in sight, many times faster.",
        measured=_rates(lambda flows: flows.test_rates, lambda flows: flows.twin_rates),
    ),
    Rule(
        id="flow.throttle.anywhere",
        when=_slow(lambda flows, _: _echo_slow(flows)),
        pattern=Pattern.FLOW_THROTTLE,
        cause=Cause.NETWORK,
        family=A,
        level=_echo_level,
        interferes=True,
        reason="The page comes slowly each time, and so does whatever else is sent under its name, by a control that"
        " has nothing to do with it and sends many times faster under another name.",
        measured=_rates(lambda flows: flows.echo_tests, lambda flows: flows.echo_twins),
    ),
    Rule(
        id="flow.slow.line_fast",
        when=_slow(lambda flows, f: _line_fast(flows) and not _slow_for_control(f)),
        pattern=Pattern.FLOW,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        interferes=True,
        reason="The page comes slowly each time while other sites' come fast: the server's limit, or the network's.",
        measured=_rates(lambda flows: flows.test_rates, lambda flows: flows.line_rates),
    ),
    Rule(
        id="flow.slow.server",
        when=_slow(lambda flows, f: _line_fast(flows) and _slow_for_control(f)),
        pattern=None,
        cause=Cause.SERVER,
        family=B,
        usable=True,
        reason="The page comes slowly, and to a control as well: the server is slow.",
    ),
    Rule(
        id="flow.freeze.same_page_passes",
        when=_frozen(lambda flows, f: bool(flows.stalls_at) and flows.twins_pass),
        pattern=Pattern.FLOW_FREEZE,
        cause=Cause.NETWORK,
        family=A,
        level=_pairs_level,
        reason="The page stops after the same number of bytes each time; without its name in sight it goes on.",
        measured=_stalls,
    ),
    Rule(
        id="flow.freeze.anywhere",
        when=_frozen(lambda flows, _: _echo_stalls(flows)),
        pattern=Pattern.FLOW_FREEZE,
        cause=Cause.NETWORK,
        family=A,
        level=_echo_level,
        reason="The page stops after the same number of bytes each time, and so does whatever else is sent under its"
        " name, by a control that has nothing to do with it; under another name all of it comes.",
        measured=_stalls,
    ),
    Rule(
        id="flow.freeze.alike",
        when=_frozen(lambda flows, f: bool(flows.stalls_at)),
        pattern=Pattern.FLOW_FREEZE,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        reason="The page stops after the same number of bytes each time, without a word of its end.",
        measured=_stalls,
    ),
)
"""They come before the rules for pages that break off: what still comes is not broken."""

COMING_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.slow.seen",
        when=lambda f: f.failed(Layer.HTTP, Outcome.CUT) and _comes(f) and _has_some(f),
        pattern=Pattern.FLOW,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        interferes=True,
        reason="The page was still coming when time was over; nothing tells what makes it slow.",
    ),
)
"""The page itself is all that is known."""

FLOW_NOTES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.throttle.policed",
        when=_slow(lambda flows, f: (_echo_slow(flows) or _twins_fast(flows, f)) and _lost(flows)),
        pattern=Pattern.FLOW_THROTTLE,
        cause=Cause.NETWORK,
        family=A,
        level=C1,
        usable=True,
        reason="Much of what comes under the name has holes before it, and next to nothing of what comes otherwise:"
        " what exceeds a rate is dropped on the way, not delayed.",
    ),
)
"""How it is slowed."""


def _has_some(facts: PathFacts) -> bool:
    return facts.exchange is not None and facts.exchange.body_bytes >= SOME_BYTES


def _theirs(view: ControlView) -> HTTPExchange | None:
    """Return the control's page if it is of some size."""
    page = view.page
    return page if page is not None and page.body_bytes >= SOME_BYTES else None


def _slow_for_control(facts: PathFacts) -> bool:
    """Tell whether the page comes slowly to a control too; a tunnel does not count, as it may be slow itself."""
    view = ControlView.of(facts.case)
    flows, theirs = _flows(facts), None if view.through_tunnel else _theirs(view)
    return flows is not None and theirs is not None and not much_slower(flows.test_rates, [rate_of(theirs)], 1 / 2)


def _fast_for_control(facts: PathFacts, view: ControlView) -> bool:
    flows, theirs = _flows(facts), _theirs(view)
    return flows is not None and theirs is not None and much_slower(flows.test_rates, [rate_of(theirs)], MUCH_SLOWER)


def _whole_for_control(facts: PathFacts, view: ControlView) -> bool:
    flows, theirs = _flows(facts), _theirs(view)
    return flows is not None and theirs is not None and theirs.body_bytes > 1.5 * flows.stalls_at > 0


def _view_level(says: Callable[[PathFacts, ControlView], bool]) -> Callable[[PathFacts], Confidence]:
    return lambda f: ControlView.of(f.case).level(lambda view: says(f, view))


FLOW_CONTROL_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.throttle.control_fast",
        when=_slow(lambda flows, f: _line_fast(flows) and _fast_for_control(f, ControlView.of(f.case))),
        pattern=Pattern.FLOW_THROTTLE,
        cause=Cause.NETWORK,
        family=B,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: _fast_for_control(f, view)),
        level=_view_level(_fast_for_control),
        interferes=True,
        reason="The page comes slowly to us each time, fast to a control, and other sites' pages come fast here.",
    ),
    Rule(
        id="flow.freeze.control_whole",
        when=_frozen(
            lambda flows, f: (
                flows.stalls >= STALLS_AT_LEAST
                and flows.line_passes >= LINE_AT_LEAST
                and _whole_for_control(f, ControlView.of(f.case))
            )
        ),
        pattern=Pattern.FLOW_FREEZE,
        cause=Cause.NETWORK,
        family=B,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: _whole_for_control(f, view)),
        level=_view_level(_whole_for_control),
        reason="The page stops after the same number of bytes for us; a control gets past that, as we do elsewhere.",
        measured=_stalls,
    ),
)
"""The server is not slow if a control is served fast; the line is not if other sites' pages come fast."""
