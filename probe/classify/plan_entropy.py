"""Follow-ups about filters that drop what looks like nothing: random bytes at a control's echo ports, and exempt ones.

Source: Wu et al. (USENIX Security 2023), algorithm 1; CONTRACT sections 2 and 4. At each port, used once per cool-down,
bytes that such a filter lets go come first, by one exemption or another in turn; then as many that it does not. No
third party gets any.
"""

from probe.classify.case import Case
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName, Target

EXEMPT, OPAQUE = ("letters", "few bits"), "opaque"
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
    return tuple(wanted)


def _send(place: Endpoint, port: Endpoint, kind: str, number: int) -> Experiment:
    name_kind = NameKind.TEST if kind == OPAQUE else NameKind.NEUTRAL
    return Experiment(
        id=f"{Design.ENTROPY.value}.{name_kind.value}.{port}.{place}.{number}", design=Design.ENTROPY, step=Step.SINK,
        name=kind, name_kind=name_kind, place=Place.UNRELATED, endpoint=port, about=str(place), within_s=RUN_S,
        cell=number,
    )  # fmt: skip
