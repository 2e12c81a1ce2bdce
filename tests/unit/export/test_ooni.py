import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import __version__
from probe.export.ooni.line import can_render, render_ooni
from probe.export.ooni.scrub import Scrubber
from probe.export.ooni.verdict import map_verdict
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Step
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Measurement
from probe.model.observation import (
    DNSAnswer,
    DNSLookup,
    DNSReply,
    HTTPExchange,
    ReplyFit,
    Resolver,
    Role,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.model.pattern import Pattern
from probe.model.target import CheckName, Header, Request
from probe.model.verdict import Cause, Confidence, Status, Verdict
from probe.protocols.http.http1 import USER_AGENT
from probe.protocols.ooni.measurement import parse_measurement
from tests.unit.store.samples import make_blocked, make_ok, make_server_side, make_target

_schema = json.loads((Path(__file__).parent / "ooni.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(_schema)
VALIDATOR = jsonschema.Draft202012Validator(_schema)
NOBODY = Scrubber(())
HERE = Endpoint(address="2001:db8::5", port=443)


def render(measurement: Measurement, scrubber: Scrubber = NOBODY) -> dict[str, Any]:
    line = render_ooni(measurement, scrubber)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    record: dict[str, Any] = json.loads(line)
    VALIDATOR.validate(record)
    return record


def with_steps(*observations: Any, experiments: tuple[Experiment, ...] = ()) -> Measurement:
    return msgspec.structs.replace(make_ok(), observations=observations, experiments=experiments)


@pytest.mark.parametrize("make", [make_ok, make_blocked, make_server_side])
def test_each_stored_kind_of_measurement_is_valid(make):
    record = render(make())
    assert record["test_name"] == "web_connectivity"
    assert record["probe_asn"] == "AS4134"


def test_a_good_page_is_accessible_and_its_requests_share_a_flow_with_its_connection():
    keys = render(make_ok())["test_keys"]
    assert (keys["blocking"], keys["accessible"]) == (False, True)
    flow = keys["requests"][0]["transaction_id"]
    assert [c["ip"] for c in keys["tcp_connect"] if c["transaction_id"] == flow] == ["198.51.100.0"]
    (shake,) = (h for h in keys["tls_handshakes"] if h["transaction_id"] == flow)
    assert shake["tags"] == ["depth=0", "fetch_body=true"]
    assert keys["x_blocking_flags"] == 32


def test_a_reset_is_http_failure_and_follow_ups_are_no_part_of_the_test():
    keys = render(make_blocked())["test_keys"]
    assert (keys["blocking"], keys["accessible"]) == ("http-failure", False)
    assert keys["http_experiment_failure"] == "connection_reset"
    assert len(keys["tls_handshakes"]) == 1
    assert len(keys["x_experiments"]["tls_handshakes"]) == 10


def test_what_is_written_can_be_read_back():
    measurement = make_blocked()
    read = parse_measurement(render_ooni(measurement, NOBODY))
    assert read.input == "https://www.example0.org/"
    assert read.vantage.asn == 4134
    assert read.started_at == measurement.started_at
    assert [type(o).__name__ for o in read.observations] == ["DNSLookup", "TCPConnect", "TLSHandshake"]
    assert read.observations[2].failure.code is FailureCode.CONNECTION_RESET


def test_our_own_addresses_are_scrubbed_wherever_they_stand():
    own = Scrubber(["203.0.113.9", "2001:db8::5", "192.0.2.53"])
    page = make_ok(body=b"you are 203.0.113.9, not 203.0.113.90 nor 1203.0.113.9; host-203-0-113-9.example")
    record = render(page, own)
    text = json.dumps(record)
    assert "203.0.113.9," not in text
    assert "203.0.113.90" in text
    assert "203-0-113-9" not in text
    assert "192.0.2.53" not in text
    assert record["test_keys"]["queries"][0]["resolver_address"] == "[scrubbed]:53"
    assert record["test_keys"]["client_resolver"] == "[scrubbed]"


def test_bytes_that_are_no_text_are_base64_and_scrubbed_too():
    record = render(make_ok(body=b"\xff\xfe 203.0.113.9"), Scrubber(["203.0.113.9"]))
    body = record["test_keys"]["requests"][0]["response"]["body"]
    assert body["format"] == "base64"
    assert parse_measurement(json.dumps(record).encode()).observations[-1].body == b"\xff\xfe [scrubbed]"


@given(st.ip_addresses(), st.text(max_size=20), st.text(max_size=20))
def test_an_address_between_blanks_never_stays(address, before, after):
    text = f"{before} {address} {address.exploded} {after}"
    assert f" {address} " not in f" {Scrubber([str(address)]).text(text)} "


def test_later_replies_to_one_question_are_duplicates_and_strangers_are_left_out():
    resolver = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="9.9.9.9", port=53))

    def reply(address: str, fit: ReplyFit = ReplyFit.OURS) -> DNSReply:
        return DNSReply(t_s=0.1, fit=fit, answers=(DNSAnswer(type="A", value=address, ttl_s=5),), raw=b"\x01")

    lookup = DNSLookup(
        transaction=1, t0_s=0, t_s=0.1, resolver=resolver, name="www.example0.org", query_type="A",
        replies=(reply("10.0.0.1", ReplyFit.WRONG_ID), reply("1.2.3.4"), reply("5.6.7.8")),
    )  # fmt: skip
    keys = render(with_steps(lookup))["test_keys"]
    assert keys["queries"][0]["answers"][0]["ipv4"] == "1.2.3.4"
    assert [r["answers"][0]["ipv4"] for r in keys["x_dns_duplicate_responses"]] == ["5.6.7.8"]


def test_an_encrypted_resolver_asked_for_the_name_is_part_of_the_test():
    resolver = Resolver(
        transport=Transport.DOH, endpoint=Endpoint(address="8.8.8.8", port=443), server_name="dns.google"
    )
    ask = Experiment(id="r.1", design=Design.RESOLVERS, step=Step.LOOKUP, name="x", name_kind=NameKind.TEST)
    lookup = DNSLookup(
        transaction=1, t0_s=0, t_s=0.1, resolver=resolver, name="x", query_type="AAAA", role=Role.EXPERIMENT,
        experiment="r.1", failure=Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_NO_ANSWER),
    )  # fmt: skip
    way = TCPConnect(transaction=2, t0_s=0, t_s=1, endpoint=HERE, role=Role.EXPERIMENT, experiment="r.1")
    keys = render(with_steps(lookup, way, experiments=(ask,)))["test_keys"]
    assert keys["queries"][0]["resolver_address"] == "https://dns.google/dns-query"
    assert keys["tcp_connect"] == []
    assert keys["x_experiments"]["tcp_connect"][0]["ip"] == "2001:db8::5"


@given(st.sampled_from(FailureCode), st.none() | st.tuples(st.just(2), st.integers(0, 255)))
def test_each_failure_has_a_word_of_the_format(code, alert):
    failure = Failure(stage=Stage.TLS, code=code)
    connect = TCPConnect(transaction=1, t0_s=0, t_s=1, endpoint=HERE, failure=failure)
    shake = TLSHandshake(
        transaction=2, t0_s=0, t_s=1, endpoint=HERE, server_name="x", stage=TLSStage.ALERT, alert=alert, failure=failure
    )
    page = HTTPExchange(
        transaction=3, t0_s=1, t_s=2, endpoint=HERE, method="GET", url="https://x/", secure=True, failure=failure
    )
    render(with_steps(connect, shake, page))


def test_a_check_that_ooni_has_no_test_for_is_not_rendered():
    measurement = msgspec.structs.replace(make_ok(), target=make_target(check=CheckName.TCP))
    assert not can_render(measurement)
    with pytest.raises(ValueError, match="no OONI test"):
        render_ooni(measurement, NOBODY)


@pytest.mark.parametrize(
    ("status", "pattern", "cause", "expected"),
    [
        (Status.OK, (), Cause.NONE, (False, True)),
        (Status.DEGRADED, (Pattern.DNS_INJECTION,), Cause.NETWORK, (False, True)),
        (Status.BLOCKED, (Pattern.DNS_INJECTION_BOGON,), Cause.NETWORK, ("dns", False)),
        (Status.LIKELY_BLOCKED, (Pattern.IP_DROP,), Cause.NETWORK, ("tcp_ip", False)),
        (Status.BLOCKED, (Pattern.TLS_RESET_SNI,), Cause.NETWORK, ("http-failure", False)),
        (Status.BLOCKED, (Pattern.HTTP_BLOCKPAGE,), Cause.NETWORK, ("http-diff", False)),
        (Status.BLOCKED, (Pattern.TLS_RESET_SNI, Pattern.DNS_NXDOMAIN), Cause.NETWORK, ("dns", False)),
        (Status.DOWN, (Pattern.SRV_DOWN,), Cause.OUTAGE, (False, False)),
        (Status.SERVER_SIDE, (Pattern.SRV_GEOBLOCK,), Cause.SERVER, (False, False)),
        (Status.IMPAIRED, (Pattern.TLS_RESET,), Cause.UNKNOWN, (None, None)),
        (Status.INSUFFICIENT, (), Cause.UNKNOWN, (None, None)),
    ],
)
def test_a_verdict_becomes_what_ooni_has_a_word_for(status, pattern, cause, expected):
    verdict = Verdict(status=status, patterns=pattern, cause=cause, confidence=Confidence.C3)
    assert map_verdict(verdict) == expected


def requested(measurement: Measurement) -> list[dict[str, Any]]:
    """Return the requests of its export, oldest first."""
    return [r["request"] for r in reversed(render(measurement)["test_keys"]["requests"])]


def visit(*, version: str = __version__, cookie: bool = False, own: Request | None = None) -> Measurement:
    """A page that leads to another host."""
    seen = make_ok()
    (page,) = (o for o in seen.observations if isinstance(o, HTTPExchange))
    cookies = (("Set-Cookie", "a=b"),) if cookie else ()
    first = msgspec.structs.replace(page, status=302, headers=(("Location", "http://b.test:81/"), *cookies))
    second = msgspec.structs.replace(
        page, hop=1, url="http://b.test:81/", secure=False, t0_s=page.t_s, t_s=page.t_s + 1
    )
    return msgspec.structs.replace(
        seen,
        observations=(first, second),
        target=msgspec.structs.replace(seen.target, request=own),
        vantage=msgspec.structs.replace(seen.vantage, software_version=version),
    )


def test_each_request_has_the_headers_that_are_sent_always():
    first, second = requested(visit())
    assert [name for name, _ in first["headers_list"]][:3] == ["Host", "User-Agent", "Accept"]
    assert (first["headers"]["Host"], first["headers"]["User-Agent"]) == (make_ok().target.host, USER_AGENT)
    assert (second["headers"]["Host"], first["body"]) == ("b.test:81", "")


def test_of_headers_that_a_target_brings_the_names_are_told_and_of_what_followed_nothing():
    own = Request(method="POST", headers=(Header(name="authorization", value="Bearer s3cret"),), body="s3cret")
    first, second = requested(visit(own=own))
    assert (first["headers"]["authorization"], first["headers"]["Content-Length"]) == ("[scrubbed]", "6")
    assert (first["body"], "s3cret" in json.dumps(first)) == ("[scrubbed]", False)
    assert (second["headers"], second["headers_list"]) == ({}, [])


def test_nothing_is_told_where_a_cookie_may_have_gone_along_or_another_version_measured():
    first, second = requested(visit(cookie=True))
    assert (bool(first["headers"]), second["headers"]) == (True, {})
    assert [request["headers"] for request in requested(visit(version="0.0.1"))] == [{}, {}]


@pytest.mark.parametrize(("step", "told"), [(Step.FETCH, True), (Step.LOOKUP, False)])
def test_of_follow_ups_only_those_that_fetch_a_page_ask_as_a_browser_does(step, told):
    planned = Experiment(id="x.test.1", design=Design.SNI, step=step, name="b.test", name_kind=NameKind.TEST)
    (page,) = (o for o in make_ok().observations if isinstance(o, HTTPExchange))
    asked = msgspec.structs.replace(page, role=Role.EXPERIMENT, experiment=planned.id)
    measurement = msgspec.structs.replace(visit(), observations=(asked,), experiments=(planned,))
    (request,) = render(measurement)["test_keys"]["x_experiments"]["requests"]
    assert bool(request["request"]["headers"]) is told
