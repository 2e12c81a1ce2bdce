import json
from typing import Any

import msgspec
import pytest

from probe.export.ooni.control import NOT_ASKED
from probe.export.ooni.scrub import Scrubber
from probe.model.control import ControlKind, ControlReport
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, HTTPExchange, Resolver, TCPConnect, Transport
from probe.protocols.http.redirect import WebAddress
from probe.protocols.ooni.archive import parse_control
from probe.protocols.ooni.control import build_control_observations
from probe.protocols.ooni.measurement import parse_measurement
from tests.unit.export.test_ooni import render
from tests.unit.store.samples import make_blocked, make_ok

OWN, OTHER = "198.51.100.0", "192.0.2.80"
HOST = make_ok().target.host
SEEN = {
    "tcp_connect": {f"{OWN}:443": {"status": True, "failure": None}},
    "tls_handshake": {f"{OWN}:443": {"server_name": HOST, "status": True, "failure": None}},
    "quic_handshake": {},
    "http_request": {
        "body_length": 1533, "discovered_h3_endpoint": "", "failure": None, "title": "Welcome to it",
        "headers": {"Server": "x/1.2.3", "X-Client-Ip": "203.0.113.7, 2001:db8::7"}, "status_code": 200,
    },
    "http3_request": None,
    "dns": {"failure": None, "addrs": [OWN, OTHER]},
    "ip_info": {OWN: {"asn": 64500, "flags": 11}, OTHER: {"asn": 64500, "flags": 2}},
}  # fmt: skip


def report(answer: dict[str, Any], kind: ControlKind = ControlKind.OONI, asked_at: float = 5.0) -> ControlReport:
    """Return what a helper's answer is to us."""
    site = WebAddress(secure=True, host=HOST, port=443)
    seen = build_control_observations(parse_control(json.dumps(answer).encode()), site)
    return ControlReport(control="far", kind=kind, asked_at=asked_at, observations=seen)


def keys_of(*reports: ControlReport, measurement: Measurement | None = None, own: tuple[str, ...] = ()) -> Any:
    told = msgspec.structs.replace(measurement or make_ok(), controls=reports)
    return render(told, Scrubber(own))["test_keys"]


def test_a_helpers_answer_comes_out_as_it_came_in_without_the_controls_own_address():
    keys = keys_of(report(SEEN))
    page = SEEN["http_request"] | {"headers": {"Server": "x/1.2.3", "X-Client-Ip": "[scrubbed], [scrubbed]"}}
    assert keys["control"] | {"ip_info": None} == SEEN | {"http_request": page, "ip_info": None}
    assert keys["control_failure"] is None
    # Documentation space, hence bogons: the probe was given two of the three, and one of them showed itself valid.
    assert {address: known["flags"] for address, known in keys["control"]["ip_info"].items()} == {
        OWN: 15, "198.51.100.1": 5, OTHER: 6,
    }  # fmt: skip


def test_what_is_written_is_read_back_as_the_same_view():
    told = msgspec.structs.replace(make_blocked(), controls=(report(SEEN),))
    read = parse_measurement(json.dumps(render(told)).encode())
    assert read.control is not None
    assert read.control.answered
    assert [type(o).__name__ for o in read.control.observations] == [
        "DNSLookup", "TCPConnect", "TLSHandshake", "HTTPExchange",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("connection_reset: connect", "connection_reset"),
        ("generic_timeout_error", "generic_timeout_error"),
        ("a page of somebody's: 203.0.113.5", "unknown_failure: the control did not answer"),
    ],
)
def test_a_control_that_did_not_answer_is_a_failure_in_oonis_words(said, word):
    keys = keys_of(ControlReport(control="far", asked_at=1.0, failure=said))
    assert (keys["control"], keys["control_failure"]) == (None, word)


def test_tunnels_and_peers_are_no_helpers():
    others = [report(SEEN, kind) for kind in (ControlKind.TUNNEL, ControlKind.PEER)]
    assert keys_of(*others)["control_failure"] == NOT_ASKED


def test_of_several_controls_the_last_that_answered_is_told():
    early = report(SEEN | {"dns": {"failure": None, "addrs": [OTHER]}}, asked_at=1.0)
    failed = ControlReport(control="far", asked_at=9.0, failure="eof_error")
    assert keys_of(report(SEEN), early, failed)["control"]["dns"]["addrs"] == [OWN, OTHER]


def test_failures_are_told_in_the_helpers_words():
    at = Endpoint(address=OWN, port=443)
    refused = Failure(stage=Stage.CONNECT, code=FailureCode.CONNECTION_REFUSED)
    steps = (
        DNSLookup(
            transaction=1, t0_s=0, t_s=1, resolver=Resolver(transport=Transport.UDP), name=HOST, query_type="A",
            failure=Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_NXDOMAIN),
        ),
        TCPConnect(transaction=2, t0_s=0, t_s=1, endpoint=at, failure=refused),
    )  # fmt: skip
    control = keys_of(ControlReport(control="far", asked_at=1.0, observations=steps))["control"]
    assert control["dns"] == {"failure": "dns_name_error", "addrs": []}
    assert control["tcp_connect"] == {f"{OWN}:443": {"status": False, "failure": "connection_refused_error"}}
    assert (control["http_request"]["failure"], control["http_request"]["status_code"]) == (
        "connection_refused_error", -1,
    )  # fmt: skip
    assert "tls_handshake" not in control
    control = keys_of(ControlReport(control="far", asked_at=1.0, observations=steps[:1]))["control"]
    assert control["http_request"]["failure"] == "dns_lookup_error"


def test_of_our_own_controls_pages_the_last_hop_counts_and_places_of_the_first():
    at, there = Endpoint(address=OWN, port=443), Endpoint(address=OTHER, port=443)

    def page(hop: int, status: int, **more: Any) -> HTTPExchange:
        return HTTPExchange(
            transaction=hop, t0_s=hop, t_s=hop, endpoint=there if hop else at, method="GET", url=f"https://{HOST}/",
            secure=True, status=status, hop=hop, **more,
        )  # fmt: skip

    steps = (
        TCPConnect(transaction=8, t0_s=0, t_s=1, endpoint=at),
        TCPConnect(transaction=9, t0_s=0, t_s=1, endpoint=there, hop=1),
        page(0, 302, headers=(("Location", "https://b.example/"),)),
        page(1, 200, body=b"x" * 900, title="There"),
    )
    keys = keys_of(
        ControlReport(control="far", asked_at=1.0, observations=steps), measurement=make_ok(body=b"y" * 1000)
    )
    assert list(keys["control"]["tcp_connect"]) == [f"{OWN}:443"]
    assert (keys["control"]["http_request"]["title"], keys["control"]["http_request"]["body_length"]) == ("There", 900)
    assert (keys["status_code_match"], keys["body_proportion"], keys["body_length_match"]) == (True, 0.9, True)


@pytest.mark.parametrize(("status", "match"), [(200, True), (503, None)])
def test_a_control_that_was_refused_says_nothing_of_the_status(status, match):
    page = SEEN["http_request"] | {"status_code": status, "body_length": 10}
    keys = keys_of(report(SEEN | {"http_request": page}), measurement=make_ok(body=b"y" * 1000))
    assert (keys["status_code_match"], keys["body_length_match"]) == (match, False)


def test_our_own_address_is_scrubbed_in_a_controls_view():
    keys = keys_of(report(SEEN), own=(OTHER,))
    assert OTHER not in json.dumps(keys["control"])
    assert keys["control"]["dns"]["addrs"] == [OWN, "[scrubbed]"]
