"""Neutral names run as if they were targets: whatever is "found" on them is a false positive, counted and exported."""

from collections.abc import Iterable

import msgspec

from probe.daemon.agent import SHAM
from probe.model.target import Target


def mark_sham(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return the targets as sham ones."""
    return tuple(
        msgspec.structs.replace(target, labels=target.labels | {SHAM: "true"}, group=target.group or SHAM)
        for target in targets
    )
