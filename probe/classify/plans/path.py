"""Follow-ups about a path: once more on a fresh port, a neutral name at the same place, nothing sent, another port."""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.residual import SAMPLE_WITHIN_S, sample_delays
from probe.classify.pairs import LATE, PAIRS, SPOKE
from probe.classify.plans.trouble import Trouble
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint, is_literal
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.target import CheckName

PLACES_AT_MOST = 4
"""Of one name: two addresses of each family, at ten connections each."""
_SHAKES = frozenset({CheckName.WEB, CheckName.TLS})
"""What a check goes on to do once it is connected: the repeat of its connect does so too."""
AGAIN = 20
"""Numbers of repeated tries start here, above those of the first round."""
"""Number of the repeat that goes with a control's second round; no other design counts so far."""


def plan_path(case: Case, table: tuple[Try, ...], troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return the next connections that the troubled places call for."""
    wanted: list[Experiment] = []
    for trouble in troubles[:PLACES_AT_MOST]:
        if has_trigger(trouble):
            wanted += _chain(case, table, trouble, troubles) or _repeat_at_least(case, table, trouble)
        elif trouble.outcome is not Outcome.INSTRUMENT and trouble.place is Place.OWN:
            wanted += _repeat(case, trouble)
    wanted += _certificate(case, troubles)
    wanted += _other_port(troubles)
    wanted += _idle(troubles)
    return tuple(wanted)


def has_trigger(trouble: Trouble) -> bool:
    """Tell whether the connection broke after a name went out in the clear: TLS with SNI, or HTTP without TLS."""
    if trouble.outcome not in TRIGGERABLE or not trouble.name or is_literal(trouble.name):
        return False
    return trouble.layer is Layer.TLS or (trouble.layer is Layer.HTTP and not trouble.secure)


def _repeat_at_least(case: Case, table: tuple[Try, ...], trouble: Trouble) -> list[Experiment]:
    """Return one repeat where the design cannot go on: it tells a symptom from an accident."""
    if case.cold_start:
        return []
    stuck = Chain(case, table, trouble).stuck()
    return _repeat(case, trouble) if stuck or not case.neutral_names else []


def repeat_again(case: Case, troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return the failed steps once more, for a moment well apart: what has healed since accuses nobody."""
    own = [trouble for trouble in troubles if trouble.place is Place.OWN and trouble.layer is not Layer.DNS]
    return tuple(e for trouble in own[:PLACES_AT_MOST] for e in _repeat(case, trouble, number=AGAIN))


def _repeat(case: Case, trouble: Trouble, number: int = 1) -> list[Experiment]:
    match trouble.layer:
        case Layer.TCP if trouble.secure and case.target.check in _SHAKES:
            step = Step.HANDSHAKE  # who connects at last has not shown yet that the name passes
        case Layer.TCP:
            step = Step.CONNECT
        case Layer.HTTP:
            step = Step.FETCH
        case Layer.ICMP:
            step = Step.ECHO
        case Layer.VPN:
            return []  # a handshake a minute at most: what asks again is the next run
        case _:
            step = Step.HANDSHAKE
    # Number 1 may be taken: on a slow line the connect before this step seemed silent, and was repeated too.
    number += trouble.layer is not Layer.TCP
    return [_at(trouble, Design.REPEAT, step, trouble.name, NameKind.TEST, number)]


def _at(trouble: Trouble, design: Design, step: Step, name: str, kind: NameKind, number: int) -> Experiment:
    return Experiment(
        id=f"{design.value}.{kind.value}.{trouble.spot}.{trouble.hop}.{number}",
        design=design,
        step=step,
        name=name,
        name_kind=kind,
        place=trouble.place,
        endpoint=trouble.endpoint,
        path=trouble.path,  # held: the name alone is varied, or a word in the path would be taken for it
        secure=trouble.secure,
        hop=trouble.hop,
        cell=number,
    )


class Chain:
    """The T C T C design at one place, as far as it has gone.

    It begins T C C: strict alternation would take a server of which every second connection fails for a filter.
    """

    def __init__(self, case: Case, table: tuple[Try, ...], trouble: Trouble) -> None:
        self.trouble = trouble
        self.design = Design.SNI if trouble.layer is Layer.TLS else Design.HOST
        planned = [e for e in case.experiments if e.design is self.design and e.endpoint == trouble.endpoint]
        self.tests = 1 + len([e for e in planned if e.name_kind is NameKind.TEST])
        self.controls = len([e for e in planned if e.name_kind is NameKind.NEUTRAL])
        rows = [r for r in table if r.layer is trouble.layer and r.spot == trouble.spot and r.hop == trouble.hop]
        self._rows = {r.experiment.id: r for r in rows if r.experiment is not None}
        self._any = {r.experiment.id: r for r in table if r.experiment is not None and r.outcome is not Outcome.OK}
        self._hushed = {s.experiment for s in case.silences if s.experiment}
        self._planned = planned

    def last(self, kind: NameKind) -> Experiment | None:
        """Return the newest planned try of this kind; `None` = none was planned."""
        return max((e for e in self._planned if e.name_kind is kind), key=lambda e: e.cell, default=None)

    def failing(self, experiment: Experiment | None) -> bool:
        """Tell whether a test failed or keeps silent; the check's own try (`None`) did."""
        if experiment is None:
            return True
        row = self._rows.get(experiment.id)
        return row.outcome in TRIGGERABLE if row is not None else experiment.id in self._hushed

    def answered(self) -> int:
        """Return how many controls were answered."""
        rows = (self._rows.get(e.id) for e in self._neutral())
        return sum(row is not None and row.outcome in SPOKE for row in rows)

    def all_answered(self) -> bool:
        """Tell whether every control so far was answered."""
        rows = [self._rows.get(e.id) for e in self._neutral()]
        return bool(rows) and all(row is not None and row.outcome in SPOKE for row in rows)

    def stuck(self) -> bool:
        """Tell whether a control failed: the place is hot, or the name is not the trigger."""
        rows = [self._rows.get(e.id) or self._any.get(e.id) for e in self._neutral()]
        return any(row is not None and row.outcome not in SPOKE for row in rows)

    def _neutral(self) -> list[Experiment]:
        return [e for e in self._planned if e.name_kind is NameKind.NEUTRAL]


def _chain(case: Case, table: tuple[Try, ...], trouble: Trouble, troubles: tuple[Trouble, ...]) -> list[Experiment]:
    if not case.neutral_names or case.cold_start:
        return []
    chain = Chain(case, table, trouble)
    step = Step.HANDSHAKE if trouble.layer is Layer.TLS else Step.FETCH
    # Where another measurement had triggered something, a control must stand between any two tests that count.
    ahead = 0 if trouble.spot in _hot_spots(table) else 1
    if chain.controls < min(chain.tests + ahead, PAIRS):
        if not chain.failing(chain.last(NameKind.TEST)):
            return []
        if chain.stuck():
            return []
        wanted = range(chain.controls + 1, min(chain.tests + ahead, PAIRS) + 1)
        return [_at(trouble, chain.design, step, case.neutral_names[0], NameKind.NEUTRAL, n) for n in wanted]
    if not chain.all_answered() or _enough(case, table, trouble, troubles):
        return []
    return [_at(trouble, chain.design, step, trouble.name, NameKind.TEST, chain.tests)]


def _enough(case: Case, table: tuple[Try, ...], trouble: Trouble, troubles: tuple[Trouble, ...]) -> bool:
    alike = [t for t in troubles if t.layer is trouble.layer and t.place is trouble.place and has_trigger(t)]
    hot = _hot_spots(table)
    chains = [Chain(case, table, t) for t in alike]
    # Places where neutral names fail too, as they may over one family alone, do not count toward this name.
    chains = [chain for chain in chains if chain.trouble.spot == trouble.spot or not chain.stuck()]
    # At a hot place the check's own try proves nothing: it counts from the first control that passes there.
    return sum(chain.tests - (chain.trouble.spot in hot) for chain in chains) >= PAIRS


def _hot_spots(table: tuple[Try, ...]) -> frozenset[str]:
    return frozenset(row.spot for row in table if row.hot and row.experiment is None and not row.measurement)


def _certificate(case: Case, troubles: tuple[Trouble, ...]) -> list[Experiment]:
    """Ask for the site's certificate under a neutral name, where another was shown for its own."""
    if not case.neutral_names:
        return []
    shown = [
        t
        for t in troubles
        if t.layer is Layer.TLS and t.outcome is Outcome.UNTRUSTED and t.place is Place.OWN and not t.hop
    ]
    return [
        _at(t, Design.CERTIFICATE, Step.HANDSHAKE, case.neutral_names[0], NameKind.NEUTRAL, 1)
        for t in shown[:PLACES_AT_MOST]
    ]


def _other_port(troubles: tuple[Trouble, ...]) -> list[Experiment]:
    """Return one connection to another port of each silent host: is it the address, or the port?"""
    silent = [
        trouble
        for trouble in troubles
        if trouble.layer is Layer.TCP
        and trouble.place is Place.OWN
        and trouble.outcome in (Outcome.SILENT, Outcome.REFUSED)
    ]
    return [_elsewhere_on(trouble) for trouble in silent[:PLACES_AT_MOST]]


def _elsewhere_on(trouble: Trouble) -> Experiment:
    port = 443 if trouble.endpoint.port in (80, 853) else 80  # where something may well listen
    other = Endpoint(address=trouble.endpoint.address, port=port)
    return Experiment(
        id=f"{Design.PORTS.value}.none.{other}.{trouble.hop}.1", design=Design.PORTS, step=Step.CONNECT,
        name="", name_kind=NameKind.NONE, place=Place.UNRELATED, endpoint=other, hop=trouble.hop,
        about=trouble.spot, cell=1,
    )  # fmt: skip


def _idle(troubles: tuple[Trouble, ...]) -> list[Experiment]:
    """Connect and send nothing: a peer that hangs up unasked was not moved by a name."""
    trouble = next(
        (t for t in troubles if t.layer in (Layer.TLS, Layer.HTTP) and t.outcome in (Outcome.RESET, Outcome.FIN)), None
    )
    if trouble is None or trouble.received:
        return []
    return [_at(trouble, Design.HOLD, Step.HOLD, "", NameKind.NONE, 1)]


def chain_later(case: Case, table: tuple[Try, ...], troubles: tuple[Trouble, ...]) -> tuple[Pending, ...]:
    """Return the design that waits for a cold place: five controls, then five tests, at one address."""
    if case.cold_start or not case.neutral_names:
        return ()
    for trouble in troubles:
        if not has_trigger(trouble) or trouble.waiting:
            continue
        chain = Chain(case, table, trouble)
        if not chain.stuck():
            continue
        step = Step.HANDSHAKE if trouble.layer is Layer.TLS else Step.FETCH
        controls = [
            _at(trouble, chain.design, step, case.neutral_names[0], NameKind.NEUTRAL, 10 + n)
            for n in range(1, PAIRS + 1)
        ]
        tests = [
            _late(_at(trouble, chain.design, step, trouble.name, NameKind.TEST, 10 + n)) for n in range(1, PAIRS + 1)
        ]
        return (
            Pending(
                due_in_s=case.cool_down_s,
                question="whether the name or the address is the trigger",
                experiments=(*controls, tests[0], *_samples(case, trouble, step), *tests[1:]),
            ),
        )
    return ()


def _samples(case: Case, trouble: Trouble, step: Step) -> list[Experiment]:
    """Return neutral names at once after the first late test and further on: is the place dead, and for how long?"""
    return [
        msgspec.structs.replace(
            _at(trouble, Design.RESIDUAL, step, case.neutral_names[0], NameKind.NEUTRAL, number),
            delay_s=delay_s,
            within_s=SAMPLE_WITHIN_S,
        )
        for number, delay_s in enumerate(sample_delays(case.cool_down_s), 1)
    ]


def _late(experiment: Experiment) -> Experiment:
    return msgspec.structs.replace(experiment, about=LATE)
