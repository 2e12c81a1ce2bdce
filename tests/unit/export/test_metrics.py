import shutil
import subprocess
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from probe.export.metrics.families import (
    FAMILIES,
    FULL_UP_TO_TARGETS,
    SERIES_PER_TARGET,
    Format,
    Slot,
    choose_level,
)
from probe.export.metrics.target import TargetChunk, render_family, render_target
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.settings import PerTarget
from probe.model.snapshot import Phase, TargetSnapshot
from probe.model.verdict import Cause, Depth, Status, Verdict
from tests.unit.export.snapshots import NOW, make_snapshot, make_target


def page(chunks: list[TargetChunk], wanted: Format = Format.TEXT) -> str:
    parts = [FAMILIES[slot].render_head(wanted) + render_family(slot, chunks, wanted) for slot in Slot]
    if wanted is Format.OPENMETRICS:
        parts.append(b"# EOF\n")
    return b"".join(parts).decode()


def samples(
    snapshot: TargetSnapshot, level: PerTarget = PerTarget.FULL
) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return labels and value of each sample by name, as prometheus_client reads them."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in read_text(page([render_target(snapshot, level)])):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(snapshot: TargetSnapshot, name: str) -> float:
    [(_, only)] = samples(snapshot)[name]
    return only


@pytest.mark.parametrize("status", Status)
def test_exactly_one_status_of_eight_is_one(status):
    rows = samples(make_snapshot(status=status))["wallprobe_target_status"]
    assert len(rows) == 8
    assert [labels["status"] for labels, one in rows if one == 1] == [status.value]


@pytest.mark.parametrize("depth", Depth)
def test_exactly_one_depth_is_one(depth):
    rows = samples(make_snapshot(verdict=Verdict(status=Status.OK, depth=depth)))["wallprobe_target_depth"]
    assert [labels["depth"] for labels, one in rows if one == 1] == [depth.value]


@pytest.mark.parametrize(
    ("status", "reachable"),
    [(Status.OK, 1), (Status.DEGRADED, 1), (Status.BLOCKED, 0), (Status.LIKELY_BLOCKED, 0), (Status.SERVER_SIDE, 0)],
)
def test_reachable_is_ok_or_degraded(status, reachable):
    assert value(make_snapshot(status=status), "wallprobe_target_reachable") == reachable


@pytest.mark.parametrize("verdict", [None, Verdict(status=Status.INSUFFICIENT)])
def test_what_was_not_judged_is_insufficient_and_not_unreachable(verdict):
    found = samples(make_snapshot(verdict=verdict))
    assert "wallprobe_target_reachable" not in found
    assert [row["status"] for row, one in found["wallprobe_target_status"] if one] == ["insufficient"]


def test_an_ok_target_has_no_pattern():
    assert "wallprobe_target_pattern_info" not in samples(make_snapshot())


def test_a_blocked_target_shows_its_primary_pattern_and_cause_alone():
    verdict = Verdict(
        status=Status.BLOCKED, patterns=(Pattern.DNS_INJECTION_POOL, Pattern.TLS_RESET_SNI), cause=Cause.NETWORK
    )
    rows = samples(make_snapshot(verdict=verdict))["wallprobe_target_pattern_info"]
    given_target = {"target": "web-www-site-00000-example", "group": "sites"}
    assert rows == [(given_target | {"pattern": "dns.injection.pool", "cause": "network"}, 1)]


def test_what_never_happened_has_no_time():
    found = samples(TargetSnapshot(target=make_target()))
    assert not [name for name in found if name.endswith("_timestamp_seconds")]


def test_times_are_seconds_since_the_epoch():
    snapshot = make_snapshot(last_run_at=NOW + 0.25)
    assert value(snapshot, "wallprobe_check_last_run_timestamp_seconds") == NOW + 0.25
    assert value(snapshot, "wallprobe_episode_start_timestamp_seconds") == NOW - 600


def test_failures_without_a_code_are_counted_apart_so_that_the_sum_is_right():
    snapshot = make_snapshot(failures_total=5, failures={FailureCode.TIMEOUT: 3})
    rows = samples(snapshot)["wallprobe_check_failures_total"]
    assert {row["failure"]: count for row, count in rows} == {"": 2, "generic_timeout_error": 3}


def test_a_target_that_never_failed_has_a_zero_to_count_from():
    snapshot = make_snapshot(failures_total=0, failures={}, last_failure=None, failed_measurement="")
    assert [count for _, count in samples(snapshot)["wallprobe_check_failures_total"]] == [0]


def test_only_openmetrics_links_the_last_failure_to_its_measurement():
    chunk = render_target(make_snapshot(failed_measurement="01JBX"), PerTarget.FULL)
    assert "01JBX" not in page([chunk])
    found = [
        (sample.labels["failure"], sample.exemplar.labels)
        for family in read_openmetrics(page([chunk], Format.OPENMETRICS))
        for sample in family.samples
        if sample.exemplar
    ]
    assert found == [("connection_reset", {"measurement_id": "01JBX"})]


def test_a_failure_without_a_code_is_linked_too():
    snapshot = make_snapshot(failures_total=1, failures={}, last_failure=None, failed_measurement="01JBX")
    assert 'failure=""} 1 # {measurement_id="01JBX"} 1\n' in page(
        [render_target(snapshot, PerTarget.FULL)], Format.OPENMETRICS
    )


def test_a_phase_given_twice_makes_one_series():
    phases = (Phase(name="tls", family=4, duration_s=0.1), Phase(name="tls", family=4, duration_s=0.2))
    rows = samples(make_snapshot(phases=phases))["wallprobe_check_phase_duration_seconds"]
    assert [seconds for _, seconds in rows] == [0.2]


def test_labels_of_the_list_are_on_the_info_metric_and_do_not_hide_ours():
    target = make_target(labels={"team": "web", "target": "x", "1-a": "y", "__name__": "z"})
    [(labels, _)] = samples(make_snapshot(target=target))["wallprobe_target_info"]
    assert labels == {
        "target": target.id,
        "kind": "web",
        "category": "NEWS",
        "team": "web",
        "label_target": "x",
        "label_1_a": "y",
        "label___name__": "z",
    }


def test_labels_whose_names_become_equal_make_no_double_label():
    target = make_target(labels={"a-b": "1", "a.b": "2", "label_a_b": "3"})
    [(labels, _)] = samples(make_snapshot(target=target))["wallprobe_target_info"]
    assert labels["a_b"] == "1"
    assert labels["label_a_b"] == "2"


def test_level_status_has_only_what_alerts_need():
    names = set(samples(make_snapshot(status=Status.BLOCKED), PerTarget.STATUS))
    needed = {
        Slot.TARGET, Slot.REACHABLE, Slot.STATUS, Slot.PATTERN, Slot.CONFIDENCE, Slot.EPISODE_START, Slot.LAST_OK,
        Slot.VALID_UNTIL, Slot.LAST_RUN, Slot.CERTIFICATE,
    }  # fmt: skip
    assert names == {FAMILIES[slot].name for slot in needed}


def test_level_none_has_nothing():
    assert samples(make_snapshot(), PerTarget.NONE) == {}


def test_many_targets_show_less_unless_the_user_said_so():
    assert choose_level(None, FULL_UP_TO_TARGETS) is PerTarget.FULL
    assert choose_level(None, FULL_UP_TO_TARGETS + 1) is PerTarget.STATUS
    assert choose_level(PerTarget.FULL, 100_000) is PerTarget.FULL


@pytest.mark.parametrize("wanted", Format)
def test_no_series_repeats_and_none_tells_when_it_was_created(wanted):
    chunks = [render_target(make_snapshot(n, status), PerTarget.FULL) for n, status in enumerate(Status)]
    lines = [line.rsplit("}", 1)[0] for line in page(chunks).splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert "_created" not in page(chunks, wanted)


@given(name=st.text(), group=st.text(), category=st.text(), labels=st.dictionaries(st.text(), st.text(), max_size=4))
def test_both_parsers_read_the_page_of_any_names(name, group, category, labels):
    target = make_target(id=name, group=group, category=category, labels=labels)
    chunk = render_target(make_snapshot(target=target, status=Status.BLOCKED), PerTarget.FULL)
    as_text = {family.name for family in read_text(page([chunk])) if family.samples}
    as_openmetrics = list(read_openmetrics(page([chunk], Format.OPENMETRICS)))
    assert len(as_text) == len(as_openmetrics) == len(Slot)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_lint():
    chunks = [render_target(make_snapshot(n, status), PerTarget.FULL) for n, status in enumerate(Status)]
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page(chunks), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_target_renders_in_tens_of_microseconds_and_keeps_less_than_four_kilobytes():
    snapshots = [make_snapshot(n) for n in range(1000)]
    fastest_s = min(_cpu_s(snapshots) for _ in range(5))
    tracemalloc.start()
    kept = [render_target(snapshot, PerTarget.FULL) for snapshot in snapshots]
    kept_bytes = tracemalloc.get_traced_memory()[0] / len(kept)
    tracemalloc.stop()
    assert fastest_s / len(snapshots) < 120e-6, "three times what a quiet machine needs at most"
    assert kept_bytes < 3500


def _cpu_s(snapshots: list[TargetSnapshot]) -> float:
    started_s = time.process_time()
    for snapshot in snapshots:
        render_target(snapshot, PerTarget.FULL)
    return time.process_time() - started_s


def test_a_chunk_made_from_an_earlier_one_of_the_target_is_the_same_as_a_fresh_one():
    target = make_target(3, labels={"owner": 'a "b"'})
    before = render_target(make_snapshot(3, Status.BLOCKED, target=target), PerTarget.FULL)
    snapshot = make_snapshot(3, target=target, runs_total=99)
    for level in PerTarget:
        assert render_target(snapshot, level, before) == render_target(snapshot, level)


@pytest.mark.parametrize("level", PerTarget)
def test_a_target_has_no_more_series_than_it_is_counted_as(level):
    failures = dict.fromkeys(list(FailureCode)[:2], 1)
    snapshot = make_snapshot(status=Status.BLOCKED, failures=failures, failures_total=3, last_failure=None)
    found = sum(len(rows) for rows in samples(snapshot, level).values())
    assert SERIES_PER_TARGET[level] - 3 <= found <= SERIES_PER_TARGET[level]


def test_a_run_that_says_the_same_shares_its_lines_with_the_one_before():
    before = render_target(make_snapshot(), PerTarget.FULL)
    again = render_target(make_snapshot(runs_total=9000, last_run_at=1_700_000_300.0), PerTarget.FULL, before)
    own = {slot for slot in Slot if again.pieces[slot] and again.pieces[slot] is not before.pieces[slot]}
    assert own == {Slot.RUNS, Slot.LAST_RUN}
    assert again == render_target(make_snapshot(runs_total=9000, last_run_at=1_700_000_300.0), PerTarget.FULL)
