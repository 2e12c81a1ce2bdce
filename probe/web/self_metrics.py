"""The agent's own metrics: made for each scrape from frozen figures, and the only user of prometheus_client.

There are few of them (under 150 series), so its encoder is fast enough here; for targets it is not.
"""

import platform
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest as render_text
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics.exposition import generate_latest as render_openmetrics
from prometheus_client.registry import Collector

from probe.export.metrics.families import Format
from probe.export.stats import AgentStats
from probe.gate.stats import GateStats
from probe.model.stats import CHECK_DURATION_BUCKETS_S, StoreStats
from probe.model.vantage import VantageState
from probe.web.agent_view import AgentView

OPENMETRICS_END = b"# EOF\n"
_BOUNDS = (*(f"{bound_s:g}" for bound_s in CHECK_DURATION_BUCKETS_S), "+Inf")


class SelfMetrics:
    """One registry of our own: the process, the interpreter, and the agent."""

    def __init__(self, view: AgentView) -> None:
        # Made from figures, our families have no creation time; this keeps it so for whatever else registers.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it without annotations
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(AgentCollector(view))

    def render(self, wanted: Format) -> bytes:
        """Return the families, heads included, without the line that ends an OpenMetrics page."""
        if wanted is Format.TEXT:
            return render_text(self._registry)
        page: bytes = render_openmetrics(self._registry)  # type: ignore[no-untyped-call]  # as above
        return page.removesuffix(OPENMETRICS_END)


class AgentCollector(Collector):
    """Turns the agent's figures into families."""

    def __init__(self, view: AgentView) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Return each family once."""
        stats = self._view.stats()
        yield from self._collect_vantage()
        yield from _collect_schedule(stats)
        yield from _collect_checks(stats)
        yield from _collect_store(stats.store)
        if stats.gate is not None:
            yield from _collect_gate(stats.gate)

    def _collect_vantage(self) -> Iterator[Metric]:
        vantage = self._view.vantage()
        version = {"version": vantage.software_version, "python": platform.python_version()}
        yield InfoMetricFamily("wallprobe_build", "What is running.", value=version)
        place = {"asn": str(vantage.asn), "country": vantage.country_code}
        yield InfoMetricFamily("wallprobe_vantage", "Where it stands; AS 0 and country ZZ = unknown.", value=place)
        state = GaugeMetricFamily(
            "wallprobe_vantage_state", "Fitness of the vantage: one is 1, none before the first look.", labels=["state"]
        )
        baseline = self._view.baseline()
        for one in VantageState:
            state.add_metric([one.value], float(baseline is not None and baseline.state is one))
        yield state
        if baseline is not None:
            yield _moment(
                "wallprobe_vantage_last_baseline", "When the vantage was last looked at.", baseline.started_at
            )


def _gauge(name: str, about: str, figure: float) -> Metric:
    return GaugeMetricFamily(name, about, value=figure)


def _moment(name: str, about: str, wall_s: float) -> Metric:
    family = GaugeMetricFamily(f"{name}_timestamp_seconds", about, unit="seconds")
    if wall_s > 0.0:
        family.add_metric([], wall_s)
    return family


def _seconds(name: str, about: str, duration_s: float) -> Metric:
    return GaugeMetricFamily(f"{name}_seconds", about, value=duration_s, unit="seconds")


def _counter(name: str, about: str, count: float) -> Metric:
    return CounterMetricFamily(name, about, value=count)


def _collect_schedule(stats: AgentStats) -> Iterator[Metric]:
    schedule = stats.schedule
    yield _gauge("wallprobe_scheduler_targets", "Targets on the list.", schedule.targets)
    yield _seconds("wallprobe_scheduler_lag", "How late the last run started.", schedule.lag_s)
    yield _gauge("wallprobe_scheduler_in_flight", "Measurements that run now.", schedule.in_flight)
    yield _gauge("wallprobe_scheduler_queued", "Targets that are due and not yet started.", schedule.queued)
    yield _counter(
        "wallprobe_scheduler_missed_runs_total", "Runs left out, never made up for.", schedule.missed_runs_total
    )
    yield _gauge(
        "wallprobe_scheduler_stretch_ratio",
        "By how much intervals are stretched to keep the budgets; 1 = not.",
        schedule.stretch_ratio,
    )
    yield _seconds("wallprobe_event_loop_lag", "How late the event loop woke at worst, lately.", stats.loop_lag_s)
    lines = CounterMetricFamily("wallprobe_log_lines_total", "Lines written to the log.", labels=["level"])
    for level, count in stats.log.lines.items():
        lines.add_metric([level], count)
    yield lines
    yield _counter(
        "wallprobe_log_suppressed_total",
        "Lines left out because too many of one kind came at once.",
        stats.log.suppressed_total,
    )
    reload = stats.reload
    yield _gauge(
        "wallprobe_config_last_reload_successful",
        "Whether the last try to load the configuration succeeded.",
        float(reload.last_successful),
    )
    yield _moment(
        "wallprobe_config_last_reload_success", "When the configuration was last loaded.", reload.last_success_at
    )


def _collect_checks(stats: AgentStats) -> Iterator[Metric]:
    durations = HistogramMetricFamily(
        "wallprobe_check_duration_seconds", "How long runs took, by check.", labels=["check"], unit="seconds"
    )
    for check, seen in stats.check_durations.items():
        below = accumulate(seen.counts)
        durations.add_metric([check.value], list(zip(_BOUNDS, below, strict=True)), sum_value=seen.sum_s)
    yield durations
    if stats.start_lags is not None:
        lags = HistogramMetricFamily(
            "wallprobe_scheduler_start_lag_seconds", "How late runs started.", unit="seconds", labels=[]
        )
        counts = list(zip(_BOUNDS, accumulate(stats.start_lags.counts), strict=True))
        lags.add_metric([], counts, sum_value=stats.start_lags.sum_s)
        yield lags
    controls = GaugeMetricFamily(
        "wallprobe_control_success", "Whether the control answered its last question.", labels=["control"]
    )
    for control, answered in stats.controls.items():
        controls.add_metric([control], float(answered))
    yield controls
    yield _counter(
        "wallprobe_sham_interference_total",
        "Interference found on sham targets: each is a false positive.",
        stats.sham_interference_total,
    )
    yield _counter(
        "wallprobe_measurement_crashes_total", "Measurements ended by a fault of the agent.", stats.crashes_total
    )


def _collect_store(store: StoreStats) -> Iterator[Metric]:
    yield GaugeMetricFamily("wallprobe_store_size_bytes", "Size of the database.", value=store.size_bytes, unit="bytes")
    yield _counter("wallprobe_store_measurements_total", "Measurements committed.", store.measurements_total)
    yield _gauge("wallprobe_store_queued", "Measurements not yet committed.", store.queued)
    yield _counter("wallprobe_store_dropped_total", "Measurements lost: queue or disk full.", store.dropped_total)
    yield _counter("wallprobe_store_commit_failures_total", "Commits that failed.", store.commit_failures_total)
    yield _moment("wallprobe_store_last_commit", "When the store last committed.", store.last_commit_at)


def _collect_gate(gate: GateStats) -> Iterator[Metric]:
    network = CounterMetricFamily(
        "wallprobe_network_bytes_total", "Bytes measured traffic carried.", labels=["direction"]
    )
    network.add_metric(["sent"], gate.bytes_sent_total)
    network.add_metric(["received"], gate.bytes_received_total)
    yield network
    yield GaugeMetricFamily(
        "wallprobe_gate_last_day_bytes", "Both directions in the last 24 hours.", value=gate.bytes_today, unit="bytes"
    )
    yield _counter("wallprobe_gate_grants_total", "Leaves given to open a connection or to ask.", gate.grants_total)
    yield _gauge("wallprobe_gate_sockets", "Sockets in flight.", gate.sockets_in_flight)
    yield _gauge("wallprobe_gate_sockets_limit", "Sockets allowed in flight.", gate.sockets_limit)
    yield _gauge("wallprobe_gate_hot_endpoints", "Endpoints that cool down.", gate.hot)
    waiting = GaugeMetricFamily(
        "wallprobe_gate_waiting", "Steps that wait for leave, by what for.", labels=["resource"]
    )
    waiting.add_metric(["dns"], gate.waiting_for_dns)
    waiting.add_metric(["connections"], gate.waiting_for_connections)
    waiting.add_metric(["endpoint"], gate.waiting_for_endpoint)
    yield waiting
    yield _counter(
        "wallprobe_gate_follow_ups_deferred_total",
        "Follow-ups put off by the storm guard.",
        gate.follow_ups_deferred_total,
    )
