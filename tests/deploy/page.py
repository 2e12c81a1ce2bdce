"""The page of metrics with every family on it."""

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families as read_text

from probe.export.metrics.families import FAMILIES, Format, Slot
from probe.export.metrics.target import render_family, render_target
from probe.model.settings import PerTarget
from probe.model.vantage import Baseline, VantageState
from probe.model.verdict import Status
from probe.web.self_metrics import SelfMetrics
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.stats import FULL_STATS


def render_page() -> str:
    """Return the page of an agent to which everything has happened."""
    agent = FakeAgent([make_snapshot(number, status) for number, status in enumerate(Status)])
    agent.stats_now = FULL_STATS
    agent.baseline_now = Baseline(
        id="b", quick=False, started_at=1.7e9, started_boot_s=1.0, runtime_s=0.5, state=VantageState.ONLINE
    )
    chunks = [render_target(snapshot, PerTarget.FULL) for snapshot in agent.snapshots()]
    targets = [FAMILIES[slot].render_head(Format.TEXT) + render_family(slot, chunks, Format.TEXT) for slot in Slot]
    return (SelfMetrics(agent).render(Format.TEXT) + b"".join(targets)).decode()


def read_families() -> list[Metric]:
    """Return our own families, targets' first, in the order of the page."""
    families = [family for family in read_text(render_page()) if family.name.startswith("wallprobe_")]
    first = {family.name.removesuffix("_total") for family in FAMILIES.values()}
    return sorted(families, key=lambda family: family.name not in first)


def sample_names() -> set[str]:
    """Return every name that a query may ask for."""
    return {sample.name for family in read_text(render_page()) for sample in family.samples}
