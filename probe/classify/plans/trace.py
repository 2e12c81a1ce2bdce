"""Follow-ups that find the place on the way: traces of test against neighbour, in rounds of a few TTLs each.

Source: CONTRACT section 2 (`ip.*` needs the hop) and section 4: ten connections for each address, six at once. A trace
opens three at a time, so test and control side by side are six. A place is traced once it has failed twice, and only
from a fit vantage: an outage must not become a storm of SYNs. Private endpoints get no variants.
"""

import ipaddress

from probe.classify.case import Case
from probe.classify.facts.boundary import choose_ttls, find_parting
from probe.classify.pairs import PAIRS
from probe.classify.plans.trouble import Trouble
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try, is_private
from probe.model.endpoint import Endpoint, is_literal
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.path_trace import TraceKind
from probe.model.target import Exposure
from probe.model.vantage import VantageState

FIRST_TTLS = (2, 4, 6, 9, 12, 16)
SECOND_ROUND = 4
"""With the first six: ten."""
FIRST_NAME_TTLS = (3, 6, 10)
"""Name and neutral name go to one address: with one more of each they are eight, and two SYNs name the routers."""
PLACES_AT_MOST = 4
"""Of one name: two addresses of each family."""
_REACHED = frozenset({Outcome.OK, Outcome.REFUSED})
_SUSPICIOUS = frozenset({Outcome.SILENT, Outcome.REFUSED, Outcome.UNREACHABLE})


def plan_trace(case: Case, table: tuple[Try, ...], troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return the next traces that the troubled places call for."""
    if not may_trace(case):
        return ()
    wanted: list[Experiment] = []
    own = [t for t in troubles if t.place is Place.OWN and not is_private(t.endpoint.address)]
    for trouble in own[:PLACES_AT_MOST]:
        if trouble.layer is Layer.TCP and trouble.outcome in _SUSPICIOUS:
            wanted += _trace_syn(case, table, trouble)
        elif trouble.layer in (Layer.TLS, Layer.HTTP) and trouble.outcome in TRIGGERABLE and not trouble.received:
            wanted += [] if wanted else _trace_name(case, table, trouble)
    return tuple(wanted)


def may_trace(case: Case) -> bool:
    """Tell whether traces are allowed for this target, and the vantage is fit for them."""
    if case.cold_start or case.target.exposure is Exposure.PRIVATE or not case.neutral_names:
        return False
    return case.baseline is not None and case.baseline.state in (VantageState.ONLINE, VantageState.DEGRADED)


def _rows(table: tuple[Try, ...], trouble: Trouble) -> tuple[Try, ...]:
    return tuple(
        row
        for row in table
        if row.layer is Layer.TRACE
        and row.hop == trouble.hop
        and row.experiment is not None
        and row.experiment.about == trouble.spot
    )


def _trace_syn(case: Case, table: tuple[Try, ...], trouble: Trouble) -> list[Experiment]:
    """Send SYNs to the place, and to another port of the host that answers or else to the address beside it."""
    if not _failed_again(case, table, trouble):
        return []
    beside = _neighbour(table, trouble)
    rows = _rows(table, trouble)
    planned = [e for e in case.experiments if e.design is Design.TRACE and e.about == trouble.spot]
    if not planned:
        ttls: tuple[int, ...] = FIRST_TTLS
        number = 1
    elif len(rows) == 2 == len(planned):
        ttls, number = choose_ttls(rows, TraceKind.SYN, SECOND_ROUND), 2
    else:
        return []
    if not ttls:
        return []
    if number > 1:  # the same neighbour as before, whatever has been learned of the other port meanwhile
        beside = next((e.endpoint for e in planned if e.name_kind is NameKind.NEUTRAL and e.endpoint), beside)
    return [
        build_trace(trouble, Step.TRACE_SYN, NameKind.TEST, trouble.endpoint, ttls, number),
        build_trace(trouble, Step.TRACE_SYN, NameKind.NEUTRAL, beside, ttls, number),
    ]


def _failed_again(case: Case, table: tuple[Try, ...], trouble: Trouble) -> bool:
    """Tell whether the repeat, and the other port if one was asked, have failed or keep silent as well."""
    hushed = {silence.experiment for silence in case.silences}
    waited = [
        e
        for e in case.experiments
        if (e.design is Design.REPEAT and e.endpoint == trouble.endpoint)
        or (e.design is Design.PORTS and e.about == trouble.spot)
    ]
    done = {row.experiment.id: row for row in table if row.experiment is not None}
    again = [e for e in waited if e.design is Design.REPEAT]
    if not again or any(e.id in done and done[e.id].outcome is Outcome.OK for e in again):
        return False
    return all(e.id in done or e.id in hushed for e in waited)


def _neighbour(table: tuple[Try, ...], trouble: Trouble) -> Endpoint:
    """Return what shares the way: another port that answers, else the address that differs in its last bit."""
    for row in table:
        experiment = row.experiment
        if experiment is None or experiment.design is not Design.PORTS or experiment.about != trouble.spot:
            continue
        # A port that refuses shows the way to the host as well as one that answers.
        if row.layer is Layer.TCP and row.outcome in _REACHED and experiment.endpoint is not None:
            return experiment.endpoint
    address = ipaddress.ip_address(trouble.endpoint.address)
    return Endpoint(address=str(type(address)(int(address) ^ 1)), port=trouble.endpoint.port)


def _trace_name(case: Case, table: tuple[Try, ...], trouble: Trouble) -> list[Experiment]:
    """Return what shows where on the way a hello or request ends, once its name is shown to be the trigger."""
    if not trouble.name or is_literal(trouble.name) or not _is_isolated(table, trouble):
        return []
    named = (e for e in case.experiments if e.step is Step.TRACE_NAME and e.hop == trouble.hop)
    traced = next((experiment.about for experiment in named), "")
    if traced not in ("", trouble.spot):
        return []  # what happens to the name at one of its addresses tells of the others
    if not traced:
        return _name_pair(case, trouble, FIRST_NAME_TTLS, 1)
    rows = _rows(table, trouble)
    parted = find_parting(rows, TraceKind.HELLO if trouble.layer is Layer.TLS else TraceKind.REQUEST)
    if len(rows) != 2 or parted is None:
        return []
    routers = build_trace(trouble, Step.TRACE_SYN, NameKind.TEST, trouble.endpoint, tuple(dict.fromkeys(parted)), 2)
    return [*_name_pair(case, trouble, parted[:1], 2), routers]


def _name_pair(case: Case, trouble: Trouble, ttls: tuple[int, ...], number: int) -> list[Experiment]:
    names = ((NameKind.TEST, trouble.name), (NameKind.NEUTRAL, case.neutral_names[0]))
    return [
        build_trace(trouble, Step.TRACE_NAME, kind, trouble.endpoint, ttls, number, name=name) for kind, name in names
    ]


def _is_isolated(table: tuple[Try, ...], trouble: Trouble) -> bool:
    """Tell whether five neutral names have passed at the name's places, so that nothing else is to be compared."""
    passed = [
        row for row in table if row.layer is trouble.layer and row.hop == trouble.hop and row.kind is NameKind.NEUTRAL
    ]
    return len(passed) >= PAIRS and all(row.outcome in (Outcome.OK, Outcome.ALERT) for row in passed)


def build_trace(
    trouble: Trouble, step: Step, kind: NameKind, endpoint: Endpoint, ttls: tuple[int, ...], number: int, name: str = ""
) -> Experiment:
    """Return one sweep of packets that live for some hops only."""
    return Experiment(
        id=f"{Design.TRACE.value}.{step.value}.{kind.value}.{trouble.spot}.{trouble.hop}.{number}",
        design=Design.TRACE,
        step=step,
        name=name,
        name_kind=kind,
        place=Place.OWN if endpoint == trouble.endpoint else Place.UNRELATED,
        endpoint=endpoint,
        path=trouble.path,
        secure=trouble.layer is Layer.TLS,
        ttls=ttls,
        hop=trouble.hop,
        about=trouble.spot,
        cell=number,
    )
