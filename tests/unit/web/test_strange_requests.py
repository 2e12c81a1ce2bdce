"""Whatever is asked, the answer is one that is described, carries the security headers, and the server goes on."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.model.verdict import Status
from probe.web.openapi import ENDPOINTS
from tests.browser.seed import BASELINE
from tests.browser.serving import Serving
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.reading import Reader

ID = make_snapshot().target.id
PLACES = ("/", "/events", "/vantage", "/patterns", f"/targets/{ID}", *(one.replace("{id}", "x") for one in ENDPOINTS))
NAMES = st.sampled_from(("status", "group", "category", "pattern", "q", "span", "page", "offset", "limit", "since",
                         "target", "measurement", "colour"))  # fmt: skip
WORDS = st.one_of(
    st.text(max_size=30),
    st.integers(-(10**12), 10**12).map(str),
    st.floats().map(str),
    st.sampled_from(
        ("blocked", "day", "week", "month", "hour", "tls.reset", "NEWS", ID, "2023-11-14", "2023-11-14T00:00:00+99:99")
    ),
)
USUAL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    agent = FakeAgent([make_snapshot(number, Status.OK if number else Status.BLOCKED) for number in range(60)])
    agent.baseline_now = BASELINE
    with Serving(agent) as serving:
        yield serving


def ask(serving: Serving, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(str(urlsplit(serving.url).netloc), timeout=20)
    try:
        connection.request(method, path, headers={"Host": "localhost"} | headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@given(st.sampled_from(PLACES), st.lists(st.tuples(NAMES, WORDS), max_size=4))
@USUAL
def test_any_query_is_answered_or_refused(serving: Serving, place: str, query: list[tuple[str, str]]):
    code, headers, body = ask(serving, f"{place}?{urlencode(query, errors='replace')}")
    assert code in (200, 400, 404)
    assert "default-src 'none'" in str(headers["Content-Security-Policy"])
    if place.startswith("/api/"):
        assert isinstance(json.loads(body), dict)
    else:
        Reader(body.decode())


@given(st.text(min_size=1, max_size=60))
@USUAL
def test_any_path_is_answered(serving: Serving, words: str):
    path = quote(words.encode("utf-8", "replace"))
    for place in ("/targets/", "/static/", "/api/v1/measurements/", "/"):
        code, headers, _ = ask(serving, place + path)
        assert code in (200, 400, 404, 421)
        assert headers["X-Content-Type-Options"] == "nosniff"


@given(st.sampled_from(PLACES), st.sampled_from(("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")))
@USUAL
def test_pages_can_only_be_read(serving: Serving, place: str, method: str):
    code, headers, _ = ask(serving, place, method)
    assert code in ((200, 404) if method == "HEAD" else (405,))
    assert headers["X-Frame-Options"] == "DENY"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60), st.sampled_from(PLACES))
@USUAL
def test_any_tag_and_any_coding_is_taken(serving: Serving, words: str, place: str):
    code, _, _ = ask(serving, place, **{"If-None-Match": words, "Accept-Encoding": words, "Accept": words})
    assert code in (200, 304, 404)
