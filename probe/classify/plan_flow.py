"""Follow-ups about how bytes flow: the same page again and again, in turn with a comparison that may go faster.

Source: reference section C.9; VERDICTS section 4 (ten connections for each address and design). The comparison is the
same page by the same server with another name in the hello, or, for a page in the clear, over https. Where those are
slow as well, pages of neutral sites tell what the line can do. One run at a time: two would share the line.
"""

from probe.classify.case import Case
from probe.classify.flow_facts import Flows, is_same_page
from probe.classify.pairs import PAIRS
from probe.classify.tries import Try
from probe.classify.trouble import hop_name
from probe.classify.volumes import MUCH_SLOWER, is_slow, is_stalled, much_slower
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import HTTPExchange
from probe.model.target import CheckName

RUN_S = 3.0
"""Each run: enough to tell a policed flow from a free one, at either end."""
LINE_RUNS = 3
NOT_THE_NAME = 2
"""After so many comparisons that were no faster, the name is not what slows the flow."""


def plan_flow(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the next run, if a page came slowly or stopped on the way."""
    page = find_slow_page(case, table)
    if page is None or not case.neutral_names or case.cold_start:
        return ()
    flows = Flows(table, page)
    planned = [e for e in case.experiments if e.design is Design.VOLUME]
    if any(e.id not in flows.done for e in planned):
        return ()
    tests, twins, line = len(flows.tests), len(flows.twins), len(flows.line)
    if _twins_may_tell(flows):
        if twins < tests:
            return (_twin(case, table, page, twins + 1),)
        return (_test(case, table, page, tests + 1),) if tests < PAIRS else ()
    if tests < LINE_RUNS:
        return (_test(case, table, page, tests + 1),)
    return (_line(case, page, line),) if line < min(LINE_RUNS, len(case.neutral_names)) else ()


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
    # The first such: all runs are made at one place.
    return next((page for page in ended if is_stalled(page) or (case.deep and is_slow(page))), None)


def _twins_may_tell(flows: Flows) -> bool:
    """Tell whether the comparison with the same server is still worth a run."""
    if any(not is_same_page(twin, flows.page) for twin in flows.twins):
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
