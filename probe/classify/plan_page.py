"""Follow-ups about a page that came in the clear: hold it against what the same host serves over https."""

from probe.classify.case import Case
from probe.classify.pages import find_fingerprint
from probe.classify.tries import Try
from probe.classify.trouble import hop_name
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Pending, Place, Step
from probe.model.observation import HTTPExchange, TLSHandshake


def _cleartext_page(table: tuple[Try, ...]) -> HTTPExchange | None:
    """Return the last page of the check that came in the clear."""
    pages = [
        row.observation
        for row in table
        if row.experiment is None and isinstance(row.observation, HTTPExchange) and row.observation.status
    ]
    last = pages[-1] if pages else None
    return last if last is not None and not last.secure and not last.location else None


def plan_page(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the fetch of the same page over https."""
    page = _cleartext_page(table)
    return () if page is None else (_encrypted(case, table, page, 1),)


def page_later(case: Case, table: tuple[Try, ...]) -> tuple[Pending, ...]:
    """Return the second round for a page that reads like a block page of nobody knows where."""
    page = _cleartext_page(table)
    if page is None or case.cold_start:
        return ()
    found = find_fingerprint(page, case.reference)
    if found is None or case.vantage.country_code in found.expected_countries or not _encrypted_worked(table):
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
    hop = next((row.hop for row in table if row.observation is page), 0)
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
