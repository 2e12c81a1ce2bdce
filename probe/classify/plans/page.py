"""Follow-ups about a page that came in the clear: what does the same host serve over https, and who sent this one?"""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.boundary import ANSWERS, find_parting
from probe.classify.facts.page_facts import (
    is_moved_in_the_clear,
    is_other_in_the_clear,
    moves_away,
    reads_like_block_page,
    refuses_without_https,
)
from probe.classify.facts.pages import fingerprint_of
from probe.classify.facts.path_facts import PathFacts
from probe.classify.plans.trace import build_trace, may_trace
from probe.classify.plans.trouble import Trouble, hop_name
from probe.classify.tries import REDIRECT_CODES, TRIGGERABLE, Layer, Outcome, Try, is_private
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.observation import HTTPExchange, TLSHandshake
from probe.model.path_trace import TraceKind

STRANGE = (is_moved_in_the_clear, is_other_in_the_clear, reads_like_block_page, refuses_without_https)
"""What makes a page in the clear one that the site may not have sent."""
PAGE_TTLS = (2, 4, 7)
"""Three for the page's name, three for a neutral one; one more of each and two SYNs that name the routers: ten."""


def clear_pages(table: tuple[Try, ...]) -> tuple[HTTPExchange, ...]:
    """Return what the check got in the clear and is worth a comparison: where it ended, and where it was led away."""
    pages = [
        row.observation
        for row in table
        if row.experiment is None and isinstance(row.observation, HTTPExchange) and row.observation.status
    ]
    away = next((page for page in pages if not page.secure and page.hop == 0 and moves_away(page)), None)
    furthest = max((page.hop for page in pages), default=0)
    last = next((page for page in pages if page.hop == furthest), None)
    ended = last is not None and not last.secure and (not last.location or is_broken_redirect(last))
    return tuple(page for page in (away, last if ended else None) if page is not None)


def broken_pages(table: tuple[Try, ...]) -> tuple[HTTPExchange, ...]:
    """Return the check's requests in the clear that were cut off or left unanswered: over https the same may come."""
    rows = (row for row in table if row.experiment is None and row.outcome in TRIGGERABLE)
    return tuple(r.observation for r in rows if isinstance(r.observation, HTTPExchange) and not r.observation.secure)


def is_broken_redirect(page: HTTPExchange) -> bool:
    """Tell whether an answer redirects to nowhere, or once too often."""
    return page.failure is not None and page.failure.code in REDIRECT_CODES


def plan_page(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the fetch of the same page over https, and traces once that shows another one."""
    pages = clear_pages(table)
    broken = () if case.cold_start else broken_pages(table)[:1]
    asked = tuple(_encrypted(case, table, page, 1) for page in (*broken, *pages))
    return (*asked, *_plan_traces(case, table, pages))


def page_later(case: Case, table: tuple[Try, ...]) -> tuple[Pending, ...]:
    """Return the second round for a page that reads like a block page of nobody knows where."""
    pages = [page for page in clear_pages(table) if not page.location]
    if not pages or case.cold_start:
        return ()
    page = pages[-1]
    found = fingerprint_of(case, page)
    if found is None or found.settles_in(case.vantage.country_code) or not _encrypted_worked(table):
        return ()
    return (
        Pending(
            due_in_s=case.round_apart_s,
            question="whether the encrypted page still differs",
            experiments=(_encrypted(case, table, page, 2),),
        ),
    )


def _encrypted_worked(table: tuple[Try, ...]) -> bool:
    return any(
        row.experiment is not None
        and row.experiment.design is Design.ENCRYPTED_ROUTE
        and isinstance(row.observation, TLSHandshake)
        and row.observation.verified
        for row in table
    )


def _encrypted(case: Case, table: tuple[Try, ...], page: HTTPExchange, number: int) -> Experiment:
    hop = page.hop
    host, _, path = hop_name(case, table, hop)
    return Experiment(
        id=f"{Design.ENCRYPTED_ROUTE.value}.test.{page.endpoint.address}.{hop}.{number}",
        design=Design.ENCRYPTED_ROUTE,
        step=Step.FETCH,
        name=host,
        name_kind=NameKind.TEST,
        place=Place.UNRELATED,
        endpoint=Endpoint(address=page.endpoint.address, port=443),
        path=path,
        secure=True,
        hop=hop,
        cell=number,
    )


def _plan_traces(case: Case, table: tuple[Try, ...], pages: tuple[HTTPExchange, ...]) -> tuple[Experiment, ...]:
    """Return the next round of requests that cannot reach the server, for the first page that cannot be the site's."""
    if not may_trace(case):
        return ()
    for page in pages:
        facts = PathFacts(case, table, page.hop, str(page.endpoint), frozenset())
        if any(is_strange(facts) for is_strange in STRANGE) and not is_private(page.endpoint.address):
            return _trace(case, table, page)
    return ()


def _trace(case: Case, table: tuple[Try, ...], page: HTTPExchange) -> tuple[Experiment, ...]:
    host, _, path = hop_name(case, table, page.hop)
    place = Trouble(
        endpoint=page.endpoint, layer=Layer.HTTP, outcome=Outcome.OK, hop=page.hop, name=host, secure=False, path=path
    )
    rows = tuple(
        row for row in table
        if row.layer is Layer.TRACE and row.hop == page.hop and row.experiment and row.experiment.about == place.spot
    )  # fmt: skip
    if not rows:
        return _pair(case, place, PAGE_TTLS, 1)
    parted = find_parting(rows, TraceKind.REQUEST, ANSWERS)
    if len(rows) != 2 or parted is None:
        return ()
    beyond = tuple(dict.fromkeys((parted[0], parted[0] + 1)))
    routers = build_trace(place, Step.TRACE_SYN, NameKind.TEST, place.endpoint, tuple(dict.fromkeys(parted)), 2)
    return (*_pair(case, place, beyond, 2), routers)


def _pair(case: Case, place: Trouble, ttls: tuple[int, ...], number: int) -> tuple[Experiment, ...]:
    names = ((NameKind.TEST, place.name), (NameKind.NEUTRAL, case.neutral_names[0]))
    return tuple(
        msgspec.structs.replace(
            build_trace(place, Step.TRACE_NAME, kind, place.endpoint, ttls, number, name=name), secure=False
        )
        for kind, name in names
    )
