"""Follow-ups about a tunnel: another service of its host, and its protocol with a reference server.

None touches the endpoint's own protocol again before a minute is over (CONTRACT section 6): what is repeated there is
pending, and so is what a second round of a control needs.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.tunnel_facts import PASSES
from probe.classify.pairs import PAIRS
from probe.classify.plans.entropy import plan_entropy
from probe.classify.plans.tunnel_flow import RUN_S, carry, find_hampered, in_tls, plan_tunnel_flow
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.observation import DialogueExchange, TCPConnect, TLSHandshake
from probe.model.target import CheckName, Exposure, Target

STUN = "stun"
ENDPOINTS_AT_MOST = 2
"""Addresses of one endpoint's name."""
AGAIN = 30
"""Numbers of repeated tries start here, above those of the first round."""
_SERVICE_PORTS = (443, 80)


def plan_tunnel(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return what to try next for the endpoints that are silent or broke off."""
    wanted: list[Experiment] = []
    hampered = find_hampered(table)
    if hampered is not None:
        # What is up and carries too little is another question than what does not come up.
        over_udp = hampered.transport.startswith("udp")
        return plan_tunnel_flow(case, table, hampered, _find_reference(case, over_udp=over_udp))
    if case.deep:
        wanted += _get_to_know(case, table)
    for endpoint, over_udp in _troubled(case, table)[:ENDPOINTS_AT_MOST]:
        wanted.append(_service(endpoint))
        reference = _find_reference(case, over_udp=over_udp)
        if reference is not None:
            wanted += _compare(table, endpoint, reference, over_udp=over_udp)
    return (*wanted, *plan_entropy(case, table))


def _get_to_know(case: Case, table: tuple[Try, ...]) -> list[Experiment]:
    """Return one beginning with the reference while the tunnel works: later, its silence will mean something.

    Beside it goes something harmless, if by datagrams: most servers of tunnels never answer that.
    """
    known = {place for proof in case.proofs for place in proof.references}
    greeted = {place for proof in case.proofs for place in proof.greeted}
    carriers = {place for proof in case.proofs for place in proof.carriers}
    for row in table:
        seen = row.observation
        is_own = row.experiment is None and not row.measurement and row.outcome is Outcome.OK
        if is_own and isinstance(seen, DialogueExchange):
            over_udp = seen.transport.startswith("udp")
            reference = _find_reference(case, over_udp=over_udp)
            if reference is not None:
                place = Endpoint(address=reference.host, port=reference.port)
                wanted: list[Experiment] = []
                if over_udp and str(place) not in greeted:
                    wanted.append(_try(seen.endpoint, place, reference, 1, over_udp=True, kind=NameKind.NEUTRAL))
                if seen.depth is Depth.VOLUME and str(place) not in carriers:
                    wanted.append(carry(seen.endpoint, place, reference, 1))
                elif str(place) not in known and str(place) not in carriers:
                    wanted.append(_try(seen.endpoint, place, reference, 1, over_udp=over_udp, kind=NameKind.TEST))
                return wanted
    return []


def tunnel_later(case: Case, table: tuple[Try, ...]) -> tuple[Pending, ...]:
    """Return the handshake that is made once more when its spacing allows: one failure may be an accident."""
    if case.cold_start or case.target.check is not CheckName.VPN:
        return ()
    # At a private endpoint this is all that is tried where its connection or its TLS breaks, too.
    layers = (Layer.VPN, Layer.TCP, Layer.TLS) if case.target.exposure is Exposure.PRIVATE else (Layer.VPN,)
    broken = [
        row.observation
        for row in table
        if row.layer in layers
        and row.experiment is None
        and not row.measurement
        and row.outcome in (*TRIGGERABLE, Outcome.REFUSED)
    ]
    hampered = find_hampered(table)
    if hampered is not None:
        return _runs_later(case, hampered)
    # Without proof of its credentials nothing could come of it.
    if not broken or not case.proofs:
        return ()
    again = tuple(
        _again(seen.endpoint, AGAIN)
        for seen in broken[:ENDPOINTS_AT_MOST]
        if isinstance(seen, DialogueExchange | TCPConnect | TLSHandshake)
    )
    due_s = max(case.spacing_s, case.round_apart_s) + 1.0
    return (Pending(due_in_s=due_s, question="whether the same handshake fails again", experiments=again),)


def _runs_later(case: Case, run: DialogueExchange) -> tuple[Pending, ...]:
    """Return two more runs, as far apart as handshakes are: three that stop at one place, or are slow, are no accident.

    They are one question, and the second waits until the first is over: repeats of one place would go side by side.
    """
    due_s = max(case.spacing_s, case.round_apart_s) + 1.0
    runs = (
        _again(run.endpoint, AGAIN),
        msgspec.structs.replace(_again(run.endpoint, AGAIN + 1), delay_s=due_s + RUN_S),
    )
    question = "whether the tunnel carries as little again"
    return (Pending(due_in_s=due_s, question=question, experiments=runs),)


def _again(endpoint: Endpoint, number: int) -> Experiment:
    return Experiment(
        id=f"{Design.REPEAT.value}.test.{endpoint}.0.{number}", design=Design.REPEAT, step=Step.CONVERSE, name="",
        name_kind=NameKind.TEST, place=Place.OWN, endpoint=endpoint, cell=number,
    )  # fmt: skip


def _troubled(case: Case, table: tuple[Try, ...]) -> list[tuple[Endpoint, bool]]:
    """Return the endpoints that broke off or keep silent, and whether by datagrams."""
    found: dict[Endpoint, bool] = {}
    done = {observation.transaction for observation in case.observations}
    for silence in case.silences:
        waits = silence.transaction not in done and not silence.experiment
        if waits and silence.layer == Layer.VPN.value and silence.endpoint is not None:
            found[silence.endpoint] = not _connected(table, silence.endpoint)
    for row in table:
        seen = row.observation
        is_own = row.experiment is None and not row.measurement
        if is_own and row.outcome in TRIGGERABLE and isinstance(seen, DialogueExchange):
            found[seen.endpoint] = seen.transport.startswith("udp")
    return list(found.items())


def _connected(table: tuple[Try, ...], endpoint: Endpoint) -> bool:
    return any(row.layer is Layer.TCP and row.spot == str(endpoint) and row.experiment is None for row in table)


def _service(endpoint: Endpoint) -> Experiment:
    port = next(port for port in _SERVICE_PORTS if port != endpoint.port)
    other = Endpoint(address=endpoint.address, port=port)
    return Experiment(
        id=f"{Design.SERVICE.value}.none.{other}.0.1", design=Design.SERVICE, step=Step.CONNECT, name="",
        name_kind=NameKind.NONE, place=Place.UNRELATED, endpoint=other, about=str(endpoint), cell=1,
    )  # fmt: skip


def _find_reference(case: Case, *, over_udp: bool) -> Target | None:
    """Return a reference that speaks the target's protocol over the same layers; it is no endpoint of its own."""
    wanted = (over_udp, *_look(case.target))
    for reference in case.references:
        by_udp = reference.params.get("over") == "udp"
        if (by_udp, *_look(reference)) == wanted and reference.host != case.target.host:
            return reference
    return None


def _look(target: Target) -> tuple[str, str, str]:
    """Return what a tunnel looks like from outside: its protocol, whether in TLS, and the shape of its stream."""
    params = target.params
    return (params.get("protocol", ""), params.get("security", "none"), params.get("type", ""))


def _compare(table: tuple[Try, ...], endpoint: Endpoint, reference: Target, *, over_udp: bool) -> list[Experiment]:
    """Return five harmless exchanges; when all passed, five beginnings; when none did, whether connections open.

    Where they do, both are tried once more.
    """
    place = Endpoint(address=reference.host, port=reference.port)
    harmless = [_try(endpoint, place, reference, n, over_udp=over_udp, kind=NameKind.NEUTRAL) for n in _numbers()]
    met = [row for row in table if row.layer in _final(over_udp) and _is_harmless(row, endpoint)]
    if len(met) < PAIRS:
        return harmless
    if all(row.outcome is Outcome.OK for row in met):
        return [_try(endpoint, place, reference, n, over_udp=over_udp, kind=NameKind.TEST) for n in _numbers()]
    if over_udp and all(row.outcome is Outcome.SILENT for row in met):
        first = [_open(endpoint, place, n) for n in range(1, PASSES + 1)]
        opened = [row for row in table if _is_opened(row, endpoint)]
        if len(opened) < PASSES or not all(row.outcome is Outcome.OK for row in opened):
            return first
        # A line that comes and goes was perhaps gone while datagrams were tried: both once more, side by side.
        more = range(PAIRS + 1, PAIRS + PASSES + 1)
        again = [_try(endpoint, place, reference, n, over_udp=True, kind=NameKind.NEUTRAL) for n in more]
        return [*again, *(_open(endpoint, place, PASSES + n) for n in range(1, PASSES + 1))]
    return []


def _is_harmless(row: Try, endpoint: Endpoint) -> bool:
    return _is_about(row, endpoint, NameKind.NEUTRAL)


def _is_opened(row: Try, endpoint: Endpoint) -> bool:
    return row.layer is Layer.TCP and _is_about(row, endpoint, NameKind.NONE)


def _is_about(row: Try, endpoint: Endpoint, kind: NameKind) -> bool:
    experiment = row.experiment
    return (
        experiment is not None
        and experiment.design is Design.REFERENCE
        and experiment.name_kind is kind
        and experiment.about == str(endpoint)
    )


def _final(over_udp: bool) -> tuple[Layer, ...]:
    return (Layer.VPN,) if over_udp else (Layer.HTTP,)


def _numbers() -> range:
    return range(1, PAIRS + 1)


def _try(
    endpoint: Endpoint, place: Endpoint, reference: Target, number: int, *, over_udp: bool, kind: NameKind
) -> Experiment:
    harmless = kind is NameKind.NEUTRAL
    return Experiment(
        id=f"{Design.REFERENCE.value}.{kind.value}.{place}.{endpoint}.{number}",
        design=Design.REFERENCE,
        step=Step.FETCH if harmless and not over_udp else Step.CONVERSE,
        name=(STUN if over_udp else "") if harmless else reference.id,
        name_kind=kind,
        place=Place.UNRELATED,
        endpoint=place,
        secure=in_tls(reference),
        about=str(endpoint),
        cell=number,
    )


def _open(endpoint: Endpoint, place: Endpoint, number: int) -> Experiment:
    return Experiment(
        id=f"{Design.REFERENCE.value}.none.{place}.{endpoint}.{number}", design=Design.REFERENCE, step=Step.CONNECT,
        name="", name_kind=NameKind.NONE, place=Place.UNRELATED, endpoint=place, about=str(endpoint), cell=number,
    )  # fmt: skip
