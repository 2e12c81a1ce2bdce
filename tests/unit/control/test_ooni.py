"""OONI's contract: every field, every word, every refusal, over real sockets and from recorded shapes."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.control import ooni_wire as wire
from probe.control.ooni_client import build_helper_request, read_observations
from probe.control.ooni_helper import HelperPorts, read_addresses
from probe.control.policy import Policy
from probe.control.settings import ControlLimits
from probe.model.control import ControlRequest
from probe.model.errors import ProtocolError
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, HTTPExchange, TCPConnect, TLSHandshake
from probe.model.target import CheckName
from tests.unit.checks.world import PAGE, keep_silent, reset
from tests.unit.control.place import ANYWHERE, HEADERS, Place, free_port, open_place

NAMES = {"a.test": ["127.0.0.1"], "forged.test": ["127.0.0.1"]}
REFERENCE_ANSWER = {
    "tcp_connect": {"93.184.216.34:443": {"status": True, "failure": None}},
    "tls_handshake": {"93.184.216.34:443": {"server_name": "www.example.com", "status": True, "failure": None}},
    "quic_handshake": {},
    "http_request": {
        "body_length": 1533,
        "discovered_h3_endpoint": "www.example.com:443",
        "failure": None,
        "title": "Default Web Page",
        "headers": {"Alt-Svc": 'h3=":443"'},
        "status_code": 200,
    },
    "http3_request": None,
    "dns": {"failure": None, "addrs": ["93.184.216.34"]},
    "ip_info": {"93.184.216.34": {"asn": 15133, "flags": 11}},
}


async def ask(place: Place, url: str, *endpoints: str, **fields: Any) -> dict[str, Any]:
    asked = {"http_request": url, "http_request_headers": {}, "tcp_connect": list(endpoints), "x_quic_enabled": False}
    status, body, headers = await place.ask("POST", "/", data=json.dumps(asked | fields), headers=HEADERS)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    answer = json.loads(body)
    assert isinstance(answer, dict)
    return answer


async def test_the_greeting_is_theirs() -> None:
    async with open_place() as place:
        status, body, _ = await place.ask("GET", "/")
    assert (status, json.loads(body)) == (200, {"message": "Hello OONItarian!"})


async def test_a_port_that_is_not_measured_is_refused_and_never_said_to_fail() -> None:
    asked = {"http_request": "https://a.test:8443/", "http_request_headers": {}, "tcp_connect": ["127.0.0.1:8443"]}
    policy = Policy(networks=ANYWHERE.networks)
    async with open_place(names=NAMES, policy=policy) as place:
        status, body, _ = await place.ask("POST", "/", data=json.dumps(asked), headers=HEADERS)
        assert (status, json.loads(body)) == (403, {"error": "port 8443 is not measured here"})
        assert (await ask(place, "https://a.test/", "127.0.0.1:443"))["dns"]["addrs"] == ["127.0.0.1"]


async def test_a_page_over_https_has_every_field_of_the_contract() -> None:
    async with open_place(names=NAMES) as place:
        page = b'HTTP/1.1 200 OK\r\nalt-svc: h3=":443"; ma=86400\r\ncontent-length: 17\r\n\r\n<title>Ok</title>'
        port = await place.world.serve(place.world.answer(page), certificate_for=("a.test",))
        place.server.api._helper._ports = HelperPorts(https=port)
        answer = await ask(place, f"https://a.test:{port}/", f"127.0.0.1:{port}", "127.0.0.1:80")
    here = f"127.0.0.1:{port}"
    assert list(answer) == [
        "tcp_connect",
        "tls_handshake",
        "quic_handshake",
        "http_request",
        "http3_request",
        "dns",
        "ip_info",
    ]
    assert answer == {
        "tcp_connect": {here: {"status": True, "failure": None}},
        "tls_handshake": {here: {"server_name": "a.test", "status": True, "failure": None}},
        "quic_handshake": {},
        "http_request": {
            "body_length": 17,
            "discovered_h3_endpoint": "a.test:443",
            "failure": None,
            "title": "Ok",
            "headers": {"Alt-Svc": 'h3=":443"; ma=86400', "Content-Length": "17"},
            "status_code": 200,
        },
        "http3_request": None,
        "dns": {"failure": None, "addrs": ["127.0.0.1"]},
        # The laboratory's own network counts as public: by probe, by helper, valid.
        "ip_info": {"127.0.0.1": {"asn": 0, "flags": 11}},
    }


async def test_a_http_site_is_tried_on_both_ports_and_the_page_comes_from_the_helpers_own_address() -> None:
    async with open_place(names=NAMES) as place:
        port, closed = await place.world.serve(place.world.answer(PAGE)), free_port()
        place.server.api._helper._ports = HelperPorts(http=port, https=closed)
        # No port in the URL means the usual ones; the fetch goes to 80, which nobody serves here.
        answer = await ask(place, "http://a.test/", "127.0.0.9:80")
    assert set(answer["tcp_connect"]) == {f"127.0.0.{n}:{p}" for n in (1, 9) for p in (port, closed)}
    assert answer["tcp_connect"][f"127.0.0.1:{port}"] == {"status": True, "failure": None}
    assert answer["tcp_connect"][f"127.0.0.1:{closed}"] == {"status": False, "failure": "connection_refused_error"}
    assert answer["ip_info"]["127.0.0.9"]["flags"] == 1
    assert answer["ip_info"]["127.0.0.1"]["flags"] == 2


async def test_redirects_are_followed_and_the_last_page_is_told() -> None:
    async with open_place(names=NAMES) as place:
        moved = b"HTTP/1.1 301 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"
        port = await place.world.serve(place.world.answer(moved, PAGE))
        answer = await ask(place, f"http://a.test:{port}/")
    assert (answer["http_request"]["status_code"], answer["http_request"]["title"]) == (200, "Ok")


async def test_only_the_three_headers_are_passed_on() -> None:
    async with open_place(names=NAMES) as place:
        port = await place.world.serve(place.world.answer(PAGE))
        sent = {
            "User-Agent": ["Probe/1"],
            "Accept": ["x/y"],
            "Accept-Language": ["tlh"],
            "X-Evil": ["1"],
            "Cookie": ["a=b"],
        }
        await ask(place, f"http://a.test:{port}/", http_request_headers=sent)
        (head,) = place.world.requests
    assert b"User-Agent: Probe/1\r\n" in head
    assert b"Accept: x/y\r\n" in head
    assert b"Accept-Language: tlh\r\n" in head
    assert b"Evil" not in head
    assert b"Cookie" not in head


FAILED = {"body_length": -1, "discovered_h3_endpoint": "", "title": "", "headers": {}, "status_code": -1}


async def test_a_name_that_does_not_exist_is_told_in_their_words() -> None:
    async with open_place() as place:
        answer = await ask(place, "http://none.test/")
    assert answer["dns"] == {"failure": "dns_name_error", "addrs": []}
    assert answer["http_request"] == FAILED | {"failure": "dns_lookup_error"}
    assert "tls_handshake" not in answer
    assert "ip_info" not in answer


async def test_a_name_without_addresses_is_no_failure_of_theirs() -> None:
    async with open_place(names={"empty.test": []}) as place:
        answer = await ask(place, "http://empty.test/")
    assert answer["dns"] == {"failure": None, "addrs": []}
    assert answer["http_request"]["failure"] == "dns_lookup_error"


async def test_a_refused_a_broken_and_a_silent_server_are_told_in_their_words() -> None:
    async with open_place(names=NAMES) as place:
        broken, silent = await place.world.serve(reset), await place.world.serve(keep_silent)
        told = [(await ask(place, f"http://a.test:{port}/"))["http_request"] for port in (free_port(), broken, silent)]
    assert [page["failure"] for page in told] == ["connection_refused_error", "unknown_error", "generic_timeout_error"]
    assert all(page | {"failure": None} == FAILED | {"failure": None} for page in told)


async def test_a_foreign_certificate_is_told_and_the_address_is_not_valid() -> None:
    async with open_place(names=NAMES) as place:
        port = await place.world.serve(place.world.answer(PAGE), certificate_for=("other.test",))
        place.server.api._helper._ports = HelperPorts(https=port)
        answer = await ask(place, f"https://a.test:{port}/")
    assert answer["tls_handshake"] == {
        f"127.0.0.1:{port}": {"server_name": "a.test", "status": False, "failure": "ssl_invalid_hostname"}
    }
    assert answer["ip_info"]["127.0.0.1"]["flags"] == 2


async def test_bogons_are_flagged_and_never_dialled() -> None:
    async with open_place(names=NAMES, policy=Policy()) as place:
        answer = await ask(place, "http://a.test/", "10.0.0.1:80", "[fe80::1]:443")
        assert place.view.gate.refused_total == 0
    assert answer["tcp_connect"] == {}
    assert {address: known["flags"] for address, known in answer["ip_info"].items()} == {
        "127.0.0.1": 6,
        "10.0.0.1": 5,
        "fe80::1": 5,
    }
    assert answer["http_request"]["failure"] == "unknown_error"


async def test_an_address_as_a_host_has_no_answers() -> None:
    async with open_place() as place:
        port = await place.world.serve(place.world.answer(PAGE))
        answer = await ask(place, f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}")
    assert answer["dns"] == {"failure": None, "addrs": []}
    assert answer["http_request"]["status_code"] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_bad_requests(method: str) -> None:
    async with open_place() as place:
        assert (await place.ask(method, "/", headers=HEADERS))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"http_request":1}',
        b'{"http_request":"ftp://a.test/"}',
        b'{"http_request":"http://["}',
        b'{"http_request":"http:///x"}',
        b'{"http_request":"https://a.test:0/"}',
        b'{"http_request":"\xff"}',
    ],
)
async def test_what_cannot_be_read_is_a_bad_request(body: bytes) -> None:
    async with open_place() as place:
        assert (await place.ask("POST", "/", data=body, headers=HEADERS))[0] == 400


@pytest.mark.parametrize(("agent", "status"), [("curl/8", 503), ("ooniprobe-desktop/3.1", 200)])
async def test_the_upper_half_of_the_places_is_for_oonis_own_probes(agent: str, status: int) -> None:
    async with open_place(names=NAMES, limits=ControlLimits(ooni_concurrent=4)) as place:
        from probe.control.figures import Interface

        place.server.api._admission.in_flight[Interface.OONI] = 2
        body = json.dumps({"http_request": "http://none.test/"})
        headers = HEADERS | {"User-Agent": agent}
        answered, _, sent = await place.ask("POST", "/", data=body, headers=headers)
        assert answered == status
        assert ("Retry-After" in sent) == (status == 503)
        place.server.api._admission.in_flight[Interface.OONI] = 4
        assert (await place.ask("POST", "/", data=body, headers=headers))[0] == 503


async def test_probes_without_a_token_come_in_only_where_that_is_wanted_or_with_the_token_in_the_path() -> None:
    body = json.dumps({"http_request": "http://none.test/"})
    async with open_place() as place:
        assert (await place.ask("POST", "/", data=body))[0] == 401
        token = HEADERS["Authorization"].split()[1]
        assert (await place.ask("POST", f"/t/{token}/", data=body))[0] == 200
        assert (await place.ask("POST", "/t/wrong/", data=body))[0] == 401
    async with open_place(ooni_open=True) as place:
        assert (await place.ask("POST", "/", data=body))[0] == 200


@pytest.mark.parametrize(
    ("url", "helper"),
    [("https://c.example", {"address": "https://c.example/", "type": "https"}), ("", None)],
)
async def test_probes_are_told_that_we_are_their_helper(url: str, helper: dict[str, str] | None) -> None:
    async with open_place(url=url) as place:
        _, body, _ = await place.ask("GET", "/api/v1/test-helpers")
        here = {"address": f"{place.url}/", "type": "legacy"}
    assert json.loads(body) == {"web-connectivity": [helper or here]}


def test_the_reference_answer_is_read_and_written_back_unchanged() -> None:
    answer = msgspec.convert(REFERENCE_ANSWER, wire.HelperAnswer)
    assert json.loads(wire.encode_answer(answer)) == REFERENCE_ANSWER


def test_the_reference_answer_gives_observations() -> None:
    request = ControlRequest(check=CheckName.WEB, host="www.example.com", port=443)
    lookup, connected, handshake, page = read_observations(json.dumps(REFERENCE_ANSWER).encode(), request)
    assert isinstance(lookup, DNSLookup)
    assert lookup.addresses == ("93.184.216.34",)
    assert isinstance(connected, TCPConnect)
    assert connected.failure is None
    assert isinstance(handshake, TLSHandshake)
    assert handshake.verified
    assert isinstance(page, HTTPExchange)
    assert (page.status, page.title, page.body_bytes, page.endpoint.address) == (
        200,
        "Default Web Page",
        1533,
        "93.184.216.34",
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("dns_name_error", FailureCode.DNS_NXDOMAIN),
        ("dns_server_failure", FailureCode.DNS_SERVFAIL),
        (None, FailureCode.DNS_NO_ANSWER),
    ],
)
def test_failed_names_of_a_helper_are_understood(said: str | None, code: FailureCode) -> None:
    written = REFERENCE_ANSWER | {
        "dns": {"failure": said, "addrs": None},
        "tcp_connect": {},
        "tls_handshake": None,
        "http_request": FAILED | {"failure": "dns_lookup_error"},
    }
    request = ControlRequest(check=CheckName.WEB, host="a.test", port=80, secure=False)
    lookup = read_observations(json.dumps(written).encode(), request)[0]
    assert lookup.failure is not None
    assert lookup.failure.code is code


def test_a_probes_request_names_both_ports_or_the_one_in_the_url() -> None:
    request = ControlRequest(check=CheckName.WEB, host="a.test", port=443, path="/x?y", addresses=("192.0.2.1", "::1"))
    sent = json.loads(build_helper_request(request))
    assert sent["http_request"] == "https://a.test/x?y"
    assert sent["tcp_connect"] == ["192.0.2.1:443", "192.0.2.1:80", "[::1]:443", "[::1]:80"]
    assert set(sent["http_request_headers"]) == {"Accept", "Accept-Language", "User-Agent"}
    other = ControlRequest(check=CheckName.WEB, host="a.test", port=8443, addresses=("192.0.2.1",))
    assert json.loads(build_helper_request(other))["tcp_connect"] == ["192.0.2.1:8443"]


def test_addresses_are_taken_out_of_endpoints_and_the_rest_is_left_out() -> None:
    assert read_addresses(["1.2.3.4:443", "1.2.3.4:80", "[2001:DB8::1]:443", "x:1", "", "1.2.3.4"]) == (
        "1.2.3.4",
        "2001:db8::1",
    )


@pytest.mark.parametrize(
    ("alt_svc", "endpoint"),
    [
        ('h3=":443"; ma=1', "a.test:443"),
        ('h2="x:1", h3="b.test:8443"', "b.test:8443"),
        ('h3-29=":443"', ""),
        ("clear", ""),
        ("", ""),
    ],
)
def test_an_h3_endpoint_is_found(alt_svc: str, endpoint: str) -> None:
    assert wire.find_h3_endpoint(alt_svc, "a.test") == endpoint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(["http_request", "http_request_headers", "tcp_connect", "dns", "tls_handshake", "ip_info"])


@given(st.binary(max_size=200) | st.dictionaries(KEYS, JSON).map(lambda value: json.dumps(value).encode()))
def test_anything_is_a_request_and_an_answer_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        wire.parse_helper_request(data)
    with contextlib.suppress(ProtocolError):
        read_observations(data, ControlRequest(check=CheckName.WEB, host="a.test", port=443))


@given(st.text(max_size=60) | st.text(max_size=30).map(lambda text: f"https://{text}"))
def test_any_text_is_a_url_or_a_protocol_error(text: str) -> None:
    try:
        address, _ = wire.parse_url(text)
        assert 0 < address.port < 65536
    except ProtocolError:
        pass


@given(
    st.dictionaries(
        st.text(max_size=20), st.fixed_dictionaries({"status": st.booleans(), "failure": st.none() | st.text()})
    )
)
def test_any_endpoints_of_a_helper_are_read(endpoints: dict[str, Any]) -> None:
    answer = json.dumps(REFERENCE_ANSWER | {"tcp_connect": endpoints}).encode()
    read_observations(answer, ControlRequest(check=CheckName.WEB, host="a.test", port=443))
