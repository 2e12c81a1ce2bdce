"""Samples with timestamps."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read

from probe.export.metrics.backfill import Found, Series, lay_out, render_backfill
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status

OK = Found(first_at=1000.0, last_at=1900.0, runs=4, status=Status.OK)
BLOCKED = Found(
    first_at=2200.0,
    last_at=2200.0,
    runs=1,
    status=Status.BLOCKED,
    pattern=Pattern.TLS_RESET_SNI,
    cause=Cause.NETWORK,
    confidence=Confidence.C3,
)
UNJUDGED = Found(first_at=2300.0, last_at=2300.0, runs=1, status=Status.INSUFFICIENT)


def test_a_row_of_runs_is_laid_out_between_its_first_and_its_last():
    points = lay_out([BLOCKED, UNJUDGED, OK], 0.0, 5000.0)
    assert [at for at, _ in points] == [1000.0, 1300.0, 1600.0, 1900.0, 2200.0]
    assert [at for at, _ in lay_out([OK], 1300.0, 1600.0)] == [1300.0, 1600.0]


def test_the_page_is_openmetrics_with_the_names_and_labels_of_the_page_of_metrics():
    points = lay_out([BLOCKED, OK], 0.0, 5000.0)
    series = [Series(target="a", group="vpn"), Series(target='b"\n')]
    page = b"".join(render_backfill(series, lambda name: points if name == "a" else [], {"instance": "sh-1"})).decode()
    families = {family.name: family for family in read(page)}
    reachable = families["wallprobe_target_reachable"].samples
    assert [(s.value, float(s.timestamp)) for s in reachable][-2:] == [(1.0, 1900.0), (0.0, 2200.0)]
    assert reachable[0].labels == {"target": "a", "group": "vpn", "instance": "sh-1"}
    blocked = [s for s in families["wallprobe_target_status"].samples if s.labels["status"] == "blocked"]
    assert [s.value for s in blocked] == [0.0, 0.0, 0.0, 0.0, 1.0]
    (pattern,) = families["wallprobe_target_pattern"].samples
    assert (pattern.labels["pattern"], pattern.labels["cause"]) == ("tls.reset.sni", "network")
    assert page.endswith("# EOF\n")


def test_two_runs_on_either_side_of_half_a_millisecond_are_two_samples_or_one_and_never_twice_the_same():
    runs = [Found(first_at=at, last_at=at, runs=1, status=Status.OK) for at in (0.0085, 0.0095)]
    stamps = [f"{at:.3f}" for at, _ in lay_out(runs, 0.0, 10.0)]
    assert len(set(stamps)) == len(stamps)


times = st.floats(min_value=0, max_value=1e6, allow_nan=False)
rows = st.builds(
    lambda a, b, runs, status: Found(first_at=min(a, b), last_at=max(a, b), runs=runs, status=status),
    times, times, st.integers(1, 20), st.sampled_from(list(Status)),
)  # fmt: skip


@given(st.lists(rows, max_size=6))
def test_times_of_a_series_always_grow(found):
    stamps = [f"{at:.3f}" for at, _ in lay_out(found, 0.0, 1e6)]
    assert stamps == sorted(set(stamps), key=float)
