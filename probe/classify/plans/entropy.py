"""Follow-ups about filters that drop what looks like nothing: random bytes at a control's echo ports, and exempt ones.

Source: Wu et al. (USENIX Security 2023), algorithm 1; Bock et al. (FOCI 2020), lists of protocols that pass; CONTRACT
sections 2 and 4. At each port, used once per cool-down, bytes that such a filter lets go come first, by one exemption
or another in turn; then as many that it does not. Where the exempt are dropped as well, only known protocols may pass:
a page in the clear at each port, and then letters again, tell. No third party gets any of these bytes.

China's strikes about one connection in four (26.3 % of them), which five ports do not show. Where they decide nothing,
25 more are tried later, each by two exempt connections before the other: five of thirty against none of 55 come out so
by chance in 0.4 % of cases, and are seen nine times out of ten.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.pairs import PAIRS
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName, Target

EXEMPT, OPAQUE = ("letters", "few bits"), "opaque"
UNHEARD = 2
"""So many exempt tries must be silent, and none may have passed, before it is asked whether known protocols do."""
RUN_S = 4.0
"""An answer comes at once, or after a retransmission or two."""
_MORE_PORTS, _AT_ONCE = 25, 5
_PROTOCOLS = frozenset({"shadowsocks", "vmess", "obfs4"})
_DISGUISES = ("prefix", "obfs", "type")


def is_opaque(target: Target) -> bool:
    """Tell whether a tunnel's connections begin with bytes that look like nothing."""
    if target.check is not CheckName.VPN or target.params.get("protocol") not in _PROTOCOLS:
        return False
    in_the_clear = target.params.get("security", "none") == "none" and target.params.get("proto", "tcp") == "tcp"
    return in_the_clear and not any(target.params.get(param) for param in _DISGUISES)


def find_stopped(case: Case, table: tuple[Try, ...]) -> Endpoint | None:
    """Return the place of such a tunnel that is silent so far, or was broken off before any answer; `None` = none."""
    if not is_opaque(case.target):
        return None
    for row in table:
        seen = row.observation
        is_own = row.layer is Layer.VPN and row.experiment is None and not row.measurement
        if is_own and row.outcome in TRIGGERABLE and isinstance(seen, DialogueExchange) and not seen.answered:
            return seen.endpoint
    done = {observation.transaction for observation in case.observations}
    waiting = (s for s in case.silences if s.layer == Layer.VPN.value and not s.experiment)
    return next((s.endpoint for s in waiting if s.transaction not in done and s.endpoint is not None), None)


def count_ports(case: Case, table: tuple[Try, ...]) -> int:
    """Return how many ports are kept for this case: more where a filter that strikes a share could be shown."""
    return PAIRS + (_MORE_PORTS if case.proofs and find_stopped(case, table) is not None else 0)


def entropy_later(case: Case, table: tuple[Try, ...]) -> tuple[Pending, ...]:
    """Return the same at more ports, where the first ones were not stopped each time, and letters never."""
    place = find_stopped(case, table) if case.proofs and not case.cold_start else None
    ports = case.echoes[PAIRS:]
    if place is None or len(ports) < _MORE_PORTS:
        return ()
    sent = [
        row
        for row in _rows_of(table, Design.ENTROPY, Layer.VPN)
        if row.experiment is not None and row.experiment.about == str(place)
    ]
    opaque = [row for row in sent if row.kind is NameKind.TEST]
    undecided = len(opaque) >= PAIRS and any(row.outcome is Outcome.OK for row in opaque)
    if not undecided or any(row.outcome is not Outcome.OK for row in sent if row.kind is NameKind.NEUTRAL):
        return ()
    waves = [ports[first : first + _AT_ONCE] for first in range(0, len(ports), _AT_ONCE)]
    turns = [(wave, kind) for wave in waves for kind in (*EXEMPT, OPAQUE)]
    wanted = [_send(place, port, kind, PAIRS + n) for n, (wave, kind) in enumerate(turns, 1) for port in wave]
    question = "whether bytes that look like nothing are stopped now and then"
    return (Pending(due_in_s=case.round_apart_s + 1.0, question=question, experiments=tuple(wanted)),)


def _rows_of(table: tuple[Try, ...], design: Design, layer: Layer) -> list[Try]:
    return [r for r in table if r.layer is layer and r.experiment is not None and r.experiment.design is design]


def plan_entropy(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the next bytes at each of the first ports that were kept for this case."""
    place = find_stopped(case, table) if case.echoes and not case.cold_start else None
    if place is None:
        return ()
    exempt = [row for row in _rows_of(table, Design.ENTROPY, Layer.VPN) if row.kind is NameKind.NEUTRAL]
    passed = {row.spot for row in exempt if row.outcome is Outcome.OK}
    wanted = []
    for number, port in enumerate(case.echoes[:PAIRS], 1):
        wanted.append(_send(place, port, EXEMPT[number % len(EXEMPT)], number))
        if str(port) in passed:
            wanted.append(_send(place, port, OPAQUE, number))
    unheard = sum(row.outcome is Outcome.SILENT for row in exempt)
    if unheard >= UNHEARD and not passed:
        wanted += _plan_protocols(case, table, place)
    return tuple(wanted)


def _plan_protocols(case: Case, table: tuple[Try, ...], place: Endpoint) -> list[Experiment]:
    """Return a page at each port, and where it came, bytes that are no protocol's."""
    fetched = {row.spot for row in _rows_of(table, Design.PROTOCOL, Layer.HTTP) if row.outcome is Outcome.OK}
    wanted: list[Experiment] = []
    for number, port in enumerate(case.echoes[:PAIRS], 1):
        wanted.append(
            Experiment(
                id=f"{Design.PROTOCOL.value}.neutral.{port}.{place}.{number}",
                design=Design.PROTOCOL,
                step=Step.FETCH,
                name=(*case.neutral_names, "")[0],
                name_kind=NameKind.NEUTRAL,
                place=Place.UNRELATED,
                endpoint=port,
                secure=False,
                about=str(place),
                within_s=RUN_S,
                cell=number,
            )
        )
        if str(port) in fetched:
            test = _send(place, port, EXEMPT[0], number)
            wanted.append(
                msgspec.structs.replace(
                    test,
                    id=f"{Design.PROTOCOL.value}.test.{port}.{place}.{number}",
                    design=Design.PROTOCOL,
                    name_kind=NameKind.TEST,
                )
            )
    return wanted


def _send(place: Endpoint, port: Endpoint, kind: str, number: int) -> Experiment:
    name_kind = NameKind.TEST if kind == OPAQUE else NameKind.NEUTRAL
    return Experiment(
        id=f"{Design.ENTROPY.value}.{name_kind.value}.{port}.{place}.{number}", design=Design.ENTROPY, step=Step.SINK,
        name=kind, name_kind=name_kind, place=Place.UNRELATED, endpoint=port, about=str(place), within_s=RUN_S,
        cell=number,
    )  # fmt: skip
