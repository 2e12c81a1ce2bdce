"""What OONI's archive is full of, judged as its analysts would; written here, in the shapes of the archive."""

import json
from typing import Any

import pytest

from probe.classify.judge import judge
from probe.cli.ooni_cases import build_case
from probe.knowledge.reference import load_reference
from probe.protocols.ooni.measurement import parse_measurement
from tests.unit.protocols.ooni_worlds import (
    CLEAR,
    COM,
    EXAMPLE,
    NAME,
    REFUSED,
    RESET,
    SILENT,
    World,
    page,
)

REFERENCE, _ = load_reference()
SIX, FALSE, FALSE_ASN, DOH = "2606:2800:220:1::1946", "31.13.94.41", 32934, "https://dns.google/dns-query"
BOTH = {f"{EXAMPLE}:443": None, f"{EXAMPLE}:80": None}
SHOWN: dict[str, str | None] = {f"{EXAMPLE}:443": None}
CASES: dict[str, tuple[dict[str, Any], str, str]] = {}
"""Measurement, status and first pattern."""


def case(name: str, says: str, world: World, *, known: bool = True, **control: Any) -> None:
    """Register a measurement; `known` = the control sees the site at its address."""
    if known:
        world.control(EXAMPLE, tcp=BOTH, tls=SHOWN)
    elif control:
        world.control(*control.pop("addresses", (EXAMPLE,)), **control)
    for query in world.keys["queries"] + (world.keys["x_dns_duplicate_responses"] or []):
        for answer in query["answers"]:
            answer["asn"] = FALSE_ASN if answer.get("ipv4") == FALSE else answer["asn"]
    status, _, pattern = says.partition(" ")
    CASES[name] = world.verdict(None, None), status, pattern


def named(url: str = COM, *addresses: str, doh: bool = False, **how: Any) -> World:
    world = World(url).lookup(NAME, *(addresses or () if how else addresses or (EXAMPLE,)), **how)
    return world.lookup(NAME, EXAMPLE, engine="doh", resolver=DOH) if doh else world


def led_on(tls: str | None = None, tcp: str | None = None) -> World:
    """An http page that leads to https on the same host."""
    world = named(CLEAR).flow(EXAMPLE, 80, page=page(CLEAR, 301, "", location=COM)).lookup(NAME, EXAMPLE, depth=1)
    return world.flow(EXAMPLE, 443, NAME, tls=tls, tcp=tcp, page=page(COM), depth=1)


def six_too(four: str | None = None, six: str | None = None, hello: str | None = None) -> World:
    """A name with both families."""
    world = named(COM, EXAMPLE, SIX).flow(EXAMPLE, 443, NAME, tcp=four, page=page(COM))
    world.flow(SIX, 443, NAME, tcp=six, tls=hello)
    for shaken in world.keys["tls_handshakes"]:
        shaken["address"] = shaken["address"].replace(f"{SIX}:", f"[{SIX}]:")
    places = {f"{EXAMPLE}:443": None, f"[{SIX}]:443": None}
    return world.control(EXAMPLE, SIX, tcp=places, tls=places)


def injected(there: str | None, *, late: bool = False, doh: bool = False) -> World:
    """A false address from an injector, silent to us; the control tries it too."""
    world = named(COM, FALSE).lookup(NAME, FALSE, engine="udp", resolver="8.8.8.8:53")
    world = world.late(NAME, EXAMPLE) if late else world
    world = world.lookup(NAME, EXAMPLE, engine="doh", resolver=DOH) if doh else world
    world.flow(FALSE, 443, NAME, tcp=SILENT).flow(EXAMPLE, 443, NAME)
    places = {f"{EXAMPLE}:443": None, f"{FALSE}:443": None}
    return world.control(EXAMPLE, tcp=places, tls={**SHOWN, f"{FALSE}:443": there})


def led_away(location: str, title: str, body: str = "") -> World:
    """An http page that leads to another site in the clear."""
    world = named(CLEAR).flow(EXAMPLE, 80, page=page(CLEAR, 302, "", location=location))
    world.lookup("elsewhere.example", "5.62.200.1", depth=1)
    shown = page(location, 200, f"<title>{title}</title>{body}")
    return world.flow("5.62.200.1", 80, page=shown, depth=1)


case("https behind a redirect is reset", "likely_blocked tls.reset", led_on(RESET))
case("https behind a redirect is silent", "likely_blocked tls.timeout", led_on(SILENT))
case("https behind a redirect is refused", "likely_blocked tcp.rst_syn", led_on(tcp=REFUSED))
case("https behind a redirect works", "ok", led_on())
case(
    "https behind a redirect is reset for all", "down srv.down", led_on(RESET), known=False, tcp=BOTH,
    tls={f"{EXAMPLE}:443": RESET}, http="unknown_error",
)  # fmt: skip
case("no IPv4 here", "ok", six_too(four="network_unreachable"), known=False)
case("no IPv6 here", "ok", six_too(six="network_unreachable"), known=False)
case("IPv6 silent, and never seen to work", "ok", six_too(six=SILENT), known=False)
case("IPv6 reset", "degraded tls.reset", six_too(hello=RESET), known=False)
case("false answer, silent", "likely_blocked dns", injected("ssl_invalid_hostname"), known=False)
case("false answer, the true one late", "likely_blocked dns.injection.race",
     injected("ssl_invalid_hostname", late=True, doh=True), known=False)  # fmt: skip
case("other address, open to the control alone", "likely_blocked ip", injected(SILENT), known=False)
case("null address", "impaired local.resolver", named(COM, "0.0.0.0").flow("0.0.0.0", 443, NAME, tcp=REFUSED))
case("null address, encrypted differs", "impaired local.resolver",
     named(COM, "0.0.0.0", doh=True).flow("0.0.0.0", 443, NAME, tcp=REFUSED).flow(EXAMPLE, 443, NAME))  # fmt: skip
case("Iran's bogon", "likely_blocked dns.injection.bogon",
     named(COM, "10.10.34.36").flow("10.10.34.36", 443, NAME, tcp=SILENT))  # fmt: skip
case("private addresses for all", "down srv.down", named(COM, "192.168.1.5").flow("192.168.1.5", 443, NAME, tcp=SILENT),
     known=False, addresses=("192.168.1.5",), http="unknown_error")  # fmt: skip
case("CDN node of another network", "ok", named(CLEAR, "23.0.0.1").flow("23.0.0.1", 80, page=page(CLEAR)))
case("Android has no data", "likely_blocked dns.no_answer", named(failure="android_dns_cache_no_data"))
case("the resolver misbehaves", "impaired dns.servfail", named(failure="dns_server_misbehaving", doh=True))
case("the resolver refuses", "likely_blocked dns.refused", named(failure="dns_refused_error"))
case("the resolver is silent", "impaired dns.timeout", named(failure=SILENT))
case("reset while connecting", "likely_blocked tcp.rst_synack", named().flow(EXAMPLE, 443, NAME, tcp=RESET))
case("foreign certificate", "likely_blocked tls.mitm.untrusted",
     named().flow(EXAMPLE, 443, NAME, tls="ssl_unknown_authority"))  # fmt: skip
case("the probe's network changed", "insufficient instrument.fault",
     named().flow(EXAMPLE, 443, NAME, tls="connection_aborted"))  # fmt: skip
case("the probe closed it itself", "insufficient instrument.fault",
     named().flow(EXAMPLE, 443, NAME, page=page(COM, failure="connection_already_closed")))  # fmt: skip
case("our own library's fault", "insufficient tls",
     named().flow(EXAMPLE, 443, NAME, tls="unknown_failure: tls: server selected unsupported version"))  # fmt: skip
case("the control is refused", "ok", named(CLEAR).flow(EXAMPLE, 80, page=page(CLEAR)), known=False, tcp=BOTH,
     status=403, title="Forbidden", body="no")  # fmt: skip
case("refused under the site's certificate", "server_side srv.geoblock.http",
     named().flow(EXAMPLE, 443, NAME, page=page(COM, 403, "no")))  # fmt: skip
case("led to another page", "impaired http.redirect", led_away("http://elsewhere.example/", "Notice of closure"))
case("led to the same page", "ok", led_away("http://elsewhere.example/", "Default Web Page of the country"))
case(
    "led to a known page", "likely_blocked http.redirect", led_away("http://lamanlabuh.aduankonten.id/", "Trustpositif")
)
case("invented name", "down srv.no_such_name", named(CLEAR, FALSE).flow(FALSE, 80, tcp=REFUSED), known=False,
     addresses=(), dns="dns_name_error", http="dns_lookup_error")  # fmt: skip
case("an alias and no address", "down srv.no_such_name", named(failure="dns_nxdomain_error"), known=False,
     addresses=("alias.example.net",), http="dns_lookup_error")  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_measurement_is_judged_as_an_analyst_would(name):
    measurement, status, pattern = CASES[name]
    verdict = judge(build_case(parse_measurement(json.dumps(measurement).encode()), REFERENCE))
    found = next((one.value for one in verdict.patterns), "")
    assert (verdict.status.value, found) == (status, pattern), verdict.rule_id
