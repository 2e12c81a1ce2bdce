"""Follow-ups where a neutral host fails like the site's own: is it a word in the address of the page?

The design is T C T C as for names, with the path varied and the host held. Source: CONTRACT section 2.
"""

from probe.classify.case import Case
from probe.classify.pairs import PAIRS
from probe.classify.plans.trouble import Trouble
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.experiment import Design, Experiment, NameKind, Place, Step

PLAIN = "/"


def plan_keyword(case: Case, table: tuple[Try, ...], troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return the next request of the design, for the site's front page or for the page under test."""
    if case.cold_start:
        return ()
    for trouble in troubles:
        wanted = _next(case, table, trouble) if _may_be_path(table, trouble) else None
        if wanted is not None:
            return (wanted,)
    return ()


def _may_be_path(table: tuple[Try, ...], trouble: Trouble) -> bool:
    """Tell whether the name is excluded: a neutral host was cut off as well, asked for the same path."""
    if trouble.layer is not Layer.HTTP or trouble.secure or trouble.place is not Place.OWN or trouble.path == PLAIN:
        return False
    asked = [row for row in table if row.layer is Layer.HTTP and row.spot == trouble.spot and row.hop == trouble.hop]
    neutral = [row for row in asked if row.kind is NameKind.NEUTRAL]
    return trouble.outcome in TRIGGERABLE and any(row.outcome in TRIGGERABLE for row in neutral)


def is_told(case: Case, table: tuple[Try, ...], trouble: Trouble) -> bool:
    """Tell whether five of the page were cut off and five of another page came: neither name nor place is it then."""
    done = {row.experiment.id: row.outcome for row in table if row.experiment is not None and row.layer is Layer.HTTP}
    planned = [e for e in case.experiments if e.design is Design.PATH and e.endpoint == trouble.endpoint]
    tests = [done.get(e.id) for e in planned if e.name_kind is NameKind.TEST]
    controls = [done.get(e.id) for e in planned if e.name_kind is NameKind.NONE]
    whole = len(tests) >= PAIRS and len(controls) >= PAIRS
    return whole and all(o in TRIGGERABLE for o in tests) and all(o is Outcome.OK for o in controls)


def _next(case: Case, table: tuple[Try, ...], trouble: Trouble) -> Experiment | None:
    planned = [e for e in case.experiments if e.design is Design.PATH and e.endpoint == trouble.endpoint]
    done = {row.experiment.id: row.outcome for row in table if row.experiment is not None and row.layer is Layer.HTTP}
    if any(e.id not in done for e in planned):
        return None  # one after the other: the order is the design
    controls = [e for e in planned if e.name_kind is NameKind.NONE]
    tests = [e for e in planned if e.name_kind is NameKind.TEST]
    broken = any(done[e.id] is not Outcome.OK for e in controls) or any(done[e.id] not in TRIGGERABLE for e in tests)
    if broken or len(tests) >= PAIRS:
        return None
    control = len(controls) == len(tests)
    number = len(controls if control else tests) + 1
    return Experiment(
        id=f"{Design.PATH.value}.{'none' if control else 'test'}.{trouble.spot}.{trouble.hop}.{number}",
        design=Design.PATH,
        step=Step.FETCH,
        name=trouble.name,
        name_kind=NameKind.NONE if control else NameKind.TEST,
        endpoint=trouble.endpoint,
        path=PLAIN if control else trouble.path,
        secure=False,
        hop=trouble.hop,
        cell=number,
    )
