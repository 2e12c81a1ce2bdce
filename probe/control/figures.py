"""What a control says of itself on /metrics."""

from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector


class Outcome(StrEnum):
    """How a request ended; a metric label."""

    ANSWERED = "answered"
    CUT_SHORT = "cut_short"
    MALFORMED = "malformed"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"
    """By the policy."""
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"


class Interface(StrEnum):
    """Which contract was spoken; a metric label."""

    NATIVE = "native"
    OONI = "ooni"


class ControlStats(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one moment."""

    requests: dict[tuple[Interface, Outcome], int]
    measurements: int
    measurement_s: float
    """Time spent in all of them."""
    in_flight: int
    in_flight_limit: int
    sockets: int
    refused_dials: int
    echo_ports: int = 0
    echo_connections: int = 0
    echo_accepted: dict[str, int] = {}
    """Connections by the service that the first bytes asked for."""
    echo_dropped: int = 0
    echo_datagrams: int = 0


class ControlMetrics:
    """One registry of our own."""

    def __init__(self, read: Callable[[], ControlStats]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_ControlCollector(read))

    def render(self) -> bytes:
        """Return the page in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)


class _ControlCollector(Collector):
    """Turns figures into families."""

    def __init__(self, read: Callable[[], ControlStats]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Return each family once."""
        stats = self._read()
        requests = CounterMetricFamily(
            "wallprobe_control_requests", "Requests, by contract and how they ended.", labels=("interface", "outcome")
        )
        for interface in Interface:
            for outcome in Outcome:
                requests.add_metric((interface.value, outcome.value), stats.requests.get((interface, outcome), 0))
        yield requests
        yield SummaryMetricFamily(
            "wallprobe_control_measurement_duration_seconds",
            "Time that measurements took.",
            count_value=stats.measurements,
            sum_value=stats.measurement_s,
        )
        yield GaugeMetricFamily("wallprobe_control_in_flight", "Measurements under way.", stats.in_flight)
        yield GaugeMetricFamily("wallprobe_control_in_flight_limit", "Bound on them.", stats.in_flight_limit)
        yield GaugeMetricFamily("wallprobe_control_sockets", "Connections open for measurements.", stats.sockets)
        yield CounterMetricFamily(
            "wallprobe_control_refused_dials", "Connections that the policy forbade.", stats.refused_dials
        )
        yield from _collect_echo(stats)


def _collect_echo(stats: ControlStats) -> Iterator[Metric]:
    yield GaugeMetricFamily("wallprobe_control_echo_ports", "Echo ports that listen.", stats.echo_ports)
    yield GaugeMetricFamily("wallprobe_control_echo_connections", "Open echo connections.", stats.echo_connections)
    accepted = CounterMetricFamily(
        "wallprobe_control_echo_accepted", "Echo connections, by what was spoken.", labels=("protocol",)
    )
    for protocol, count in sorted(stats.echo_accepted.items()):
        accepted.add_metric((protocol,), count)
    yield accepted
    yield CounterMetricFamily(
        "wallprobe_control_echo_dropped", "Echo connections dropped for lack of room.", stats.echo_dropped
    )
    yield CounterMetricFamily("wallprobe_control_echo_datagrams", "Datagrams swallowed.", stats.echo_datagrams)
