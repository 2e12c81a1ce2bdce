"""The page of metrics of runs made once, by `wallprobe check`: for node_exporter's textfile collector or a Pushgateway.

Both take text 0.0.4 without timestamps. Counters are left out: of a single run they would never count.
"""

from collections.abc import Sequence

from probe.export.metrics.families import FAMILIES, Format, Slot
from probe.export.metrics.target import render_family, render_target
from probe.model.settings import PerTarget
from probe.model.snapshot import TargetSnapshot

_LEFT_OUT = (Slot.RUNS, Slot.FAILURES)


def render_one_off(snapshots: Sequence[TargetSnapshot]) -> bytes:
    """Return the page; a family of which there is nothing to say is not on it."""
    chunks = [render_target(snapshot, PerTarget.FULL) for snapshot in snapshots]
    page: list[bytes] = []
    for slot in Slot:
        piece = b"" if slot in _LEFT_OUT else render_family(slot, chunks, Format.TEXT)
        if piece:
            page += [FAMILIES[slot].render_head(Format.TEXT), piece]
    return b"".join(page)
