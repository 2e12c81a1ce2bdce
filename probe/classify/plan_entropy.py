"""Follow-ups about filters that drop what looks like nothing: random bytes at a control's echo ports, and exempt ones.

Source: Wu et al. (USENIX Security 2023), algorithm 1; Bock et al. (FOCI 2020), lists of protocols that pass; CONTRACT
sections 2 and 4. At each port, used once per cool-down, bytes that such a filter lets go come first, by one exemption
or another in turn; then as many that it does not. Where the exempt are dropped as well, only known protocols may pass:
a page in the clear at each port, and then letters again, tell. No third party gets any of these bytes.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName, Target

EXEMPT, OPAQUE = ("letters", "few bits"), "opaque"
UNHEARD = 2
"""So many exempt tries must be silent, and none may have passed, before it is asked whether known protocols do."""
RUN_S = 4.0
"""An answer comes at once, or after a retransmission or two."""
_PROTOCOLS = frozenset({"shadowsocks", "vmess", "obfs4"})
_DISGUISES = ("prefix", "obfs", "type")


def is_opaque(target: Target) -> bool:
    """Tell whether a tunnel's connections begin with bytes that look like nothing."""
    if target.check is not CheckName.VPN or target.params.get("protocol") not in _PROTOCOLS:
        return False
    in_the_clear = target.params.get("security", "none") == "none" and target.params.get("proto", "tcp") == "tcp"
    return in_the_clear and not any(target.params.get(param) for param in _DISGUISES)


def find_stopped(case: Case, table: tuple[Try, ...]) -> Endpoint | None:
    """Return the place of such a tunnel that is silent so far, or was broken off before any answer."""
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


def plan_entropy(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the next bytes at each of the ports that were kept for this case."""
    place = find_stopped(case, table) if case.echoes and not case.cold_start else None
    if place is None:
        return ()
    passed = {
        row.spot
        for row in table
        if row.experiment is not None
        and row.experiment.design is Design.ENTROPY
        and row.kind is NameKind.NEUTRAL
        and row.layer is Layer.VPN
        and row.outcome is Outcome.OK
    }
    wanted = []
    for number, port in enumerate(case.echoes, 1):
        wanted.append(_send(place, port, EXEMPT[number % len(EXEMPT)], number))
        if str(port) in passed:
            wanted.append(_send(place, port, OPAQUE, number))
    unheard = [row for row in table if _is_exempt(row) and row.outcome is Outcome.SILENT]
    if len(unheard) >= UNHEARD and not passed:
        wanted += _plan_protocols(case, table, place)
    return tuple(wanted)


def _is_exempt(row: Try) -> bool:
    planned = row.experiment
    if planned is None or planned.design is not Design.ENTROPY or row.kind is not NameKind.NEUTRAL:
        return False
    return row.layer is Layer.VPN


def _plan_protocols(case: Case, table: tuple[Try, ...], place: Endpoint) -> list[Experiment]:
    """Return a page at each port, and where it came, bytes that are no protocol's."""
    fetched = {
        row.spot
        for row in table
        if row.experiment is not None
        and row.experiment.design is Design.PROTOCOL
        and row.layer is Layer.HTTP
        and row.outcome is Outcome.OK
    }
    wanted: list[Experiment] = []
    for number, port in enumerate(case.echoes, 1):
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
