"""Follow-ups about how bytes flow: the same page again and again, in turn with a comparison that may go faster.

Source: Xue et al., "Throttling Twitter" (IMC 2021); CONTRACT section 4 (ten connections for each address and design).
The comparison is the same page by the same server with another name in the hello, or, for a page in the clear, over
https. Where those are slow as well, pages of neutral sites tell what the line can do. Where the server may not be
compared with itself, for it serves no other name, a control's echo ports send a flow at a steady rate under the name
and, before it on the same port, under a neutral one. One run at a time: two would share the line.
"""

from probe.classify.case import Case
from probe.classify.facts.flow_facts import Flows, is_same_page
from probe.classify.facts.volumes import MUCH_SLOWER, is_slow, is_stalled, much_slower, rate_of
from probe.classify.pairs import PAIRS
from probe.classify.plans.trouble import hop_name
from probe.classify.tries import Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import HTTPExchange
from probe.model.target import CheckName, Exposure
from probe.protocols.flow import build_flow_path

RUN_S = 3.0
"""Each run: enough to tell a policed flow from a free one, at either end."""
FLOW_BYTES = 131_072
FLOW_RATE = 1_000_000
"""Bytes, and bytes a second: what is policed as the field polices is several times slower."""
LINE_RUNS = 3
"""Pages of neutral sites that tell what the line can do, once the page itself was slow so often."""
NOT_THE_NAME = 2
"""After so many comparisons that were no faster, the name is not what slows the flow."""


def plan_flow(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the next run, if a page came slowly or stopped on the way."""
    page = find_slow_page(case, table)
    if page is None or not case.neutral_names or case.cold_start:
        return ()
    flows = Flows(table, page)
    planned = [e for e in case.experiments if e.design in (Design.VOLUME, Design.FLOW)]
    if any(e.id not in flows.done for e in planned):
        return ()
    tests, twins, line = len(flows.tests), len(flows.twins), len(flows.line)
    if _twins_may_tell(flows):
        if twins < tests:
            return (_twin(case, table, page, twins + 1),)
        return (_test(case, table, page, tests + 1),) if tests < PAIRS else ()
    if tests < LINE_RUNS:
        return (_test(case, table, page, tests + 1),)
    if line < min(LINE_RUNS, len(case.neutral_names)):
        return (_line(case, page, line),)
    return _next_echo(case, table, page, flows)


def wants_flow_echoes(case: Case, table: tuple[Try, ...]) -> bool:
    """Tell whether the page stays slow and its server cannot be compared with itself, so that echo ports would tell."""
    if case.echoes or case.cold_start or not case.neutral_names or case.target.exposure is Exposure.PRIVATE:
        return False
    page = find_slow_page(case, table)
    return page is not None and _echoes_may_tell(Flows(table, page))


def _echoes_may_tell(flows: Flows) -> bool:
    if len(flows.tests) < LINE_RUNS or _twins_may_tell(flows):
        return False
    return bool(flows.stalls_at) or all(is_slow(test) for test in flows.tests)


def _next_echo(case: Case, table: tuple[Try, ...], page: HTTPExchange, flows: Flows) -> tuple[Experiment, ...]:
    """Return the next flow from an echo port; where the name's come like any other's, the rest tells no more."""
    if not case.echoes or not _echoes_may_tell(flows) or case.target.exposure is Exposure.PRIVATE:
        return ()
    free = [
        test
        for twin, test in flows.echoes
        if not is_stalled(test) and not much_slower([rate_of(test)], [rate_of(twin)])
    ]
    planned = {e.id for e in case.experiments if e.design is Design.FLOW}
    whole = {e.id for e in case.experiments if e.id in flows.done}
    if len(free) >= NOT_THE_NAME:
        return ()
    for number, endpoint in enumerate(case.echoes[:PAIRS], 1):
        twin, test = (_echo(case, table, page, endpoint, kind, number) for kind in (NameKind.NEUTRAL, NameKind.TEST))
        if twin.id not in planned:
            return (twin,)
        if test.id not in planned and twin.id in whole:
            return (test,)
    return ()


def _echo(
    case: Case, table: tuple[Try, ...], page: HTTPExchange, endpoint: Endpoint, kind: NameKind, number: int
) -> Experiment:
    name = hop_name(case, table, page.hop)[0] if kind is NameKind.TEST else case.neutral_names[0]
    return Experiment(
        id=f"{Design.FLOW.value}.{kind.value}.{endpoint}.{page.hop}.{number}", design=Design.FLOW, step=Step.FETCH,
        name=name, name_kind=kind, place=Place.UNRELATED, endpoint=endpoint,
        path=build_flow_path(FLOW_BYTES, FLOW_RATE), secure=page.secure, hop=page.hop, within_s=RUN_S, cell=number,
    )  # fmt: skip


def find_slow_page(case: Case, table: tuple[Try, ...]) -> HTTPExchange | None:
    """Return the first page of the last hop that came slowly, on a deep run, or that stopped on the way, on any."""
    if case.target.check is not CheckName.WEB:
        return None
    pages = [
        row.observation
        for row in table
        if row.experiment is None and isinstance(row.observation, HTTPExchange) and row.observation.status
    ]
    furthest = max((page.hop for page in pages), default=0)
    ended = (page for page in pages if page.hop == furthest and not page.location and not page.over_quic)
    # The first one only, because all runs are made at one place.
    return next((page for page in ended if is_stalled(page) or (case.deep and is_slow(page))), None)


def _twins_may_tell(flows: Flows) -> bool:
    """Tell whether the comparison with the same server is still worth a run."""
    if flows.twins_refused or any(not is_same_page(twin, flows.page) for twin in flows.twins):
        return False
    if len(flows.twins) < NOT_THE_NAME:
        return True
    return much_slower(flows.test_rates, flows.twin_rates, MUCH_SLOWER) or flows.twins_pass


def _test(case: Case, table: tuple[Try, ...], page: HTTPExchange, number: int) -> Experiment:
    host, _, path = hop_name(case, table, page.hop)
    return Experiment(
        id=f"{Design.VOLUME.value}.test.{page.endpoint}.{page.hop}.{number}", design=Design.VOLUME, step=Step.FETCH,
        name=host, name_kind=NameKind.TEST, endpoint=page.endpoint, path=path, secure=page.secure, hop=page.hop,
        within_s=RUN_S, cell=number,
    )  # fmt: skip


def _twin(case: Case, table: tuple[Try, ...], page: HTTPExchange, number: int) -> Experiment:
    """Return the same page by the same server: another name in the hello, or https instead of the clear."""
    host, _, path = hop_name(case, table, page.hop)
    there = page.endpoint if page.secure else Endpoint(address=page.endpoint.address, port=443)
    return Experiment(
        id=f"{Design.VOLUME.value}.neutral.{there}.{page.hop}.{number}", design=Design.VOLUME, step=Step.FETCH,
        name=case.neutral_names[0] if page.secure else host, host=host, name_kind=NameKind.NEUTRAL, endpoint=there,
        path=path, secure=True, hop=page.hop, within_s=RUN_S, cell=number,
    )  # fmt: skip


def _line(case: Case, page: HTTPExchange, number: int) -> Experiment:
    name = case.neutral_names[number]
    return Experiment(
        id=f"{Design.VOLUME.value}.line.{name}.{page.hop}.{number + 1}", design=Design.VOLUME, step=Step.NEUTRAL_PAGE,
        name=name, name_kind=NameKind.NEUTRAL, place=Place.UNRELATED, hop=page.hop, within_s=RUN_S, cell=number + 1,
    )  # fmt: skip
