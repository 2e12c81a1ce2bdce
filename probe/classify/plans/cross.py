"""The name at an address that has nothing to do with it: the other half of name × address.

Source: CONTRACT sections 2 and 4: the test name at a control's echo ports, each once per cool-down and never the API
port; before each a neutral name must pass on that same port. Whoever reacts there reacts to the name alone, whatever
the site's own server thinks of strange names. It is part of the final verdict, for the first one must not wait for it;
but where a neutral name fails at the site's own place as well, cold places are all there is, and it is tried at once.
"""

from probe.classify.case import Case
from probe.classify.facts.path_facts import build_table
from probe.classify.pairs import SPOKE
from probe.classify.plans.path import Chain, has_trigger
from probe.classify.plans.trouble import Trouble, find_troubles, first_troubled_hop
from probe.classify.tries import Layer, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.target import Exposure

PATIENCE_S = 5.0
"""Of each try in the first verdict: by then a first flight was sent again several times."""


def calls_for_crossing(case: Case) -> bool:
    """Tell whether a name was sent in the clear and its connection broke, so that echo ports would tell more."""
    return _suspect(case) is not None


def plan_crossing(case: Case) -> tuple[Experiment, ...]:
    """Return a neutral name and then the target's, at each of the ports that were kept for this case."""
    trouble = _suspect(case)
    if trouble is None:
        return ()
    planned = {e.endpoint for e in case.experiments if e.design in (Design.CROSS, Design.FLOW) and not e.over_udp}
    return tuple(
        _cross(trouble, endpoint, name, kind)
        for endpoint in case.echoes
        if endpoint not in planned
        for kind, name in ((NameKind.NEUTRAL, case.neutral_names[0]), (NameKind.TEST, trouble.name))
    )


def plan_cold_crossing(case: Case, table: tuple[Try, ...], troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return the same at once, where a filter that closes the place to every name leaves nothing to compare there."""
    own = [t for t in troubles if t.place is Place.OWN and has_trigger(t) and not t.over_quic]
    stuck = next((t for t in own if Chain(case, table, t).stuck()), None)
    if stuck is None or not case.echoes or case.cold_start or case.target.exposure is Exposure.PRIVATE:
        return ()
    planned = {e.id for e in case.experiments if e.design is Design.CROSS and not e.over_udp}
    passed = {
        row.experiment.id
        for row in table
        if row.experiment is not None and row.layer is stuck.layer and row.outcome in SPOKE
    }
    wanted: list[Experiment] = []
    for endpoint in case.echoes:
        neutral = _cross(stuck, endpoint, case.neutral_names[0], NameKind.NEUTRAL, within_s=PATIENCE_S)
        test = _cross(stuck, endpoint, stuck.name, NameKind.TEST, within_s=PATIENCE_S)
        if neutral.id not in planned:
            wanted.append(neutral)
        elif neutral.id in passed and test.id not in planned:
            wanted.append(test)
    return tuple(wanted)


def _suspect(case: Case) -> Trouble | None:
    if case.target.exposure is Exposure.PRIVATE or not case.neutral_names:
        return None
    table = build_table(case)
    hop = first_troubled_hop(case, table)
    found = find_troubles(case, table, hop) if hop is not None else ()
    return next((t for t in found if t.place is Place.OWN and has_trigger(t) and not t.over_quic), None)


def _cross(trouble: Trouble, endpoint: Endpoint, name: str, kind: NameKind, within_s: float = 0.0) -> Experiment:
    over_tls = trouble.layer is Layer.TLS
    return Experiment(
        id=f"{Design.CROSS.value}.{kind.value}.{endpoint}.{trouble.hop}.1",
        design=Design.CROSS,
        step=Step.HANDSHAKE if over_tls else Step.FETCH,
        name=name,
        name_kind=kind,
        place=Place.UNRELATED,
        endpoint=endpoint,
        path=trouble.path,
        secure=over_tls,
        hop=trouble.hop,
        within_s=within_s,
        cell=1,
    )
