"""Follow-ups by QUIC at cold places: a control's echo ports at once, and the place itself once it has cooled down.

Source: CONTRACT section 4: designs use cold places first, and what is left waits for the cool-down. A filter that
closes a place to everything once it saw the name there leaves no control to hold the name against: then the name goes
to ports that never saw it, after a neutral one on each (section 2), and five controls and five tests come late.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.pairs import LATE, PAIRS, SPOKE
from probe.classify.plans.quic import PLACES_AT_MOST, Here, build, offered
from probe.classify.plans.trouble import find_troubles, first_troubled_hop
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint, is_literal
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.target import CheckName, Exposure

LATE_S = 3.0
"""Of each late test: a first flight was sent four times by then, and ten of them follow one another."""
LATE_CELLS = 10
"""Numbers of late tries come after these."""


def wants_quic_echoes(case: Case, table: tuple[Try, ...]) -> bool:
    """Tell whether the name is silent by QUIC and nothing at its own places tells why, so that echo ports would."""
    return not case.cold_start and not case.quic_echoes and bool(_stuck_places(case, table))


def plan_quic_crossing(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return a neutral name at each of the ports that were kept, and the target's where that was answered."""
    stuck = _stuck_places(case, table) if case.quic_echoes else ()
    if not stuck:
        return ()
    outcomes = _crossed(case, table)
    wanted: list[Experiment] = []
    for endpoint in case.quic_echoes:
        neutral, test = (_cross(case, endpoint, kind, stuck[0][1]) for kind in (NameKind.NEUTRAL, NameKind.TEST))
        if neutral.id not in outcomes:
            wanted.append(neutral)
        elif outcomes[neutral.id] in SPOKE and test.id not in outcomes:
            wanted.append(test)
    return tuple(wanted)


def quic_later(case: Case, table: tuple[Try, ...]) -> tuple[Pending, ...]:
    """Return the design that waits for a cold place, one of each family: a nameless question, controls, then tests."""
    stuck = _stuck_places(case, table)
    if not stuck or case.cold_start or _is_told(case, table):
        return ()
    numbers = range(LATE_CELLS + 1, LATE_CELLS + 1 + PAIRS)
    controls = [build(case, place, Step.QUIC, NameKind.NEUTRAL, n, hop) for place, hop in stuck for n in numbers]
    tests = [build(case, place, Step.QUIC, NameKind.TEST, n, hop) for place, hop in stuck for n in numbers]
    pings = [build(case, place, Step.QUIC_PING, NameKind.NONE, LATE_CELLS + 1, hop) for place, hop in stuck]
    late = [msgspec.structs.replace(test, about=LATE, within_s=LATE_S) for test in tests]
    return (
        Pending(
            due_in_s=case.cool_down_s,
            question="whether QUIC is dropped for the name or for the address",
            experiments=(*pings, *controls, *late),
        ),
    )


def _stuck_places(case: Case, table: tuple[Try, ...]) -> tuple[tuple[Endpoint, int], ...]:
    """Return the first place of each family, and its hop, where the name is silent and a control failed.

    A family of which another place answers controls has its design there.
    """
    if not case.neutral_names or case.target.exposure is Exposure.PRIVATE or is_literal(case.target.host):
        return ()
    endpoints, hop = _suspects(case, table)
    here = {endpoint: Here(case, table, endpoint, hop) for endpoint in endpoints[:PLACES_AT_MOST]}
    better = {place.family for place, one in here.items() if one.all_answered}
    first: dict[int, tuple[Endpoint, int]] = {}
    for place, one in here.items():
        if one.is_silent and one.is_stuck and place.family not in better:
            first.setdefault(place.family, (place, hop))
    return tuple(first.values())


def _suspects(case: Case, table: tuple[Try, ...]) -> tuple[list[Endpoint], int]:
    if case.target.check is not CheckName.H3:
        return offered(case, table), 0
    hop = first_troubled_hop(case, table)
    found = find_troubles(case, table, hop) if hop is not None else ()
    return [t.endpoint for t in found if t.over_quic and t.outcome in TRIGGERABLE], hop or 0


def _crossed(case: Case, table: tuple[Try, ...]) -> dict[str, Outcome | None]:
    """Return what became of each try at an echo port; `None` = it is under way."""
    planned = [e for e in case.experiments if e.design is Design.CROSS and e.over_udp]
    rows = {r.experiment.id: r.outcome for r in table if r.experiment is not None and r.layer is Layer.QUIC}
    return {e.id: rows.get(e.id) for e in planned}


def _is_told(case: Case, table: tuple[Try, ...]) -> bool:
    """Tell whether the echo ports have told already: the name met the same at five of them, silence or an answer."""
    tests = [e for e in case.experiments if e.design is Design.CROSS and e.over_udp and e.name_kind is NameKind.TEST]
    outcomes = _crossed(case, table)
    return len(tests) >= PAIRS and len({outcomes[e.id] for e in tests}) == 1


def _cross(case: Case, endpoint: Endpoint, kind: NameKind, hop: int) -> Experiment:
    at_own = build(case, endpoint, Step.QUIC, kind, 1, hop)
    return msgspec.structs.replace(
        at_own,
        id=f"{Design.CROSS.value}.{kind.value}.{endpoint}/udp.{hop}.1",
        design=Design.CROSS,
        place=Place.UNRELATED,
    )
