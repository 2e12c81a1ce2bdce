"""`wallprobe export`: stored measurements in a format that others read."""

from typing import BinaryIO

import click

from probe.cli.backfill import read_labels, write_backfill
from probe.cli.commands.history import parse_since
from probe.cli.options import config_option, store_option
from probe.cli.output import open_output
from probe.cli.stored import load_settings, open_reader
from probe.export.ooni.line import can_render, render_ooni
from probe.export.ooni.scrub import Scrubber
from probe.model.errors import UserError
from probe.net.clock import SystemClock
from probe.net.own_addresses import find_own_addresses
from probe.store.store import Store


@click.command(
    epilog="""\b
Examples:
  wallprobe export --format ooni --since 24h > report.jsonl
  wallprobe export --format ooni www.example.org --output report.jsonl --scrub 198.51.100.7
  wallprobe export --format openmetrics --since 6h --label instance=sh-1 --label job=wallprobe --output hole.om
  promtool tsdb create-blocks-from openmetrics hole.om data
"""
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ooni", "openmetrics"]),
    required=True,
    help="ooni: web_connectivity JSON lines; openmetrics: samples with timestamps, for promtool.",
)
@click.option("--since", metavar="TIME", default="", help="Only from then on: 24h, 7d, 2026-11-01 or 2026-11-01T14:05.")
@click.option("--output", metavar="FILE", default="-", help="Where to write; standard output without it.")
@click.option("--until", metavar="TIME", default="", help="Only up to then; as --since. For openmetrics.")
@click.option("--label", "labels", metavar="NAME=VALUE", multiple=True, help="Put on every sample. For openmetrics.")
@click.option("--scrub", metavar="ADDRESS", multiple=True, help="Take this address out too: a router's public one.")
@config_option
@store_option
@click.argument("targets", nargs=-1, metavar="[TARGET…]")
def export(  # one for each flag
    form: str,
    since: str,
    until: str,
    output: str,
    labels: tuple[str, ...],
    scrub: tuple[str, ...],
    config_file: str,
    store_path: str,
    targets: tuple[str, ...],
) -> None:
    """Write the measurements that are kept whole, of all targets or of each TARGET (address, id, or a part of either).

    This host's own addresses are replaced by [scrubbed] wherever they stand. Nothing is uploaded.
    """
    settings = load_settings(config_file, store_path)
    now_s = SystemClock().wall_s()
    since_s = parse_since(since, now_s) if since else None
    if form == "openmetrics":
        until_s = parse_since(until, now_s) if until else now_s
        with open_reader(settings) as store:
            wanted = find_targets(store, targets)
            with open_output(output) as out:
                samples = write_backfill(store, settings, wanted, (since_s or 0.0, until_s), read_labels(labels), out)
        click.echo(f"{samples} runs written", err=True)
        return
    scrubber = build_scrubber(scrub)
    with open_reader(settings) as store:
        wanted = find_targets(store, targets)
        with open_output(output) as out:
            written, skipped = _write(store, since_s, wanted, scrubber, out)
    left_out = f", {skipped} left out: OONI has no test for them" if skipped else ""
    click.echo(f"{written} measurement{'' if written == 1 else 's'} written{left_out}", err=True)


def build_scrubber(more: tuple[str, ...]) -> Scrubber:
    """Return what takes this host's addresses out, and those named besides.

    Raises:
        UserError: one is no address.
    """
    try:
        return Scrubber((*find_own_addresses(), *more))
    except ValueError as error:
        raise UserError("--scrub", str(error), "give an IPv4 or IPv6 address") from None


def find_targets(store: Store, names: tuple[str, ...]) -> frozenset[str]:
    """Return the ids that are meant; none named = all.

    Raises:
        UserError: nothing stored is meant by a name.
    """
    found: set[str] = set()
    for name in names:
        ids = store.find_targets(name)
        if not ids:
            raise UserError(name, "no such target is stored", "`wallprobe targets list` shows the targets")
        found.update(ids)
    return frozenset(found)


def _write(
    store: Store, since_s: float | None, wanted: frozenset[str], scrubber: Scrubber, out: BinaryIO
) -> tuple[int, int]:
    """Write line by line; return how many were written, and how many OONI has no test for."""
    written = skipped = 0
    for measurement in store.iterate_measurements(since_s):
        if wanted and measurement.target.id not in wanted:
            continue
        if not can_render(measurement):
            skipped += 1
            continue
        out.write(render_ooni(measurement, scrubber))
        written += 1
    return written, skipped
