"""When a run may end early: nothing that is still under way could change the verdict."""

import pytest

from probe.classify.judge import judge
from probe.classify.settled import is_settled
from probe.model.pattern import Pattern
from probe.model.verdict import Confidence, Status
from tests.golden.forgery import BOX, everywhere, strangers
from tests.unit.classify.cases import REAL, Story


def proxied(story: Story):
    """Tell of answers that all lead to an address which serves unrelated sites; `story` is how far we got there."""
    return strangers(everywhere(story, REAL, BOX), served=True).validate(REAL).case()


@pytest.mark.parametrize(
    ("own", "settled"),
    [
        (Story().dns(BOX), False),
        (Story().dns(BOX).tcp(address=BOX).tls("reset", address=BOX), True),
        (Story().dns(BOX).tcp("silent", address=BOX), True),
    ],
    ids=["connecting", "reset", "not reached"],
)
def test_a_proxy_that_answers_lead_to_is_waited_for(own, settled):
    case = proxied(own)
    verdict = judge(case)
    assert verdict.status is Status.BLOCKED
    assert verdict.confidence is Confidence.C3
    assert verdict.patterns[0] is Pattern.DNS_INJECTION_OTHER
    assert is_settled(case, ()) is settled


@pytest.mark.parametrize("shaken", [False, True])
def test_a_proxy_that_serves_the_site_leaves_nothing_blocked(shaken):
    own = Story().dns(BOX).tcp(address=BOX)
    case = proxied(own.tls(address=BOX).http(address=BOX) if shaken else own)
    assert judge(case).status is Status.DEGRADED
    assert not is_settled(case, ())
