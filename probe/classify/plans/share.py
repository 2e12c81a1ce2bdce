"""Follow-ups where a name fails now and then: more handshakes on fresh ports, and neutral names between them.

Source: CONTRACT section 4 (ten connections for each address and design, six at once); a share of 26 %, the weakest seen
in the field (Wu et al., USENIX Security 2023), shows itself in ten tries, that is once at least. Whether it is one is
for Wald's test to say: where it leaves that open, later rounds go on, with as many neutral names as tests, by turns.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.shares import count_share
from probe.classify.tries import TRIGGERABLE, Layer, Try
from probe.model.endpoint import is_literal
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.observation import TLSHandshake
from probe.model.target import Exposure

TRIES = 10
"""In the first round: at 26 % they show one failure in 19 of 20 cases."""
TRIES_AT_MOST = 30
"""With all that follows later: of a share of 26 % fewer than one in a hundred are still open then."""
AT_ONCE = 4
"""Of the name, and half as many of a neutral one."""
APART_S = 1.0
"""Between one few and the next: ten within a moment would all meet the same state of what comes and goes."""
PATIENCE_S = 4.0
"""Each try; a silent one would hold up the rest for the whole timeout."""


def plan_share(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the next handshakes of each family: four of the name and two of a neutral one at the same moment.

    They are made once the name has failed and come through as well, or as many as the user asked for. Names in turn and
    not in blocks: what stops everything for a few seconds must not look as if it picked one of them.
    """
    if case.cold_start:
        return ()
    return tuple(experiment for rows in _families(table) for experiment in _next(case, table, rows))


def _next(case: Case, table: tuple[Try, ...], rows: tuple[Try, ...]) -> list[Experiment]:
    seen = _first_handshake(case, rows)
    wanted = TRIES if count_share(rows).is_mixed else min(case.tries, TRIES)
    if seen is None or not wanted:
        return []
    named = (Design.SHARE, Design.SNI)
    planned = [e for e in case.experiments if e.design in named and e.endpoint == seen.endpoint]
    done = {row.experiment.id for row in table if row.experiment is not None and row.layer in (Layer.TLS, Layer.TCP)}
    if any(e.id not in done or e.id in case.running for e in planned):
        return []
    tests = sum(e.design is Design.SHARE for e in planned)
    controls = sum(e.name_kind is NameKind.NEUTRAL for e in planned)
    last = min(wanted, tests + AT_ONCE)
    # Five neutral ones leave room for the design of names, which may ask the name itself as often: ten in all.
    wanted_next = [
        *(_build(seen, seen.server_name, Design.SHARE, number) for number in range(tests + 1, last + 1)),
        *(_build(seen, case.neutral_names[0], Design.SNI, n) for n in range(controls + 1, (last + 1) // 2 + 1)),
    ]
    return [msgspec.structs.replace(one, delay_s=APART_S if tests else 0.0) for one in wanted_next]


def share_later(case: Case, table: tuple[Try, ...]) -> tuple[Pending, ...]:
    """Return ten more of the name and of neutral ones by turns, where those made so far leave it open.

    One failure is followed up where the user asked for tries; else it takes a second one: the first began the matter.
    """
    own = _mixed_rows(table)
    seen = _first_handshake(case, own)
    if seen is None:
        return ()
    share = count_share(own, case.baseline.loss_ratio if case.baseline is not None else 0.0)
    runs = (case.experiments, *(citation.experiments for citation in case.cites))
    asked = [e for experiments in runs for e in experiments if e.endpoint == seen.endpoint]
    last = max((e.cell for e in asked if e.design is Design.SHARE), default=0)
    if not share.is_open or share.failed < (1 if case.tries else 2) or not TRIES <= last < TRIES_AT_MOST:
        return ()
    more = [
        _build(seen, name, design, number)
        for number in range(last + 1, last + TRIES + 1)
        for name, design in ((seen.server_name, Design.SHARE), (case.neutral_names[0], Design.SNI))
    ]
    question = "whether the name fails more often than by chance"
    return (Pending(due_in_s=case.round_apart_s, question=question, experiments=tuple(more)),)


def is_share_moot(experiment: Experiment, rows: tuple[Try, ...]) -> bool:
    """Tell whether a late try of a share has nothing to tell any more: a neutral name failed there in between."""
    made = [
        (row, row.experiment)
        for row in rows
        if row.experiment is not None and not row.measurement and row.experiment.endpoint == experiment.endpoint
    ]
    if not any(planned.design is Design.SHARE and planned.cell > TRIES for _, planned in made):
        return False
    return any(row.kind is NameKind.NEUTRAL and row.outcome in TRIGGERABLE for row, _ in made)


def _families(table: tuple[Try, ...]) -> tuple[tuple[Try, ...], ...]:
    """Return what was tried at the name's own places over either family: what one alone meets is no share of both."""
    own = tuple(row for row in table if row.hop == 0 and row.place in (Place.OWN, Place.SIBLING))
    return tuple(tuple(row for row in own if (":" in row.address) is v6) for v6 in (False, True))


def _mixed_rows(table: tuple[Try, ...]) -> tuple[Try, ...]:
    """Return what was tried over the family in which the name failed and came through; empty = in none."""
    return next((rows for rows in _families(table) if count_share(rows).is_mixed), ())


def _first_handshake(case: Case, own: tuple[Try, ...]) -> TLSHandshake | None:
    """Return the handshake of the check's own that more are to follow; `None` = none may."""
    first = next((row.observation for row in own if row.experiment is None and row.layer is Layer.TLS), None)
    if not isinstance(first, TLSHandshake) or not first.server_name or is_literal(first.server_name):
        return None
    return None if case.target.exposure is Exposure.PRIVATE or not case.neutral_names else first


def _build(seen: TLSHandshake, name: str, design: Design, number: int) -> Experiment:
    """Return one try; neutral names are those of the design of names, which may have asked some of them already."""
    kind = NameKind.TEST if design is Design.SHARE else NameKind.NEUTRAL
    return Experiment(
        id=f"{design.value}.{kind.value}.{seen.endpoint}.0.{number}", design=design, step=Step.HANDSHAKE,
        name=name, name_kind=kind, endpoint=seen.endpoint, within_s=PATIENCE_S, cell=number,
    )  # fmt: skip
