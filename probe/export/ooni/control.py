"""What a control saw, as the answer of OONI's test helper that its probes keep in a measurement.

Source: OONI spec ts-017 (`control`, `control_failure`); probe-cli, `internal/model/th.go` and `internal/oohelperd`.
Deviation: ours may have seen more hops, resolvers and names than a helper asks about; of those the first hop's name and
places and the last page are told. A control's own address may stand in the headers of a page: none is left in them.
"""

import ipaddress
import re
from collections.abc import Iterator
from enum import IntFlag
from typing import Any

from probe.export.ooni.scrub import SCRUBBED, Scrubber
from probe.model.control import ControlKind, ControlReport
from probe.model.endpoint import is_literal
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, HTTPExchange, Observation, Role, TCPConnect, TLSHandshake
from probe.protocols.http.redirect import REDIRECTS
from probe.protocols.ooni.failure import map_dns_failure, map_http_failure, map_tcp_failure, write_failure

NOT_ASKED = "unknown_failure: no control was asked"
SUCCESS = 2
"""First digit of a status that says all is well."""
SAME_LENGTH = 0.7
"""OONI's bound: shorter than this part of the other is another page."""
_SERVERS = (ControlKind.WALLPROBE, ControlKind.OONI)
_CODES = frozenset(code.value for code in FailureCode)
_ADDRESS = re.compile(r"(?<![\w.:])(\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w.:])")
_PAGE_MISSING = {"body_length": -1, "discovered_h3_endpoint": "", "title": "", "headers": {}, "status_code": -1}


class IPFlag(IntFlag):
    """What a helper knows of an address."""

    RESOLVED_BY_PROBE = 1
    RESOLVED_BY_HELPER = 2
    BOGON = 4
    VALID_FOR_DOMAIN = 8


def build_control_keys(measurement: Measurement, scrubber: Scrubber) -> dict[str, Any]:
    """Return `control` and `control_failure`: of the last control that answered, else why the last one did not."""
    asked = sorted((r for r in measurement.controls if r.kind in _SERVERS), key=lambda report: report.asked_at)
    answered = [report for report in asked if report.answered]
    if answered:
        return {"control": _Answer(measurement, answered[-1], scrubber).build(), "control_failure": None}
    return {"control": None, "control_failure": _write_refusal(asked[-1]) if asked else NOT_ASKED}


def build_comparison_keys(measurement: Measurement) -> dict[str, Any]:
    """Return how the last page compares with the one that the control got; what needs OONI's own word lists is open."""
    ours, theirs = _own_page(measurement), None
    for report in measurement.controls:
        if report.kind in _SERVERS and report.answered:
            theirs = last_page(report, measurement) or theirs
    keys: dict[str, Any] = {
        "body_proportion": 0.0,
        "body_length_match": None,
        "headers_match": None,
        "status_code_match": None,
        "title_match": None,
    }
    if ours is None or theirs is None or theirs.failure is not None:
        return keys
    if ours.status == theirs.status or theirs.status // 100 == SUCCESS:
        keys["status_code_match"] = ours.status == theirs.status
    lengths = sorted((_length(ours), _length(theirs)))
    if lengths[0] > 0:
        keys["body_proportion"] = lengths[0] / lengths[1]
        if not ours.body_truncated and not theirs.body_truncated:
            keys["body_length_match"] = keys["body_proportion"] > SAME_LENGTH
    return keys


def _own_page(measurement: Measurement) -> HTTPExchange | None:
    """Return the check's own last page, if it came whole."""
    pages = [o for o in measurement.observations if isinstance(o, HTTPExchange) and o.role is Role.TARGET]
    whole = [page for page in pages if page.failure is None and page.status and not page.experiment]
    return max(whole, key=lambda page: page.hop, default=None)


def _length(page: HTTPExchange) -> int:
    """Return how long a page is once its content coding is off; a control may keep the length alone."""
    return len(page.body) or page.body_bytes


def _write_refusal(report: ControlReport) -> str:
    word = report.failure.partition(":")[0].strip()
    return word if word in _CODES else "unknown_failure: the control did not answer"


def last_page(report: ControlReport, measurement: Measurement) -> HTTPExchange | None:
    """Return the page that a control got in the end, whole or not; `None` = none came."""
    seen = (o for o in report.of_target(measurement.target.check) if isinstance(o, HTTPExchange))
    pages = [o for o in seen if o.status and not (o.status in REDIRECTS and o.location)]
    return next((page for page in reversed(pages) if page.failure is None), pages[-1] if pages else None)


class _Answer:
    """One report, told in a helper's words."""

    def __init__(self, measurement: Measurement, report: ControlReport, scrubber: Scrubber) -> None:
        self._measurement = measurement
        self._report = report
        self._scrub = scrubber
        self._seen = report.of_target(measurement.target.check)
        self._host = measurement.target.host

    def build(self) -> dict[str, Any]:
        """Return the answer; the order is the real helper's."""
        connects = {self._scrub.text(str(o.endpoint)): map_connect(o) for o in self._first(TCPConnect)}
        shaken = {self._scrub.text(str(o.endpoint)): self._tell_handshake(o) for o in self._named_handshakes()}
        known = self._tell_addresses()
        return {
            "tcp_connect": connects,
            **({"tls_handshake": shaken} if shaken else {}),
            "quic_handshake": {},
            "http_request": self._tell_page(),
            "http3_request": None,
            "dns": self._tell_name(),
            **({"ip_info": known} if known else {}),
        }

    def _first(self, kind: type[TCPConnect] | type[TLSHandshake]) -> Iterator[Any]:
        return (o for o in self._seen if isinstance(o, kind) and not o.hop)

    def _named_handshakes(self) -> Iterator[TLSHandshake]:
        return (o for o in self._first(TLSHandshake) if o.server_name == self._host)

    def _tell_handshake(self, seen: TLSHandshake) -> dict[str, Any]:
        failure = write_failure(seen.failure, seen.alert)
        return {"server_name": seen.server_name, "status": failure is None, "failure": failure}

    def _lookups(self) -> list[DNSLookup]:
        return [o for o in self._seen if isinstance(o, DNSLookup) and o.name == self._host]

    def _tell_name(self) -> dict[str, Any]:
        addresses = dict.fromkeys(a for lookup in self._lookups() for a in lookup.addresses)
        failures = [lookup.failure.code for lookup in self._lookups() if lookup.failure is not None]
        failure = map_dns_failure(failures[0]) if failures and not addresses else None
        return {"failure": failure, "addrs": [self._scrub.text(address) for address in addresses]}

    def _tell_page(self) -> dict[str, Any]:
        page = last_page(self._report, self._measurement)
        if page is None:
            return _PAGE_MISSING | {"failure": self._why_no_page()}
        headers: dict[str, str] = {}
        for name, value in page.headers:
            headers.setdefault(name, _hide_addresses(self._scrub.text(value)))
        return {
            "body_length": _length(page) if page.failure is None else 0,
            "discovered_h3_endpoint": "",
            "failure": None if page.failure is None else map_http_failure(page.failure.code),
            "title": self._scrub.text(page.title),
            "headers": headers,
            "status_code": page.status,
        }

    def _why_no_page(self) -> str:
        """Return what failed last on the way to the page, the name only if nothing else did."""
        steps: list[Observation] = [o for o in self._seen if isinstance(o, TCPConnect | TLSHandshake | HTTPExchange)]
        failures = [o.failure for o in steps if o.failure is not None]
        if failures:
            return map_http_failure(failures[-1].code)
        return "unknown_error" if any(lookup.addresses for lookup in self._lookups()) else "dns_lookup_error"

    def _tell_addresses(self) -> dict[str, Any]:
        by_probe = _read_addresses(self._measurement.observations, self._host)
        by_helper = _read_addresses(self._seen, self._host)
        valid = {o.endpoint.address for o in self._named_handshakes() if o.verified and o.failure is None}
        told: dict[str, Any] = {}
        for address, asn in (by_probe | by_helper).items():
            flags = IPFlag.RESOLVED_BY_PROBE if address in by_probe else IPFlag(0)
            flags |= IPFlag.RESOLVED_BY_HELPER if address in by_helper else IPFlag(0)
            flags |= IPFlag(0) if ipaddress.ip_address(address).is_global else IPFlag.BOGON
            flags |= IPFlag.VALID_FOR_DOMAIN if address in valid else IPFlag(0)
            told[self._scrub.text(address)] = {"asn": asn, "flags": int(flags)}
        return told


def map_connect(seen: TCPConnect) -> dict[str, Any]:
    """Return how an endpoint answered, in a helper's words."""
    failure = None if seen.failure is None else map_tcp_failure(seen.failure.code)
    return {"status": failure is None, "failure": failure}


def _read_addresses(observations: tuple[Observation, ...], host: str) -> dict[str, int]:
    """Return the addresses that the check itself or a control was given for the name, with their AS numbers."""
    found: dict[str, int] = {}
    for seen in observations:
        if isinstance(seen, DNSLookup) and seen.name == host and not seen.experiment:
            for position, address in enumerate(seen.addresses):
                asn = seen.asns[position] if position < len(seen.asns) else 0
                found[address] = found.get(address) or asn
    return found


def _hide_addresses(text: str) -> str:
    return _ADDRESS.sub(lambda found: SCRUBBED if is_literal(found.group()) else found.group(), text)
