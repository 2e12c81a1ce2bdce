"""Follow-ups about how bytes flow through a tunnel: neutral pages, then a reference in turn with pages from its port.

Source: Xue et al., "Throttling Twitter" (IMC 2021), for paired runs in turn; CONTRACT section 4. One run at a time: two
would share the line. The tunnel's own server is not asked again here: its handshakes keep their distance
(`tunnel_later`).
"""

from probe.classify.case import Case
from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.tunnel_flows import TunnelFlows, is_frozen, is_slow_run
from probe.classify.pairs import PAIRS
from probe.classify.tries import Layer, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import DialogueExchange
from probe.model.target import Target
from probe.protocols.flow import FASTEST_FLOW, build_flow_path

LINE_RUNS = 3
"""Pages of neutral sites that tell what the line can do."""
PAGE_S = 3.0
"""Each of them, and each from a reference's port."""
RUN_S = 5.0
"""A run through a reference: its handshake, and enough of its data to tell a slow flow from a free one."""
STALL_S = 3.0
"""And to see it freeze, which needs no more than a second of silence."""
FLOW_BYTES = 262144
"""What a reference's port is asked to send: as fast as the line allows."""


def find_hampered(table: tuple[Try, ...]) -> DialogueExchange | None:
    """Return the check's own conversation that froze, or whose bytes came slowly; `None` = none did."""
    rows = (row for row in table if row.layer is Layer.VPN and row.experiment is None and not row.measurement)
    runs = (row.observation for row in rows)
    return next((r for r in runs if isinstance(r, DialogueExchange) and (is_frozen(r) or is_slow_run(r))), None)


def plan_tunnel_flow(
    case: Case, table: tuple[Try, ...], run: DialogueExchange, reference: Target | None
) -> tuple[Experiment, ...]:
    """Return the next run."""
    if case.cold_start:
        return ()
    flows = TunnelFlows(PathFacts(case, table, 0, str(run.endpoint), frozenset()))
    planned = [e for e in case.experiments if e.design is Design.VOLUME]
    if any(e.id in case.running for e in planned):
        return ()
    line = [e for e in planned if e.step is Step.NEUTRAL_PAGE]
    if len(line) < min(LINE_RUNS, len(case.neutral_names)):
        return (_line(run.endpoint, case.neutral_names[len(line)], len(line) + 1),)
    if reference is None:
        return ()
    tests = [e for e in planned if e.step is Step.CONVERSE]
    pages = [e for e in planned if e.step is Step.FETCH]
    if len(tests) == len(pages) >= PAIRS or _tells_nothing(flows, len(tests), len(pages)):
        return ()
    place = Endpoint(address=reference.host, port=reference.port)
    if len(pages) > len(tests):
        within_s = STALL_S if is_frozen(run) else RUN_S
        return (carry(run.endpoint, place, reference, len(tests) + 1, within_s),)
    return (_page(run.endpoint, place, reference, len(pages) + 1),)


def _tells_nothing(flows: TunnelFlows, tests: int, pages: int) -> bool:
    """Tell whether a run ended so that no further pair can accuse anybody: the reference works, or its page fails."""
    passed = any(not is_frozen(run) and not is_slow_run(run) for run in flows.reference)
    return passed or len(flows.reference) < tests or len([p for p in flows.harmless if p.status]) < pages


def carry(endpoint: Endpoint, place: Endpoint, reference: Target, number: int, within_s: float = RUN_S) -> Experiment:
    """Return one run through a reference."""
    return Experiment(
        id=f"{Design.VOLUME.value}.test.{place}.{endpoint}.{number}", design=Design.VOLUME, step=Step.CONVERSE,
        name=reference.id, name_kind=NameKind.TEST, place=Place.UNRELATED, endpoint=place, about=str(endpoint),
        within_s=within_s, cell=number,
    )  # fmt: skip


def in_tls(reference: Target) -> bool:
    """Tell whether a reference is spoken to in TLS: then what is harmless there is a page over https."""
    return reference.params.get("security") == "tls"


def _page(endpoint: Endpoint, place: Endpoint, reference: Target, number: int) -> Experiment:
    return Experiment(
        id=f"{Design.VOLUME.value}.neutral.{place}.{endpoint}.{number}", design=Design.VOLUME, step=Step.FETCH,
        name="", name_kind=NameKind.NEUTRAL, place=Place.UNRELATED, endpoint=place, about=str(endpoint),
        secure=in_tls(reference), path=build_flow_path(FLOW_BYTES, FASTEST_FLOW), within_s=PAGE_S, cell=number,
    )  # fmt: skip


def _line(endpoint: Endpoint, name: str, number: int) -> Experiment:
    return Experiment(
        id=f"{Design.VOLUME.value}.line.{name}.{endpoint}.{number}", design=Design.VOLUME, step=Step.NEUTRAL_PAGE,
        name=name, name_kind=NameKind.NEUTRAL, place=Place.UNRELATED, about=str(endpoint), within_s=PAGE_S,
        cell=number,
    )  # fmt: skip
