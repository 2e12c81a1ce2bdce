"""`wallprobe report`: a stretch of time as one file that can be mailed."""

import math

import click

from probe.cli.commands.export import build_scrubber, find_targets
from probe.cli.commands.history import parse_since
from probe.cli.options import config_option, store_option
from probe.cli.output import open_output
from probe.cli.stored import load_settings, open_reader
from probe.export.grid import HOUR_S, Grid, build_grid, fold_hour
from probe.export.period import Period, build_target, render_csv, render_json, sort_targets
from probe.export.pictures.cells import Axis
from probe.model.errors import UserError
from probe.model.settings import Settings
from probe.net.clock import SystemClock
from probe.store.store import Store
from probe.web.report_page import render_report

_CELLS = 180
_EVENTS = 100_000
_LONGEST_S = 400 * 86400.0


@click.command(
    epilog="""\b
Examples:
  wallprobe report --since 30d --output november.html
  wallprobe report --since 2026-11-01 --format csv > episodes.csv
  wallprobe report --since 7d --format json www.example.org
"""
)
@click.option("--since", metavar="TIME", default="30d", show_default=True, help="From then on: 30d, 12h or 2026-11-01.")
@click.option("--format", "form", type=click.Choice(["html", "csv", "json"]), default="html", show_default=True,
              help="html: one file with pictures. csv: an episode a line. json: all of it.")  # fmt: skip
@click.option("--output", metavar="FILE", default="-", help="Where to write; standard output without it.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=500, show_default=True, help="Targets drawn in html.")
@click.option("--scrub", metavar="ADDRESS", multiple=True, help="Take this address out too: a router's public one.")
@config_option
@store_option
@click.argument("targets", nargs=-1, metavar="[TARGET…]")
def report(  # one for each flag
    since: str,
    form: str,
    output: str,
    limit: int,
    scrub: tuple[str, ...],
    config_file: str,
    store_path: str,
    targets: tuple[str, ...],
) -> None:
    """Tell what became of all targets, or of each TARGET (address, id, or a part of either), in a stretch of time.

    The HTML is one file without scripts and without anything from elsewhere. This host's own addresses are replaced by
    [scrubbed] wherever they stand.
    """
    settings = load_settings(config_file, store_path)
    now_s = SystemClock().wall_s()
    since_s = parse_since(since, now_s)
    if not now_s - _LONGEST_S <= since_s < now_s:
        raise UserError(f"--since {since}", "not a time in the last 400 days", "write 30d, 12h or a date")
    scrubber = build_scrubber(scrub)
    with open_reader(settings) as store:
        period = build_period(store, settings, find_targets(store, targets), since_s, now_s)
    match form:
        case "csv":
            text = render_csv(period)
        case "json":
            text = render_json(period).decode("utf-8", "replace")
        case _:
            text = render_report(period, limit)
    with open_output(output) as out:
        out.write(scrubber.text(text).encode("utf-8", "replace"))


def build_period(store: Store, settings: Settings, wanted: frozenset[str], from_at: float, to_at: float) -> Period:
    """Read a stretch of time; no target wanted = all."""
    numbers = store.load_numbers()
    grid = read_grid(store, {one: numbers[one] for one in wanted} if wanted else numbers, from_at, to_at)
    found = []
    for target in sorted(wanted or numbers):
        history = store.load_history(target, from_at, to_at)
        if history is not None:
            found.append(build_target(history, grid, from_at, to_at))
    events = store.load_events(from_at, limit=_EVENTS)
    place = settings.vantage
    network = [f"AS{place.asn}" if place.asn else "", place.country if place.country != "ZZ" else ""]
    return Period(
        vantage=place.id,
        network=" · ".join(part for part in network if part),
        from_at=from_at,
        to_at=to_at,
        axis=grid.axis,
        counts=grid.counts,
        targets=sort_targets(found),
        events=tuple(event for event in events if not wanted or event.target in wanted),
    )


def read_grid(store: Store, numbers: dict[str, int], from_at: float, to_at: float) -> Grid:
    """Read the hours of the period; as many cells as fit a page, each of whole hours."""
    hours_per_cell = max(1, math.ceil((to_at - from_at) / HOUR_S / _CELLS))
    cell_s = hours_per_cell * HOUR_S
    first, last = int(from_at // cell_s), int(to_at // cell_s)
    axis = Axis(from_at=first * cell_s, cell_s=cell_s, cells=last - first + 1)
    hours = range(first * hours_per_cell, (last + 1) * hours_per_cell)
    parts = {hour: _only(fold_hour(store.load_hour(hour)), numbers) for hour in hours if hour * HOUR_S <= to_at}
    return build_grid(axis, parts, numbers, parts=1)


def _only(cells: bytes, numbers: dict[str, int]) -> bytes:
    """Return the cells of these targets, and nothing of the others: counts are of what is reported."""
    kept = bytearray(len(cells))
    for number in numbers.values():
        if number < len(cells):
            kept[number] = cells[number]
    return bytes(kept)
