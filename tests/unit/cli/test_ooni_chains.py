"""A chain that a probe of OONI's refused is judged again: its own list of roots may have been too old."""

import base64
import json
import ssl
from collections.abc import Callable

import pytest
import trustme

from probe.classify.judge import judge
from probe.cli.ooni_cases import build_case, load_reference_roots
from probe.knowledge.reference import load_reference
from probe.model.verdict import Status
from probe.protocols.engines.roots import Roots
from probe.protocols.ooni.measurement import parse_measurement
from tests.unit.protocols.ooni_worlds import COM, EXAMPLE, NAME, World

REFERENCE, _ = load_reference()
NEW = trustme.CA()
PLACE = f"{EXAMPLE}:443"


def believed() -> Roots:
    return Roots(NEW.cert_pem.bytes().decode())


def judge_refused(
    authority: trustme.CA, failure: str, roots: Callable[[], Roots], when: str = "2026-11-30 03:00:00"
) -> Status:
    """Judge a file in which the probe refuses a chain, and the control shakes hands."""
    world = World(COM).lookup(NAME, EXAMPLE).flow(EXAMPLE, 443, NAME, tls=failure)
    record = world.control(EXAMPLE, tcp={PLACE: None}, tls={PLACE: None}).verdict("http-failure", False)
    chain = [ssl.PEM_cert_to_DER_cert(pem.bytes().decode()) for pem in authority.issue_cert(NAME).cert_chain_pems]
    given = [{"format": "base64", "data": base64.b64encode(der).decode()} for der in chain]
    record["test_keys"]["tls_handshakes"][0]["peer_certificates"] = given
    record["measurement_start_time"] = when
    return judge(build_case(parse_measurement(json.dumps(record).encode()), REFERENCE, roots)).status


@pytest.mark.parametrize("failure", ["ssl_unknown_authority", "ssl_invalid_certificate"])
def test_a_certificate_that_only_the_probe_distrusts_accuses_nobody(failure):
    assert judge_refused(NEW, failure, believed) is Status.INSUFFICIENT
    assert judge_refused(trustme.CA(), failure, believed) is Status.LIKELY_BLOCKED
    assert judge_refused(NEW, failure, load_reference_roots) is Status.LIKELY_BLOCKED


def test_the_chain_is_judged_for_the_day_of_the_measurement():
    assert judge_refused(NEW, "ssl_unknown_authority", believed, "1999-01-01 00:00:00") is not Status.INSUFFICIENT


def test_each_of_several_files_has_a_day_of_its_own():
    roots = believed()
    days = ("1999-01-01 00:00:00", "2026-11-30 03:00:00", "1999-01-01 00:00:00")
    said = [judge_refused(NEW, "ssl_unknown_authority", lambda: roots, day) for day in days]
    assert said == [Status.LIKELY_BLOCKED, Status.INSUFFICIENT, Status.LIKELY_BLOCKED]
