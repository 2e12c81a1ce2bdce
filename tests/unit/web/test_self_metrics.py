import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

from probe.export.metrics.families import Format
from probe.model.vantage import Baseline, VantageState
from probe.web.self_metrics import SelfMetrics
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.stats import FULL_STATS


def samples(agent: FakeAgent) -> dict[tuple[str, ...], float]:
    page = SelfMetrics(agent).render(Format.TEXT).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value for family in read_text(page) for sample in family.samples
    }


def full_agent() -> FakeAgent:
    agent = FakeAgent()
    agent.stats_now = FULL_STATS
    return agent


@pytest.mark.parametrize(
    ("series", "figure"),
    [
        (("wallprobe_scheduler_lag_seconds",), 0.25),
        (("wallprobe_scheduler_in_flight",), 2),
        (("wallprobe_scheduler_missed_runs_total",), 6),
        (("wallprobe_scheduler_stretch_ratio",), 1.5),
        (("wallprobe_scheduler_queued",), 1),
        (("wallprobe_event_loop_lag_seconds",), 0.003),
        (("wallprobe_network_bytes_total", "sent"), 1000),
        (("wallprobe_network_bytes_total", "received"), 50_000),
        (("wallprobe_config_last_reload_successful",), 0),
        (("wallprobe_config_last_reload_success_timestamp_seconds",), 1.6e9),
        (("wallprobe_control_success", "https://control.example:8443"), 1),
        (("wallprobe_control_success", "socks5://127.0.0.1:1080"), 0),
        (("wallprobe_sham_interference_total",), 2),
        (("wallprobe_store_size_bytes",), 4096),
        (("wallprobe_store_dropped_total",), 1),
        (("wallprobe_vantage_info", "4134", "CN"), 1),
    ],
)
def test_every_figure_is_on_the_page(series, figure):
    assert samples(full_agent())[series] == figure


def test_check_durations_are_a_cumulative_histogram_of_twelve_buckets():
    found = samples(full_agent())
    buckets = {key[2]: count for key, count in found.items() if key[0] == "wallprobe_check_duration_seconds_bucket"}
    assert len(buckets) == 12
    assert (buckets["0.025"], buckets["0.05"], buckets["0.1"], buckets["60"], buckets["+Inf"]) == (1, 3, 6, 6, 10)
    assert found["wallprobe_check_duration_seconds_count", "web"] == 10
    assert found["wallprobe_check_duration_seconds_sum", "web"] == 250.5


@pytest.mark.parametrize("state", VantageState)
def test_exactly_one_vantage_state_is_one(state):
    agent = FakeAgent()
    agent.baseline_now = Baseline(id="b", quick=False, started_at=1.7e9, started_boot_s=1.0, runtime_s=0.5, state=state)
    found = samples(agent)
    assert [one for one in VantageState if found["wallprobe_vantage_state", one.value] == 1] == [state]


def test_before_the_first_look_no_vantage_state_is_claimed():
    found = samples(FakeAgent())
    assert not any(found["wallprobe_vantage_state", one.value] for one in VantageState)


def test_what_never_happened_has_no_time():
    names = {key[0] for key in samples(FakeAgent()) if key[0].startswith("wallprobe_")}
    assert not [name for name in names if name.endswith("_timestamp_seconds")]


def test_the_process_and_the_interpreter_are_there():
    names = {key[0] for key in samples(FakeAgent())}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info", "wallprobe_build_info"} <= names


def test_openmetrics_has_no_end_of_its_own():
    assert b"# EOF" not in SelfMetrics(full_agent()).render(Format.OPENMETRICS)
