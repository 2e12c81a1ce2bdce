"""Follow-ups by hellos of other shapes: what passes where our own hello does not, and the other way round.

Source: CONTRACT section 4 (deep runs; ten connections for each address and design). A filter may read one segment or
one record only, or dislike a size: then a browser passes where the agent is stopped, or is stopped where it passes.
Where the name is the trigger a shape is sent with a neutral name first, because a failure counts only if that passes.
Where a neutral name fails as well, a browser's hello and our own take turns: each that passes shows the place cold.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.pairs import DEEP_PAIRS, PAIRS, SPOKE
from probe.classify.plans.path import Chain, has_trigger
from probe.classify.plans.trouble import Trouble
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint, is_literal
from probe.model.experiment import Design, Experiment, HelloShape, NameKind, Place, Step
from probe.model.observation import TCPConnect, TLSHandshake
from probe.model.target import CheckName, Exposure, Target

NAMED_SHAPES = (HelloShape.BROWSER, HelloShape.SEGMENTS, HelloShape.RECORDS)
AT_MOST = 10
"""Connections for an address and a design (CONTRACT section 4)."""
_CONTROLS_FIRST = 2
_ASKED = frozenset({CheckName.WEB, CheckName.TLS})


def plan_shapes(case: Case, table: tuple[Try, ...], troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return the next hellos that a name's or a shape's failure calls for, at one of the failing places."""
    if case.cold_start or case.target.exposure is Exposure.PRIVATE:
        return ()
    suspects = [t for t in troubles if _is_suspect(t)]
    begun = {e.about for e in case.experiments if e.design is Design.HELLO}
    trouble = next((t for t in suspects if t.spot in begun), None) or (suspects[0] if suspects and not begun else None)
    if trouble is None:
        return ()
    chain = Chain(case, table, trouble)
    here = _Here(case, table, trouble.endpoint, trouble.hop, trouble.name)
    if here.spent >= AT_MOST:
        return ()
    if chain.stuck():
        browser = here.outcomes(HelloShape.BROWSER, NameKind.TEST)
        if browser and browser[0] in TRIGGERABLE:
            # Nothing with a name passes: does a hello without one?
            unnamed = here.outcomes(HelloShape.NO_NAME, NameKind.NONE)
            return tuple(_take_turns(here, unnamed, HelloShape.NO_NAME)) if unnamed else (here.send_unnamed(1),)
        return tuple(_take_turns(here, browser, HelloShape.BROWSER))
    if chain.answered() >= _CONTROLS_FIRST:
        return tuple(_vary(here))
    return ()


def plan_deep_hello(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return what a deep run asks beside a check in which all is well so far: does a browser's hello pass as ours does?

    It goes out as soon as an address accepts connections, so that it costs the run no time.
    """
    place = deep_place(case, table)
    if place is None:
        return ()
    here = _Here(case, table, place, 0, case.target.host)
    failed = here.outcomes(HelloShape.BROWSER, NameKind.TEST)
    if not failed:
        return (here.send(HelloShape.BROWSER, NameKind.TEST, 1),)
    if None in failed or any(outcome in SPOKE for outcome in failed):
        return ()
    if deep_place(case, table, shaken=True) is None:
        return ()  # our own has not come through either, or not yet
    return tuple(_compare_deep(here, failed))


def may_look_deep(target: Target) -> bool:
    """Tell whether hellos of other shapes may be sent to a target that works: a public one, by name, over TLS."""
    if target.check not in _ASKED or not target.secure or target.exposure is not Exposure.PUBLIC:
        return False
    return bool(target.host) and not is_literal(target.host)


def deep_place(case: Case, table: tuple[Try, ...], *, shaken: bool = False) -> Endpoint | None:
    """Return the first address of a named public target that accepts connections; `shaken` = if our hello passed too.

    `None` = there is none.
    """
    if not may_look_deep(case.target):
        return None
    opened = (row for row in table if row.experiment is None and row.hop == 0 and row.outcome is Outcome.OK)
    place = next((row.observation.endpoint for row in opened if isinstance(row.observation, TCPConnect)), None)
    return None if place is None or (shaken and not _shook_hands(table, place)) else place


def _shook_hands(table: tuple[Try, ...], endpoint: Endpoint) -> bool:
    own = (row for row in table if row.experiment is None and row.hop == 0 and row.outcome is Outcome.OK)
    return any(isinstance(row.observation, TLSHandshake) and row.observation.endpoint == endpoint for row in own)


def _is_suspect(trouble: Trouble) -> bool:
    return has_trigger(trouble) and trouble.layer is Layer.TLS and trouble.place is Place.OWN and not trouble.received


class _Here:
    """The hellos at one place, as far as they have gone."""

    def __init__(self, case: Case, table: tuple[Try, ...], endpoint: Endpoint, hop: int, name: str) -> None:
        self._neutral = case.neutral_names[0] if case.neutral_names else ""
        self._endpoint, self._hop, self._name = endpoint, hop, name
        self._planned = [e for e in case.experiments if e.design is Design.HELLO and e.endpoint == endpoint]
        hushed = {silence.experiment for silence in case.silences if silence.experiment}
        self._seen: dict[str, Outcome] = dict.fromkeys(hushed, Outcome.SILENT)
        self._seen |= {
            row.experiment.id: row.outcome
            for row in table
            if row.experiment is not None and (row.layer in (Layer.HELLO, Layer.TLS) or row.outcome is not Outcome.OK)
        }

    @property
    def spent(self) -> int:
        """Return how many hellos were planned here."""
        return len(self._planned)

    def outcomes(self, shape: HelloShape, kind: NameKind) -> list[Outcome | None]:
        """Return how the hellos of this kind came out, in order; `None` = in flight."""
        return [self._seen.get(e.id) for e in self._planned if e.shape is shape and e.name_kind is kind]

    def send_unnamed(self, number: int, shape: HelloShape = HelloShape.NO_NAME) -> Experiment:
        """Return one more hello in which no name stands."""
        return msgspec.structs.replace(
            self.send(shape, NameKind.TEST, number),
            id=f"{Design.HELLO.value}.{shape.value}.none.{self._endpoint}.{self._hop}.{number}",
            name="",
            name_kind=NameKind.NONE,
        )

    def send(self, shape: HelloShape, kind: NameKind, number: int) -> Experiment:
        """Return one more hello; the stock one is a handshake of our own library."""
        return Experiment(
            id=f"{Design.HELLO.value}.{shape.value}.{kind.value}.{self._endpoint}.{self._hop}.{number}",
            design=Design.HELLO,
            step=Step.HANDSHAKE if shape is HelloShape.STOCK else Step.HELLO,
            name=self._name if kind is NameKind.TEST else self._neutral,
            name_kind=kind,
            endpoint=self._endpoint,
            shape=shape,
            hop=self._hop,
            about=str(self._endpoint),
            cell=number,
        )


def _vary(here: _Here) -> list[Experiment]:
    """Send each shape with a neutral name, then with the name; a browser's again while it passes."""
    for shape in NAMED_SHAPES:
        neutral = here.outcomes(shape, NameKind.NEUTRAL)
        if not neutral:
            return [here.send(shape, NameKind.NEUTRAL, 1)]
        if neutral[0] is None:
            return []
        if neutral[0] not in SPOKE:
            continue
        tests = here.outcomes(shape, NameKind.TEST)
        if not tests:
            return [here.send(shape, NameKind.TEST, 1)]
        if None in tests:
            return []
        if shape is HelloShape.BROWSER and len(tests) < PAIRS and all(outcome in SPOKE for outcome in tests):
            return [here.send(shape, NameKind.TEST, len(tests) + 1)]
    return []


def _take_turns(here: _Here, other: list[Outcome | None], shape: HelloShape) -> list[Experiment]:
    """Send a hello of another shape and our own by turns, for as long as the one passes and the other does not."""
    stock = here.outcomes(HelloShape.STOCK, NameKind.TEST)
    if None in other or None in stock:
        return []
    if any(outcome not in SPOKE for outcome in other) or any(outcome not in TRIGGERABLE for outcome in stock):
        return []
    if len(stock) < min(len(other), PAIRS - 1):
        return [here.send(HelloShape.STOCK, NameKind.TEST, len(stock) + 1)]
    if len(other) >= PAIRS:
        return []
    number = len(other) + 1
    return [here.send_unnamed(number) if shape is HelloShape.NO_NAME else here.send(shape, NameKind.TEST, number)]


def _compare_deep(here: _Here, failed: list[Outcome | None]) -> list[Experiment]:
    """Send the browser's hello without ECH and with a neutral name, then ours and the browser's by turns.

    Where it passes without ECH, one with ESNI tells whether names may be hidden at all; where it does not, a small one
    that says the same tells whether the size is what is stopped.
    """
    for shape, kind in ((HelloShape.NO_ECH, NameKind.TEST), (HelloShape.BROWSER, NameKind.NEUTRAL)):
        outcomes = here.outcomes(shape, kind)
        if not outcomes:
            return [here.send(shape, kind, 1)]
        if None in outcomes:
            return []
    without = here.outcomes(HelloShape.NO_ECH, NameKind.TEST)[0]
    if without in SPOKE and not here.outcomes(HelloShape.ESNI, NameKind.NONE):
        return [here.send_unnamed(1, HelloShape.ESNI)]
    if without not in SPOKE and not here.outcomes(HelloShape.SMALL, NameKind.TEST):
        return [here.send(HelloShape.SMALL, NameKind.TEST, 1)]
    stock = here.outcomes(HelloShape.STOCK, NameKind.TEST)
    if None in stock or any(outcome not in SPOKE for outcome in stock):
        return []
    if len(stock) < min(len(failed), DEEP_PAIRS - 1):
        return [here.send(HelloShape.STOCK, NameKind.TEST, len(stock) + 1)]
    return [here.send(HelloShape.BROWSER, NameKind.TEST, len(failed) + 1)] if len(failed) < DEEP_PAIRS else []
