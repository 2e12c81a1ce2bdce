"""`wallprobe export --format openmetrics`: the store's runs with the labels that they have on `/metrics`."""

import re
from typing import BinaryIO

from probe.cli.sources import load_named
from probe.export.metrics.backfill import Found, Point, Series, lay_out, render_backfill
from probe.model.errors import UserError
from probe.model.settings import Settings
from probe.store.store import Store

_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=(.*)", re.ASCII | re.DOTALL).fullmatch
_TAKEN = ("target", "group", "status", "pattern", "cause")
_MOST_ROWS = 10_000_000


def read_labels(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the labels of the command line.

    Raises:
        UserError: one is no label, or would stand there twice.
    """
    labels: dict[str, str] = {}
    for text in texts:
        found = _LABEL(text)
        if found is None or found[1] in (*_TAKEN, *labels) or found[1].startswith("__"):
            raise UserError(f"--label {text[:40]!r}", "no label, or one that is there already", "write instance=sh-1")
        labels[found[1]] = found[2]
    return labels


def write_backfill(
    store: Store,
    settings: Settings,
    wanted: frozenset[str],
    span: tuple[float, float],
    labels: dict[str, str],
    out: BinaryIO,
) -> int:
    """Write the page; return how many runs are on it."""
    since, until = span
    groups = _load_groups(settings)
    names = sorted(wanted or store.load_tallies())
    counts: dict[str, int] = {}

    def load(target: str) -> list[Point]:
        runs = store.load_runs(target, since, until, _MOST_ROWS)
        found = (
            Found(
                first_at=run.first_at,
                last_at=run.last_at,
                runs=run.runs,
                status=run.status,
                pattern=run.pattern,
                cause=run.cause,
                confidence=run.confidence,
            )
            for run in runs
        )
        points = lay_out(found, since, until)
        counts[target] = len(points)
        return points

    series = [Series(target=name, group=groups.get(name, "")) for name in names]
    out.writelines(render_backfill(series, load, labels))
    return sum(counts.values())


def _load_groups(settings: Settings) -> dict[str, str]:
    """Return what the lists on this machine say of groups; a list that would have to be fetched is not."""
    local = tuple(source for source in settings.targets if not source.http_sd)
    loaded = load_named(local, settings.defaults)
    return {target.id: target.group for target in loaded.targets}
