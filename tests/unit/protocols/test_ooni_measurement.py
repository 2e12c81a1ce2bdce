import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model.control import ControlKind
from probe.model.errors import ProtocolError
from probe.model.experiment import Design, Place
from probe.model.failure import FailureCode, Stage
from probe.model.observation import DNSLookup, HTTPExchange, Role, TCPConnect, TLSHandshake, TLSStage, Transport
from probe.protocols.ooni.archive import parse_control
from probe.protocols.ooni.failure import parse_alert, parse_failure, write_failure
from probe.protocols.ooni.measurement import OoniMeasurement, parse_measurement
from tests.unit.protocols.ooni_worlds import COM, EXAMPLE, NAME, PROXY, World, make_worlds, page

WORLDS = make_worlds()


def read(measurement: Any) -> OoniMeasurement:
    return parse_measurement(json.dumps(measurement).encode())


def of(kind: type, found: OoniMeasurement, *, experiments: bool = False) -> list[Any]:
    return [o for o in found.observations if isinstance(o, kind) and bool(o.experiment) is experiments]


def old(*, url: str, queries: Any = (), connects: Any = (), requests: Any = ()) -> OoniMeasurement:
    """A measurement of 0.4: no tags, no numbers, no address of the fetch."""
    measurement = World(url).verdict(None, None) | {"test_version": "0.4.3"}
    for key, records in (("queries", queries), ("tcp_connect", connects), ("requests", requests)):
        measurement["test_keys"][key] = list(records)
    return read(measurement)


def old_query(name: str, *addresses: str) -> dict[str, Any]:
    answers = [{"answer_type": "A", "ipv4": address, "ttl": None} for address in addresses]
    return {"hostname": name, "query_type": "A", "engine": "system", "failure": None, "answers": answers, "t": 0.1}


def old_page(url: str, status: int = 200, location: str = "", failure: str | None = None) -> dict[str, Any]:
    shown = page(url, status, location=location, failure=failure)
    del shown["response"]["headers_list"], shown["network"]
    return shown | {"t": 0.5}


CONNECTED = {"ip": EXAMPLE, "port": 443, "status": {"success": True, "failure": None, "blocked": False}, "t": 0.2}


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_is_read(name):
    found = read(WORLDS[name])
    assert found.probe_asn == "AS137"
    assert found.vantage.country_code == "IT"
    assert found.started_at == 1707770027.0
    assert found.blocking == WORLDS[name]["test_keys"]["blocking"]
    assert found.observations
    numbers = [o.transaction for o in found.observations]
    assert len(set(numbers)) == len(numbers)
    known = {experiment.id for experiment in found.experiments}
    assert all((o.experiment in known) is (o.role is Role.EXPERIMENT) for o in found.observations)


def test_a_success_has_one_path_and_two_other_resolvers():
    found = read(WORLDS["successWithHTTPS"])
    (lookup,) = of(DNSLookup, found)
    assert lookup.resolver.transport is Transport.GETADDRINFO
    assert lookup.addresses == (EXAMPLE,)
    assert lookup.asns == (15133,)
    assert {e.resolver.transport for e in found.experiments} == {Transport.UDP, Transport.DOH}
    (shake,) = of(TLSHandshake, found)
    assert shake.verified
    assert len(shake.chain) == 3
    (exchange,) = of(HTTPExchange, found)
    assert (exchange.status, exchange.title, exchange.hop) == (200, "Default Web Page", 0)


def test_addresses_that_only_others_gave_are_no_paths():
    found = read(WORLDS["dnsBlockingBOGON"])
    assert [c.endpoint.address for c in of(TCPConnect, found)] == ["10.10.34.35"]
    (elsewhere,) = (e for e in found.experiments if e.design is Design.ADDRESSES)
    assert elsewhere.place is Place.ELSEWHERE
    assert elsewhere.endpoint.address == EXAMPLE


def test_https_beside_an_http_page_is_a_comparison():
    found = read(WORLDS["successWithHTTP"])
    assert [c.endpoint.port for c in of(TCPConnect, found)] == [80]
    (encrypted,) = (e for e in found.experiments if e.design is Design.ENCRYPTED_ROUTE)
    assert encrypted.endpoint.port == 443
    assert of(TLSHandshake, found, experiments=True)[0].verified


def test_a_redirect_gives_hops_with_their_own_names():
    found = read(WORLDS["redirectThenConnectionResetForHTTPS"])
    assert [(s.hop, s.server_name) for s in of(TLSHandshake, found)] == [(0, "bit.ly"), (1, NAME)]
    failed = of(TLSHandshake, found)[1]
    assert failed.failure.code is FailureCode.CONNECTION_RESET
    assert failed.stage is TLSStage.NOTHING


def test_a_late_reply_belongs_to_its_question():
    found = read(WORLDS["dnsHijackingToProxyWithHTTPSURL"])
    (lookup,) = (o for o in of(DNSLookup, found, experiments=True) if o.resolver.transport is Transport.UDP)
    assert [[a.value for a in reply.answers] for reply in lookup.replies] == [[PROXY], [EXAMPLE]]


def test_the_control_inside_is_an_outside_view():
    report = read(WORLDS["ghostDNSBlockingWithHTTPS"]).control
    assert report is not None
    assert report.kind is ControlKind.OONI
    assert report.answered
    failures = [(type(o).__name__, o.failure.code) for o in report.observations]
    assert failures == [
        ("DNSLookup", FailureCode.DNS_NXDOMAIN),
        ("DNSLookup", FailureCode.DNS_NXDOMAIN),
        ("TCPConnect", FailureCode.CONNECTION_REFUSED),
        ("HTTPExchange", FailureCode.DNS_MISBEHAVING),
    ]
    assert all(o.role is Role.CONTROL for o in report.observations)


def test_a_control_that_was_kept_from_the_probe_says_so():
    report = read(WORLDS["controlFailureWithSuccessfulHTTPSWebsite"]).control
    assert report is not None
    assert (report.answered, report.unreachable) == (False, True)


def test_a_good_control_shows_the_page_and_where_it_came_from():
    report = read(WORLDS["successWithHTTPS"]).control
    assert report is not None
    shown = report.observations[-1]
    assert isinstance(shown, HTTPExchange)
    assert (shown.status, shown.title, str(shown.endpoint)) == (200, "Default Web Page", f"{EXAMPLE}:443")
    assert report.observations[0].asns == (15133,)


def test_an_old_page_that_came_proves_the_connection_under_it():
    pages = [old_page("https://www.example.org/", 200), old_page(COM, 302, location="https://www.example.org/")]
    found = old(url=COM, queries=[old_query(NAME, EXAMPLE)], connects=[CONNECTED], requests=pages)
    assert [e.hop for e in of(HTTPExchange, found)] == [0, 1]
    assert str(of(HTTPExchange, found)[0].endpoint) == f"{EXAMPLE}:443"
    assert [(c.hop, c.failure) for c in of(TCPConnect, found)] == [(0, None), (1, None)]
    assert [(s.hop, s.server_name, s.verified) for s in of(TLSHandshake, found)] == [(1, "www.example.org", True)]


def test_an_old_fetch_that_cannot_have_begun_is_no_exchange():
    refused = CONNECTED | {"status": {"success": False, "failure": "connection_refused", "blocked": True}}
    found = old(
        url=COM,
        queries=[old_query(NAME, EXAMPLE)],
        connects=[refused],
        requests=[old_page(COM, failure="connection_refused")],
    )
    assert of(HTTPExchange, found) == []
    assert of(TCPConnect, found)[0].failure.code is FailureCode.CONNECTION_REFUSED


def test_an_old_redirect_to_a_name_that_is_denied_becomes_a_lookup():
    pages = [old_page("https://gone.example/", failure="dns_nxdomain_error")]
    pages.append(old_page(COM, 302, location="https://gone.example/"))
    found = old(url=COM, queries=[old_query(NAME, EXAMPLE)], connects=[CONNECTED], requests=pages)
    lookups = of(DNSLookup, found)
    assert [(o.name, o.hop) for o in lookups] == [(NAME, 0), ("gone.example", 1)]
    assert lookups[1].failure.code is FailureCode.DNS_NXDOMAIN


def test_retries_of_the_python_probes_stay_in_their_hop():
    failed = old_page("http://www.example.com/", failure="response_never_received") | {"response": None}
    found = old(url="http://www.example.com/", queries=[old_query(NAME, EXAMPLE)], requests=[failed] * 3)
    pages = of(HTTPExchange, found)
    assert [(seen.hop, seen.status) for seen in pages] == [(0, 0)] * 3
    assert {seen.failure.code for seen in pages} == {FailureCode.UNKNOWN}


def test_a_retry_that_is_led_on_is_followed_into_the_next_hop():
    first = old_page("http://www.example.com/", failure="generic_timeout_error")
    led = old_page("http://www.example.com/", 302, location="/x")
    found = old(url="http://www.example.com/", requests=[old_page("http://www.example.com/x"), led, first])
    assert [seen.hop for seen in of(HTTPExchange, found)] == [0, 0, 1]


def test_measurement_kit_leaves_out_the_redirects_before_the_last_page():
    at_80 = {"ip": EXAMPLE, "port": 80, "status": {"success": True, "blocked": False}}
    found = old(
        url="http://www.example.com/",
        queries=[old_query(NAME, EXAMPLE)],
        connects=[at_80],
        requests=[old_page("https://www.example.com/")],
    )
    led, shown = of(HTTPExchange, found)
    assert (led.hop, led.secure, led.status, led.location) == (0, False, 302, "https://www.example.com/")
    assert (shown.hop, shown.secure, shown.status, shown.endpoint.port) == (1, True, 200, 443)
    assert [(seen.hop, seen.endpoint.port) for seen in of(TCPConnect, found)] == [(0, 80), (1, 443)]


@pytest.mark.parametrize(
    ("four", "six", "families"),
    [
        ("network_unreachable", None, (6,)),
        ("generic_timeout_error", None, (4, 6)),
        (None, None, (4, 6)),
        (None, "network_unreachable", (4,)),
        ("network_unreachable", "network_unreachable", (4,)),
    ],
)
def test_a_family_without_any_route_is_none_that_the_probe_had(four, six, families):
    connects = [
        {"ip": ip, "port": 443, "status": {"success": failure is None, "failure": failure}, "t": 0.2}
        for ip, failure in ((EXAMPLE, four), ("2606:2800:220:1::1", six))
    ]
    assert old(url=COM, connects=connects).vantage.families == families


def test_a_line_that_would_take_minutes_to_read_bit_by_bit_is_refused():
    record = b'{"a":1},'
    start = b'{"test_name":"web_connectivity","input":"https://a.example/","test_keys":{"queries":['
    with pytest.raises(ProtocolError, match="neither strict nor short"):
        parse_measurement(start + record * (9 * 2**20 // len(record)) + b"1]}}")


def test_an_alias_among_a_helpers_addresses_is_no_address():
    measurement = copy.deepcopy(WORLDS["websiteDownNXDOMAIN"])
    measurement["test_keys"]["control"]["dns"] = {"failure": None, "addrs": ["alias.example.net"]}
    (lookup, *_), nobody = read(measurement).control.observations, FailureCode.DNS_NO_ANSWER
    assert (lookup.addresses, lookup.failure.code) == ((), nobody)
    measurement["test_keys"]["control"]["dns"]["addrs"].append(EXAMPLE)
    assert [o.addresses for o in read(measurement).control.observations if isinstance(o, DNSLookup)] == [(EXAMPLE,)]


def test_a_field_of_the_wrong_type_costs_itself_alone():
    measurement = copy.deepcopy(WORLDS["successWithHTTPS"])
    measurement["probe_asn"] = 137
    measurement["test_keys"]["accessible"] = "yes"
    measurement["test_keys"]["queries"].append("no query")
    measurement["test_keys"]["queries"].append({"engine": "udp"})
    measurement["test_keys"]["tcp_connect"][0]["t0"] = "soon"
    measurement["test_keys"]["control"]["ip_info"] = []
    found = read(measurement)
    assert (found.probe_asn, found.accessible) == ("AS0", None)
    assert len(found.observations) == len(read(WORLDS["successWithHTTPS"]).observations)
    assert found.control is not None
    assert found.control.answered


@pytest.mark.parametrize("key", ["queries", "tcp_connect", "tls_handshakes", "requests", "control", "x_doh"])
def test_a_part_that_is_missing_leaves_the_rest(key):
    for world in WORLDS.values():
        measurement = copy.deepcopy(world)
        del measurement["test_keys"][key]
        assert read(measurement).input == world["input"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"test_name":"web_connectivity"}',
        b'{"test_name":"web_connectivity","test_keys":{}}',
        b'{"test_name":"web_connectivity","input":"ftp://x/","test_keys":{}}',
        b'{"test_name":"web_connectivity","input":"https://a b/","test_keys":{}}',
        b'{"test_name":"telegram","input":null,"test_keys":{}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_measurement_is_a_protocol_error(data):
    with pytest.raises(ProtocolError):
        parse_measurement(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_measurement_or_a_protocol_error(data):
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_measurement(data), OoniMeasurement)


_LINE = json.dumps(WORLDS["redirectThenSuccess"]).encode()


@settings(max_examples=300)
@given(st.integers(0, len(_LINE)), st.binary(max_size=6), st.integers(0, 6))
def test_any_damage_is_a_measurement_or_a_protocol_error(at, inserted, cut):
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_measurement(_LINE[:at] + inserted + _LINE[at + cut :]), OoniMeasurement)


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _places(inner, (*path, key))
    return found


_PLACES = _places(WORLDS["redirectThenConnectionResetForHTTPS"])


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(_PLACES), _anything), min_size=1, max_size=4))
def test_any_value_in_any_place_is_a_measurement_or_a_protocol_error(changes):
    measurement = copy.deepcopy(WORLDS["redirectThenConnectionResetForHTTPS"])
    for path, value in changes:
        # An earlier change may have taken the place away.
        with contextlib.suppress(LookupError, TypeError):
            holder: Any = measurement
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = value
    with contextlib.suppress(ProtocolError):
        assert isinstance(read(measurement), OoniMeasurement)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_control_or_a_protocol_error(data):
    with contextlib.suppress(ProtocolError):
        parse_control(data)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("connection_reset", FailureCode.CONNECTION_RESET),
        ("android_dns_cache_no_data", FailureCode.DNS_NO_ANSWER),
        ("dns_name_error", FailureCode.DNS_NXDOMAIN),
        ("unknown_failure: remote error: tls: unrecognized name", FailureCode.TLS_ALERT),
        ("unknown_failure: stopped after too many redirects", FailureCode.TOO_MANY_REDIRECTS),
        ("response_never_received", FailureCode.UNKNOWN),
        ("deferred_timeout_error", FailureCode.TIMEOUT),
        ("dns_server_misbehaving", FailureCode.DNS_SERVFAIL),
        ("http_invalid_redirect_url", FailureCode.HTTP_INVALID_REDIRECT),
        ("ssl_unknown_autority", FailureCode.SSL_UNKNOWN_AUTHORITY),
        ("ssl_error: error:14007086:SSL routines: certificate verify failed", FailureCode.SSL_INVALID_CERTIFICATE),
        ("ssl_error: error:1408F10B:SSL routines: wrong version number", FailureCode.SSL_FAILED_HANDSHAKE),
        ("", FailureCode.UNKNOWN),
    ],
)
def test_each_word_has_its_meaning(text, code):
    failure = parse_failure(text, Stage.TLS)
    assert failure is not None
    assert failure.code is code


@given(st.none() | st.text(max_size=40))
def test_any_word_is_a_failure_and_none_is_none(text):
    assert (parse_failure(text, Stage.HTTP) is None) is (text is None)
    parse_alert(text)


@given(st.sampled_from(["unrecognized name", "handshake failure", "internal error"]))
def test_an_alert_survives_writing_and_reading(words):
    text = f"unknown_failure: remote error: tls: {words}"
    assert write_failure(parse_failure(text, Stage.TLS), parse_alert(text)) == text
