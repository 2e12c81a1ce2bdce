from probe.export.metrics.durations import DurationCounts
from probe.model.stats import CHECK_DURATION_BUCKETS_S
from probe.model.target import CheckName


def test_a_duration_equal_to_a_bound_counts_under_it():
    counts = DurationCounts()
    counts.observe(CheckName.WEB, CHECK_DURATION_BUCKETS_S[0])
    assert counts.histograms()[CheckName.WEB].counts == (1,) + (0,) * 11


def test_a_duration_above_all_bounds_counts_in_the_open_bucket_and_in_the_sum():
    counts = DurationCounts()
    counts.observe(CheckName.DNS, 61.0)
    counts.observe(CheckName.DNS, 1.0)
    seen = counts.histograms()[CheckName.DNS]
    assert (seen.counts[-1], sum(seen.counts), seen.sum_s) == (1, 2, 62.0)


def test_a_copy_does_not_change_with_later_runs():
    counts = DurationCounts()
    counts.observe(CheckName.TCP, 0.2)
    before = counts.histograms()
    counts.observe(CheckName.TCP, 0.2)
    assert sum(before[CheckName.TCP].counts) == 1
