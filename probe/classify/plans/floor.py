"""A late follow-up that asks who ends a name's connections: with the server's TTL, or with another?

Source: CONTRACT section 4: the place must be cold again, so it waits for the final verdict. Some eighteen connections,
one after another: the limit of ten is that of the first verdict, where several go side by side.
"""

from probe.classify.case import Case
from probe.classify.facts.path_facts import build_table
from probe.classify.plans.path import has_trigger
from probe.classify.plans.trouble import find_troubles, first_troubled_hop
from probe.classify.tries import Outcome
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.target import Exposure

_ENDED = (Outcome.RESET, Outcome.FIN)


def plan_floor(case: Case) -> tuple[Experiment, ...]:
    """Return the comparison at the first of the target's own addresses where the name is ended; nothing twice."""
    if case.cold_start or case.target.exposure is Exposure.PRIVATE or not case.neutral_names:
        return ()
    table = build_table(case)
    hop = first_troubled_hop(case, table)
    found = find_troubles(case, table, hop) if hop is not None else ()
    asked = (t for t in found if t.place is Place.OWN and has_trigger(t) and not t.over_quic and not t.received)
    trouble = next((t for t in asked if t.outcome in _ENDED), None)
    if trouble is None:
        return ()
    return (
        Experiment(
            id=f"{Design.MIN_TTL.value}.test.{trouble.endpoint}.{trouble.hop}.1", design=Design.MIN_TTL,
            step=Step.MIN_TTL, name=trouble.name, name_kind=NameKind.TEST, place=trouble.place,
            endpoint=trouble.endpoint, path=trouble.path, secure=trouble.secure, hop=trouble.hop,
            beside=case.neutral_names[0], about=trouble.spot, cell=1,
        ),
    )  # fmt: skip
