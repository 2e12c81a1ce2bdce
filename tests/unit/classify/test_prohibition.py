"""When a router of our own provider settles that an address is forbidden."""

import msgspec
import pytest

from probe.classify.judge import judge
from probe.model.failure import IcmpError
from probe.model.vantage import Vantage
from probe.model.verdict import Confidence, Status
from tests.golden.paths import ACCESS_AS, FORBIDDEN, SITE_AS, failing_connect
from tests.unit.classify.cases import OWN, Story

RULE = "ip.unreachable.access_prohibits"
OURS = msgspec.structs.replace(FORBIDDEN, asn=ACCESS_AS)


def said(icmp, target_asn=SITE_AS, access_asn=ACCESS_AS):
    return judge(failing_connect("unreachable", icmp, target_asn).case(vantage=Vantage(asn=access_asn)))


def test_said_twice_it_settles_the_matter():
    verdict = said(OURS)
    assert (verdict.rule_id, verdict.status, verdict.confidence) == (RULE, Status.BLOCKED, Confidence.C3)


def test_said_once_it_settles_nothing():
    once = Story().dns(OWN).tcp("unreachable", icmp=OURS, asn=SITE_AS).case(vantage=Vantage(asn=ACCESS_AS))
    assert judge(once).status is Status.INSUFFICIENT


@pytest.mark.parametrize(
    ("icmp", "target_asn", "access_asn"),
    [
        (FORBIDDEN, SITE_AS, ACCESS_AS),
        (OURS, SITE_AS, 0),
        (OURS, 0, ACCESS_AS),
        (OURS, ACCESS_AS, ACCESS_AS),
        (msgspec.structs.replace(FORBIDDEN, asn=0), SITE_AS, 0),
        (IcmpError(type=3, code=1, offender=FORBIDDEN.offender, asn=ACCESS_AS), SITE_AS, ACCESS_AS),
        (msgspec.structs.replace(OURS, offender="10.0.0.1"), SITE_AS, ACCESS_AS),
    ],
    ids=["its AS unknown", "ours unknown", "the target's unknown", "all one", "none known", "no route", "our own box"],
)
def test_nobody_is_accused_where_something_is_missing(icmp, target_asn, access_asn):
    verdict = said(icmp, target_asn, access_asn)
    assert verdict.rule_id != RULE
    assert verdict.status not in (Status.BLOCKED, Status.LIKELY_BLOCKED)
