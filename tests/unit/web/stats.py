"""Figures of an agent that has everything."""

from probe.export.stats import AgentStats
from probe.gate.stats import GateStats
from probe.model.stats import Histogram, LogStats, ReloadStats, ScheduleStats, StoreStats
from probe.model.target import CheckName

FULL_STATS = AgentStats(
    gate=GateStats(
        in_flight=9,
        sockets_in_flight=7,
        sockets_limit=300,
        queued=3,
        waiting_for_dns=1,
        waiting_for_connections=2,
        waiting_for_endpoint=0,
        hot=4,
        bytes_sent_total=1000,
        bytes_received_total=50_000,
        bytes_today=51_000,
        deep_allowed=True,
        grants_total=1234,
        follow_ups_deferred_total=5,
    ),
    schedule=ScheduleStats(targets=8, lag_s=0.25, in_flight=2, queued=1, missed_runs_total=6, stretch_ratio=1.5),
    store=StoreStats(size_bytes=4096, measurements_total=77, queued=2, dropped_total=1, last_commit_at=1.7e9),
    reload=ReloadStats(last_successful=False, last_success_at=1.6e9),
    log=LogStats(lines={"debug": 0, "info": 12, "warn": 3, "error": 1}, suppressed_total=4),
    loop_lag_s=0.003,
    check_durations={CheckName.WEB: Histogram(counts=(1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4), sum_s=250.5)},
    start_lags=Histogram(counts=(90, 5, 3, 1, 1, 0, 0, 0, 0, 0, 0, 0), sum_s=1.5),
    controls={"https://control.example:8443": True, "socks5://127.0.0.1:1080": False},
    sham_interference_total=2,
    crashes_total=1,
)
