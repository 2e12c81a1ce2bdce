"""Exact tests, intervals and sequential tests, against figures from tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.chance import Decision, decide_sequentially, fisher_two_sided, wilson


@pytest.mark.parametrize(("n", "p"), [(3, 0.1), (4, 0.0286), (5, 0.00794)])
def test_all_against_none_is_as_in_the_tables(n, p):
    assert fisher_two_sided(n, n, 0, n) == pytest.approx(p, abs=5e-4)


def test_an_uneven_table_is_as_in_the_tables():
    assert fisher_two_sided(8, 10, 1, 6) == pytest.approx(0.03497, abs=1e-4)
    assert fisher_two_sided(3, 3, 3, 3) == 1.0
    assert fisher_two_sided(0, 0, 0, 0) == 1.0


counts = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda pair: (min(pair), max(pair)))


@given(counts, counts)
def test_fisher_is_a_probability_and_does_not_care_who_is_the_test(test, control):
    p = fisher_two_sided(*test, *control)
    assert 0 < p <= 1.0000001
    assert p == pytest.approx(fisher_two_sided(*control, *test))


@given(counts)
def test_the_interval_holds_the_share_and_lies_within_bounds(count):
    failed, tries = count
    low, high = wilson(failed, tries)
    assert 0 <= low <= high <= 1
    if tries:
        assert low - 1e-9 <= failed / tries <= high + 1e-9


def test_the_interval_is_as_published():
    assert wilson(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)


def test_two_failures_decide_and_four_successes_do():
    assert decide_sequentially(2, 0) is Decision.FAILING
    assert decide_sequentially(0, 3) is Decision.OPEN
    assert decide_sequentially(0, 4) is Decision.HEALTHY
    assert decide_sequentially(1, 1) is Decision.OPEN


@given(st.integers(0, 20), st.integers(0, 20))
def test_one_failure_more_never_speaks_for_health(failed, good):
    order = [Decision.HEALTHY, Decision.OPEN, Decision.FAILING]
    before, after = decide_sequentially(failed, good), decide_sequentially(failed + 1, good)
    assert order.index(after) >= order.index(before)


@pytest.mark.parametrize("call", [lambda: fisher_two_sided(2, 1, 0, 1), lambda: wilson(2, 1)])
def test_impossible_counts_are_refused(call):
    with pytest.raises(ValueError, match=r"tries|share"):
        call()
