"""The metric families that every target has, their order on the page and the lines that open them.

Source: OpenMetrics 1.0.0 (metadata, counter, info) and Prometheus text format 0.0.4. They differ in three ways:
OpenMetrics names a counter and an info metric without its suffix on `# TYPE`, knows the type `info`, and has `# UNIT`.
"""

from enum import IntEnum, StrEnum

import msgspec

from probe.export.metrics.labels import escape_help
from probe.model.settings import PerTarget


class Format(StrEnum):
    """The two exposition formats that we speak."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Kind(StrEnum):
    """What a family's samples are; the value also is the suffix that OpenMetrics takes off the family's name."""

    GAUGE = ""
    COUNTER = "_total"
    INFO = "_info"


class Slot(IntEnum):
    """Where a family's piece stands in a chunk, and the family on the page. A new family goes last."""

    TARGET = 0
    REACHABLE = 1
    STATUS = 2
    PATTERN = 3
    CONFIDENCE = 4
    EPISODE_START = 5
    LAST_OK = 6
    VALID_UNTIL = 7
    LAST_RUN = 8
    RUNS = 9
    FAILURES = 10
    ADDRESSES = 11
    ADDRESSES_OK = 12
    DEPTH = 13
    PHASE_DURATION = 14
    CERTIFICATE = 15


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One metric family."""

    name: str
    """As its samples are called, suffix included."""
    kind: Kind
    about: str
    unit: str = ""

    def render_head(self, wanted: Format) -> bytes:
        """Return the `# HELP`, `# TYPE` and, in OpenMetrics, `# UNIT` lines."""
        about = escape_help(self.about)
        if wanted is Format.TEXT:
            kind = "counter" if self.kind is Kind.COUNTER else "gauge"
            return f"# HELP {self.name} {about}\n# TYPE {self.name} {kind}\n".encode()
        name = self.name.removesuffix(self.kind.value)
        lines = [f"# HELP {name} {about}", f"# TYPE {name} {self.kind.name.lower()}"]
        if self.unit:
            lines.append(f"# UNIT {name} {self.unit}")
        return "".join(f"{line}\n" for line in lines).encode()


FAMILIES: dict[Slot, Family] = {
    Slot.TARGET: Family(
        name="wallprobe_target_info",
        kind=Kind.INFO,
        about="What a target is: kind of check, category and the list's own labels.",
    ),
    Slot.REACHABLE: Family(
        name="wallprobe_target_reachable",
        kind=Kind.GAUGE,
        about="Whether a person could use the target, as last judged: status ok or degraded. Absent if not judged.",
    ),
    Slot.STATUS: Family(
        name="wallprobe_target_status", kind=Kind.GAUGE, about="Status as last judged: exactly one of the eight is 1."
    ),
    Slot.PATTERN: Family(
        name="wallprobe_target_pattern_info",
        kind=Kind.INFO,
        about="Primary pattern and cause of a target that is not ok; one series at most, so that it can be joined.",
    ),
    Slot.CONFIDENCE: Family(
        name="wallprobe_target_confidence_level",
        kind=Kind.GAUGE,
        about="How sure the verdict is: 0 insufficient, 1 suspected, 2 consistent, 3 confirmed.",
    ),
    Slot.EPISODE_START: Family(
        name="wallprobe_episode_start_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        about="Since when the confirmed state lasts: the first run in it.",
    ),
    Slot.LAST_OK: Family(
        name="wallprobe_last_ok_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        about="When the target last was reachable. Absent if it never was.",
    ),
    Slot.VALID_UNTIL: Family(
        name="wallprobe_verdict_valid_until_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        about="Until when the verdict may be believed; later it is stale.",
    ),
    Slot.LAST_RUN: Family(
        name="wallprobe_check_last_run_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        about="When the target was last measured. Absent if it never was.",
    ),
    Slot.RUNS: Family(name="wallprobe_check_runs_total", kind=Kind.COUNTER, about="Runs of the target's check."),
    Slot.FAILURES: Family(
        name="wallprobe_check_failures_total",
        kind=Kind.COUNTER,
        about="Failed runs by failure; an empty label counts those without a network failure, such as a block page.",
    ),
    Slot.ADDRESSES: Family(
        name="wallprobe_target_addresses", kind=Kind.GAUGE, about="Addresses tried in the last judged run, by family."
    ),
    Slot.ADDRESSES_OK: Family(
        name="wallprobe_target_addresses_ok", kind=Kind.GAUGE, about="Of them, those that were usable."
    ),
    Slot.DEPTH: Family(
        name="wallprobe_target_depth", kind=Kind.GAUGE, about="Deepest step proven to work: exactly one is 1."
    ),
    Slot.PHASE_DURATION: Family(
        name="wallprobe_check_phase_duration_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        about="How long each phase of the last run took on the fastest address.",
    ),
    Slot.CERTIFICATE: Family(
        name="wallprobe_target_certificate_expiry_timestamp_seconds",
        kind=Kind.GAUGE,
        unit="seconds",
        about="When the first of the target's own certificates ends, those in front of other addresses included.",
    ),
}

FULL_UP_TO_TARGETS = 5_000


def choose_level(wanted: PerTarget | None, targets: int) -> PerTarget:
    """Return how much each of so many targets shows, unless the user said so."""
    if wanted is not None:
        return wanted
    return PerTarget.FULL if targets <= FULL_UP_TO_TARGETS else PerTarget.STATUS


SERIES_PER_TARGET = {PerTarget.FULL: 45, PerTarget.STATUS: 17, PerTarget.NONE: 0}
"""As many series as a target has at most, with both families and three kinds of failure behind it; more kinds of
failure, of which there are 40, add one each."""
OWN_SERIES = 200


def count_series(wanted: PerTarget | None, targets: int) -> int:
    """Return how many series a page of so many targets has, at most and about."""
    return OWN_SERIES + targets * SERIES_PER_TARGET[choose_level(wanted, targets)]
