"""Follow-ups by QUIC at cold places: a control's echo ports at once, and the place itself once it has cooled down.

Source: VERDICTS section 4: designs use cold places first, and what is left waits for the cool-down. A filter that
closes a place to everything once it saw the name there leaves no control to hold the name against: then the name goes
to ports that never saw it, after a neutral one on each (section 2), and five controls and five tests come late.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.pairs import LATE, PAIRS, SPOKE
from probe.classify.plan_quic import PLACES_AT_MOST, Here, build, offered
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try, is_literal
from probe.classify.trouble import find_troubles, first_troubled_hop
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.target import CheckName, Exposure

LATE_CELLS = 10
"""Numbers of late tries come after these."""


def wants_quic_echoes(case: Case, table: tuple[Try, ...]) -> bool:
    """Tell whether the name is silent by QUIC and nothing at its own places tells why, so that echo ports would."""
    return not case.cold_start and not case.quic_echoes and _stuck_place(case, table) is not None


def plan_quic_crossing(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return a neutral name at each of the ports that were kept, and the target's where that was answered."""
    stuck = _stuck_place(case, table) if case.quic_echoes else None
    if stuck is None:
        return ()
    outcomes = _crossed(case, table)
    wanted: list[Experiment] = []
    for endpoint in case.quic_echoes:
        neutral, test = (_cross(case, endpoint, kind, stuck[1]) for kind in (NameKind.NEUTRAL, NameKind.TEST))
        if neutral.id not in outcomes:
            wanted.append(neutral)
        elif outcomes[neutral.id] in SPOKE and test.id not in outcomes:
            wanted.append(test)
    return tuple(wanted)


def quic_later(case: Case, table: tuple[Try, ...]) -> tuple[Pending, ...]:
    """Return the design that waits for a cold place: a nameless question, five controls, then five tests."""
    stuck = _stuck_place(case, table)
    if stuck is None or case.cold_start or _is_told(case, table):
        return ()
    endpoint, hop = stuck
    ping = build(case, endpoint, Step.QUIC_PING, NameKind.NONE, LATE_CELLS + 1, hop)
    numbers = range(LATE_CELLS + 1, LATE_CELLS + 1 + PAIRS)
    controls = [build(case, endpoint, Step.QUIC, NameKind.NEUTRAL, number, hop) for number in numbers]
    tests = [build(case, endpoint, Step.QUIC, NameKind.TEST, number, hop) for number in numbers]
    late = (msgspec.structs.replace(test, about=LATE) for test in tests)
    return (
        Pending(
            due_in_s=case.cool_down_s,
            question="whether QUIC is dropped for the name or for the address",
            experiments=(ping, *controls, *late),
        ),
    )


def _stuck_place(case: Case, table: tuple[Try, ...]) -> tuple[Endpoint, int] | None:
    """Return the first place, and its hop, where the name is silent and a control failed, with none better to ask."""
    if not case.neutral_names or case.target.exposure is Exposure.PRIVATE or is_literal(case.target.host):
        return None
    endpoints, hop = _suspects(case, table)
    here = {endpoint: Here(case, table, endpoint, hop) for endpoint in endpoints[:PLACES_AT_MOST]}
    if not here or any(one.all_answered and not one.is_stuck for one in here.values()):
        return None
    return next(((place, hop) for place, one in here.items() if one.is_silent and one.is_stuck), None)


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
