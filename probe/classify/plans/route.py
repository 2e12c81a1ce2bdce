"""The page over HTTP/3 where TLS over TCP fails: another route to the same host, and a way in for the reader.

Source: CONTRACT section 2, family D: twice, as far apart as rounds are. It waits for the final verdict: a site without
HTTP/3 keeps silent for seconds. UDP to that port is cold, whatever was triggered by TCP.
"""

from probe.classify.case import Case
from probe.classify.facts.path_facts import build_table
from probe.classify.plans.trouble import find_troubles, first_troubled_hop
from probe.classify.tries import TRIGGERABLE, Layer
from probe.model.endpoint import is_literal
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.target import CheckName, Exposure

TIMES = 2
"""Family D counts from two tries (CONTRACT section 2)."""


def plan_route(case: Case) -> tuple[Experiment, ...]:
    """Return the two tries at the first of the target's own addresses whose handshake broke."""
    target = case.target
    if target.check is not CheckName.WEB or not target.secure or target.exposure is Exposure.PRIVATE:
        return ()
    table = build_table(case)
    if case.cold_start or first_troubled_hop(case, table) != 0 or is_literal(target.host):
        return ()
    broken = (t for t in find_troubles(case, table, 0) if t.layer is Layer.TLS and t.outcome in TRIGGERABLE)
    trouble = next((t for t in broken if t.place is Place.OWN), None)
    if trouble is None:
        return ()
    return tuple(
        Experiment(
            id=f"{Design.ROUTE.value}.test.{trouble.endpoint}.0.{number}",
            design=Design.ROUTE,
            step=Step.FETCH_H3,
            name=target.host,
            name_kind=NameKind.TEST,
            endpoint=trouble.endpoint,
            path=target.path,
            about=trouble.spot,
            delay_s=case.round_apart_s if number > 1 else 0.0,
            cell=number,
        )
        for number in range(1, TIMES + 1)
    )
