"""ICMP errors that say "prohibited", and those that only say "no way"."""

import pytest

from probe.model.failure import IcmpError

ROUTER_V4, ROUTER_V6 = "5.62.9.9", "2a02:2d8::9"


@pytest.mark.parametrize(
    ("sender", "kind", "code"), [(ROUTER_V4, 3, 9), (ROUTER_V4, 3, 10), (ROUTER_V4, 3, 13), (ROUTER_V6, 1, 1)]
)
def test_a_filter_that_speaks_is_a_prohibition(sender, kind, code):
    assert IcmpError(type=kind, code=code, offender=sender).is_prohibition


@pytest.mark.parametrize(
    ("sender", "kind", "code"),
    [
        (ROUTER_V4, 3, 0),
        (ROUTER_V4, 3, 1),
        (ROUTER_V4, 3, 3),
        (ROUTER_V4, 11, 13),
        (ROUTER_V4, 1, 1),
        (ROUTER_V6, 1, 0),
        (ROUTER_V6, 1, 5),
        (ROUTER_V6, 3, 13),
    ],
)
def test_a_missing_route_or_a_spent_ttl_is_none(sender, kind, code):
    assert not IcmpError(type=kind, code=code, offender=sender).is_prohibition
