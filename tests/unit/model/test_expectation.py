"""Each point of `expect:`, met and unmet."""

import hashlib

import msgspec
import pytest

from probe.model.endpoint import Endpoint
from probe.model.expectation import MAX_MATCHED_BYTES, unmet_expectations
from probe.model.observation import HTTPExchange
from probe.model.target import Expect, Header, StatusRange
from tests.yardstick import measure_cpu_s

OK = StatusRange(low=200, high=299)
CHAIN = (b"leaf", b"root")


def answered(status: int = 200, body: bytes = b"", **headers: str) -> HTTPExchange:
    return HTTPExchange(
        transaction=1,
        t0_s=0,
        t_s=1,
        endpoint=Endpoint(address="192.0.2.1", port=80),
        method="GET",
        url="http://a/",
        secure=False,
        status=status,
        body=body,
        headers=tuple(headers.items()),
    )


def unmet(expect: Expect, exchange: HTTPExchange | None = None, answers: tuple[str, ...] = ()) -> tuple[str, ...]:
    return unmet_expectations(expect, exchange, CHAIN, answers)


@pytest.mark.parametrize(
    "expect",
    [
        Expect(),
        Expect(status=(OK,)),
        Expect(status=(StatusRange(low=404, high=404), OK)),
        Expect(body="wel+come"),
        Expect(body="^Grü"),
        Expect(body_not="blocked"),
        Expect(headers=(Header(name="server", value="^nginx"),)),
        Expect(cert_sha256=("00", hashlib.sha256(b"leaf").hexdigest())),
        Expect(answer=("192.0.2.1", "192.0.2.2", "192.0.2.3")),
    ],
)
def test_what_holds_is_not_named(expect):
    exchange = answered(body="Grüezi and wellcome".encode(), Server="nginx/1.22")
    assert unmet(expect, exchange, ("192.0.2.1", "192.0.2.2")) == ()


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        (Expect(status=(OK, StatusRange(low=404, high=404))), "status 200-299 or 404 was expected, 503 came"),
        (Expect(body="welcome"), "the body does not match 'welcome'"),
        (Expect(body_not="bl.ck"), "the body matches 'bl.ck', which it must not"),
        (Expect(headers=(Header(name="X-Key", value="."),)), "header X-Key was expected, none came"),
        (Expect(headers=(Header(name="Server", value="^a"),)), "header Server does not match '^a': 'nginx'"),
        (Expect(answer=("192.0.2.9",)), "the DNS answer has what was not expected: 192.0.2.1"),
    ],
)
def test_what_does_not_hold_is_one_sentence(expect, sentence):
    assert unmet(expect, answered(503, b"block", Server="nginx"), ("192.0.2.1",)) == (sentence,)


def test_another_certificate_is_named_by_its_hash():
    (sentence,) = unmet(Expect(cert_sha256=("00",)))
    assert hashlib.sha256(b"leaf").hexdigest() in sentence


@pytest.mark.parametrize("exchange", [None, answered(0)])
def test_what_never_came_meets_nothing(exchange):
    expect = Expect(status=(OK,), body="x", cert_sha256=("00",), answer=("192.0.2.1",))
    assert unmet_expectations(expect, exchange, (), ()) == (
        "an HTTP answer was expected, none came",
        "a certificate was expected, none came",
        "a DNS answer was expected, none came",
    )


def test_any_of_several_headers_of_one_name_will_do():
    exchange = msgspec.structs.replace(answered(), headers=(("Via", "a"), ("via", "b")))
    assert unmet(Expect(headers=(Header(name="VIA", value="b"),)), exchange) == ()


def test_a_large_body_is_searched_no_further_than_the_bound():
    body = bytes(MAX_MATCHED_BYTES) + b"needle"
    expect = Expect(body="needle", body_not="needle")
    assert unmet(expect, answered(body=body)) == ("the body does not match 'needle'",)
    assert measure_cpu_s(lambda: unmet(expect, answered(body=body))) < 0.5
