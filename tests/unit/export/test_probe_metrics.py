"""/probe speaks as blackbox_exporter does."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from probe.export.metrics.blackbox import hash_address, render_probe
from probe.export.metrics.families import Format
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Measurement
from probe.model.observation import (
    DNSAnswer,
    DNSLookup,
    DNSReply,
    HTTPExchange,
    ICMPEcho,
    Observation,
    Resolver,
    Role,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.model.snapshot import Phase, TargetSnapshot
from probe.model.target import CheckName, Expect
from probe.model.vantage import Vantage
from probe.model.verdict import Status, Verdict
from tests.unit.daemon.test_certificates import FIRST, LATER, leaf
from tests.unit.export.snapshots import make_snapshot, make_target

HERE = Endpoint(address="127.0.0.1", port=443)
OF_BLACKBOX = {
    "probe_success", "probe_duration_seconds", "probe_dns_lookup_time_seconds", "probe_failed_due_to_regex",
    "probe_http_content_length", "probe_http_duration_seconds", "probe_http_redirects", "probe_http_ssl",
    "probe_http_status_code", "probe_http_uncompressed_body_length", "probe_http_version", "probe_ip_addr_hash",
    "probe_ip_protocol",
}  # fmt: skip


def run(*seen: Observation, **target: object) -> Measurement:
    return Measurement(
        id="01JB", target=make_target(**target), vantage=Vantage(), started_at=1.0, runtime_s=1.0,
        observations=seen, verdict=Verdict(status=Status.OK),
    )  # fmt: skip


def answer(status: int = 200, hop: int = 0, **more: object) -> HTTPExchange:
    given = {"method": "GET", "url": "https://www.example.org/", "secure": True, "body": b"hello", "body_bytes": 7}
    return HTTPExchange(transaction=1, t0_s=0, t_s=1, endpoint=HERE, status=status, hop=hop, **(given | more))  # type: ignore[arg-type]


def shake(**more: object) -> TLSHandshake:
    given = {"chain": (leaf(LATER), leaf(FIRST)), "verified": True, "version": "TLSv1.3", "stage": TLSStage.DONE}
    return TLSHandshake(transaction=1, t0_s=0, t_s=1, endpoint=HERE, server_name="x", **(given | more))  # type: ignore[arg-type]


def samples(snapshot: TargetSnapshot, kept: Measurement | None = None) -> dict[tuple[str, ...], float]:
    page = render_probe(snapshot, kept, 12.5, Format.TEXT).decode()
    return {(s.name, *s.labels.values()): s.value for family in read_text(page) for s in family.samples}


def test_a_web_run_has_every_name_that_blackbox_exporter_has():
    found = samples(make_snapshot(), run(shake(), answer()))
    assert {key[0] for key in found} >= OF_BLACKBOX
    assert found["probe_success",] == 1
    assert found["probe_http_status_code",] == 200
    assert found["probe_http_ssl",] == 1
    assert found["probe_http_version",] == 1.1
    assert found["probe_tls_version_info", "TLS 1.3"] == 1
    assert found["probe_ssl_earliest_cert_expiry",] == FIRST.timestamp()
    assert found["wallprobe_probe_age_seconds",] == 12.5


def test_phases_have_blackbox_exporters_names():
    found = samples(make_snapshot())
    phases = {key[1] for key in found if key[0] == "probe_http_duration_seconds"}
    assert phases == {"resolve", "connect", "tls", "processing", "transfer"}


def test_a_failed_handshake_keeps_the_connect_time_and_has_status_zero():
    phases = (Phase(name="connect", family=4, duration_s=0.05),)
    broken = shake(chain=(), verified=False, failure=Failure(stage=Stage.TLS, code=FailureCode.CONNECTION_RESET))
    connected = TCPConnect(transaction=1, t0_s=0, t_s=0.05, endpoint=HERE)
    found = samples(make_snapshot(status=Status.BLOCKED, phases=phases), run(connected, broken))
    assert found["probe_http_duration_seconds", "connect"] == 0.05
    assert found["probe_http_status_code",] == 0
    assert found["probe_success",] == 0


@pytest.mark.parametrize(
    ("status", "success"), [(s, s in (Status.OK, Status.DEGRADED)) for s in Status]
)  # fmt: skip
def test_success_is_the_verdict_whatever_the_status_code(status: Status, success: bool):
    found = samples(make_snapshot(status=status), run(answer(200)))
    assert found["probe_success",] == success
    assert found["wallprobe_probe_status", status.value] == 1
    assert sum(value for key, value in found.items() if key[0] == "wallprobe_probe_status") == 1


def test_a_target_that_was_never_run_is_no_success_and_has_no_age():
    page = render_probe(TargetSnapshot(target=make_target()), None, None, Format.TEXT).decode()
    assert "\nprobe_success 0\n" in page
    assert "wallprobe_probe_age_seconds" not in page


def test_the_last_hop_is_the_answer_and_experiments_are_not():
    seen = (answer(301), answer(200, hop=1), answer(403, experiment="e1"), answer(500, role=Role.CONTROL))
    found = samples(make_snapshot(), run(*seen))
    assert (found["probe_http_status_code",], found["probe_http_redirects",]) == (200, 1)


def test_a_body_that_is_not_as_expected_is_told():
    failing = make_target(expect=Expect(body="goodbye"))
    kept = run(answer(), expect=Expect(body="goodbye"))
    assert samples(make_snapshot(target=failing), kept)["probe_failed_due_to_regex",] == 1
    assert samples(make_snapshot(), run(answer(), expect=Expect(body="hell")))["probe_failed_due_to_regex",] == 0


def test_an_echo_has_its_round_trip_and_hop_limit():
    target = make_target(check=CheckName.ICMP)
    echo = ICMPEcho(transaction=1, t0_s=0, t_s=0.01, address="127.0.0.1", ip_ttl=64)
    snapshot = make_snapshot(target=target, phases=(Phase(name="echo", family=4, duration_s=0.01),))
    found = samples(snapshot, run(echo, check=CheckName.ICMP))
    assert found["probe_icmp_duration_seconds", "rtt"] == 0.01
    assert found["probe_icmp_reply_hop_limit",] == 64
    assert found["probe_ip_protocol",] == 4


def test_a_lookup_has_its_records():
    reply = DNSReply(t_s=0.02, answers=(DNSAnswer(type="A", value="192.0.2.1", ttl_s=60),))
    lookup = DNSLookup(
        transaction=1,
        t0_s=0,
        t_s=0.02,
        resolver=Resolver(transport=Transport.UDP, endpoint=HERE),
        name="x",
        query_type="A",
        replies=(reply,),
    )
    found = samples(make_snapshot(target=make_target(check=CheckName.DNS)), run(lookup, check=CheckName.DNS))
    assert (found["probe_dns_answer_rrs",], found["probe_dns_query_succeeded",]) == (1, 1)


def test_the_hash_of_an_address_is_blackbox_exporters():
    assert hash_address("127.0.0.1") == 3668918509, "as its version 0.23 answers"


def test_garbage_where_a_certificate_should_be_is_no_certificate():
    found = samples(make_snapshot(certificate_expires_at=0.0), run(shake(chain=(b"garbage",)), answer()))
    assert ("probe_ssl_earliest_cert_expiry",) not in found


def test_the_page_is_openmetrics_too():
    page = render_probe(make_snapshot(status=Status.BLOCKED), run(shake(), answer()), 1.0, Format.OPENMETRICS).decode()
    assert {family.name for family in read_openmetrics(page)} >= OF_BLACKBOX


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Tue, 21 Oct 2025 07:28:00 GMT", 1761031680.0),
        ("yesterday", None),
        ("", None),
        ("Mon, 99 Foo 0 99:99:99", None),
    ],
)
def test_when_a_page_was_last_modified_is_shown_if_the_server_says_it_well(text, shown):
    made = samples(make_snapshot(), run(answer(headers=(("last-modified", text),))))
    assert made.get(("probe_http_last_modified_timestamp_seconds",)) == shown


@pytest.mark.parametrize("check", [CheckName.TCP, CheckName.TLS])
def test_a_port_has_the_name_that_rules_on_expressions_ask_for(check):
    assert samples(make_snapshot(target=make_target(check=check)))[("probe_failed_due_to_regex",)] == 0
