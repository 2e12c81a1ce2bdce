"""Follow-ups where a path works, and its connection had to ask again: is that this port, or the line?

Source: CONTRACT section 4 (ten connections for each address and design, six at once). They open and send nothing. One
lost packet is nothing strange, so three tries decide whether there are more.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.path_facts import PathFacts, own_checks
from probe.classify.facts.resends import is_lost, resends_of
from probe.classify.pairs import PAIRS
from probe.classify.tries import Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import TCPConnect
from probe.model.target import CheckName, Exposure

TRIES = 10
"""For each place: what one address and design may cost (CONTRACT section 4)."""
AT_ONCE = 3
"""Tries in a round; as many go to the other port."""
APART_S = 0.5
FIRST_APART_S = 0.8
"""The first come right after the one that came through: further apart, or they meet the same good moment."""
"""Of tries in a round, the other port's in between: loss comes in bursts."""
WITHIN_S = 1.6
"""The first packet is sent again after 1 s: by then it is known whether it was lost."""
PLACES_AT_MOST = 2
"""Of one name: nobody is accused by it, so few are enough."""
_CHECKS = frozenset({CheckName.WEB, CheckName.TLS, CheckName.TCP})


def plan_resend(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the next connections to each place that answered late, and by turns to another port of its host."""
    if case.target.check not in _CHECKS or case.cold_start or case.target.exposure is Exposure.PRIVATE:
        return ()
    own = [row for row in own_checks(table) if row.layer is Layer.TCP and not row.hop]
    spots = tuple(dict.fromkeys(row.spot for row in own))
    late = {row.spot for row in table if row.layer is Layer.TCP and row.outcome is Outcome.OK and is_lost(row)}
    wanted: list[Experiment] = []
    for spot in [spot for spot in spots if spot in late][:PLACES_AT_MOST]:
        facts = PathFacts(case, table, 0, spot, frozenset(spots) - {spot})
        if facts.failing is None and _is_through(case, facts):
            wanted += _next(case, facts, next(row for row in own if row.spot == spot))
    return tuple(wanted)


def _is_through(case: Case, facts: PathFacts) -> bool:
    """Tell whether the check got further than to connect: what fails there has its own follow-ups."""
    if case.target.check is CheckName.TCP:
        return True
    return facts.spoke(Layer.TLS if case.target.secure else Layer.HTTP, name=NameKind.TEST)


def _next(case: Case, facts: PathFacts, own: Try) -> list[Experiment]:
    here = {e.id: e for e in case.experiments if e.design is Design.CONNECT and e.about == facts.spot}
    tests = [e for e in here.values() if e.place is Place.OWN]
    done = {row.experiment.id: row for row in facts.table if row.experiment is not None}
    if any(e.id not in done or e.id in case.running for e in here.values()):
        return []
    counted = resends_of(facts)
    healed = counted.lost < PAIRS and not any(is_lost(done[e.id]) for e in tests)
    if tests and (counted.is_shown or counted.is_lossy or healed):
        return []
    assert isinstance(own.observation, TCPConnect)
    endpoint = own.observation.endpoint
    # The port that a browser would try as well, where something may well listen.
    other = Endpoint(address=endpoint.address, port=443 if endpoint.port == 80 else 80)
    places = ((endpoint, Place.OWN, 0.0), (other, Place.UNRELATED, 0.5))
    # Where other designs left no room for a control, it is made up for before more is tried.
    made = len(tests) if len(here) < 2 * len(tests) else min(TRIES, len(tests) + AT_ONCE)
    wanted = [
        _build(facts.spot, at, place, number, share) for number in range(1, made + 1) for at, place, share in places
    ]
    missing = [one for one in wanted if one.id not in here]
    first = min((one.cell for one in missing), default=1)
    apart_s = APART_S if tests else FIRST_APART_S
    return [msgspec.structs.replace(one, delay_s=apart_s * (one.cell - first + one.delay_s)) for one in missing]


def _build(spot: str, endpoint: Endpoint, place: Place, number: int, delay_s: float) -> Experiment:
    return Experiment(
        id=f"{Design.CONNECT.value}.none.{endpoint}.0.{number}", design=Design.CONNECT, step=Step.CONNECT,
        name="", name_kind=NameKind.NONE, place=place, endpoint=endpoint, about=spot, delay_s=delay_s,
        within_s=WITHIN_S, cell=number,
    )  # fmt: skip
