"""`wallprobe history TARGET`: its episodes and events, newest first."""

import datetime
import sys

import click
import msgspec

from probe.cli.options import config_option, store_option
from probe.cli.stored import load_settings, open_reader
from probe.export.glance import printable
from probe.export.text.words import render_interval, render_span, render_time
from probe.model.episode import Episode, Event
from probe.model.errors import UserError
from probe.model.units import parse_duration
from probe.net.clock import SystemClock
from probe.store.store import Store
from probe.store.values import History

EPISODES = ("since", "until", "lasted", "status", "how", "cause", "confidence", "unobserved")
EVENTS = ("at", "event", "what", "measurement")

MOST_SHARED = 5000
"""Events of all targets that are looked through for those that happened to several together."""


@click.command(
    epilog="""\b
Examples:
  wallprobe history https://www.example.org --since 30d
  wallprobe history example.org --since 2026-11-01 --json
"""
)
@click.argument("target")
@click.option("--since", metavar="TIME", default="", help="Only from then on: 7d, 12h, 2026-11-01 or 2026-11-01T14:05.")
@config_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object; times are seconds since the epoch.")
def history(target: str, since: str, config_file: str, store_path: str, as_json: bool) -> None:
    """Show what was found on TARGET (its address, its id, or a part of either) over time. Times are UTC."""
    settings = load_settings(config_file, store_path)
    now_s = SystemClock().wall_s()
    since_s = parse_since(since, now_s) if since else None
    with open_reader(settings) as store:
        found = load_history(store, target, since_s)
    if as_json:
        click.echo(msgspec.json.encode(found))
    elif sys.stdout.isatty():
        _paint(found, now_s)
    else:
        rows = [*episode_rows(found.episodes, now_s), *event_rows(found.events)]
        for row in rows:
            click.echo("\t".join(row))
        if not rows:
            click.echo(f"{found.address or found.target}: nothing confirmed {'since' if since else 'yet'}", err=True)


def parse_since(text: str, now_s: float) -> float:
    """Return the wall time that a person means: so long ago, or a date with or without a time of day, in UTC.

    Raises:
        UserError: it is neither.
    """
    if text[:1].isdigit() and "-" not in text:
        try:
            return now_s - parse_duration(text)
        except ValueError:
            pass
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"--since {text}", "neither a duration nor a date", "write 7d, 12h or 2026-11-01T14:05"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def load_history(store: Store, text: str, since_s: float | None) -> History:
    """Return the history of the one target that a person means.

    Raises:
        UserError: no target is meant, or several may be.
    """
    targets = store.find_targets(text)
    if len(targets) > 1:
        listed = ", ".join(targets[:5]) + (", …" if len(targets) > 5 else "")
        raise UserError(text, f"several targets are meant: {listed}", "give one of these")
    found = store.load_history(targets[0], since_s) if targets else None
    if found is not None:
        shared = store.load_events(since_s, None, MOST_SHARED)
        mine = tuple(event for event in shared if found.target in event.members)
        events = tuple(sorted((*found.events, *mine), key=lambda event: event.at, reverse=True))
        found = msgspec.structs.replace(found, events=events)
    if found is None:
        raise UserError(text, "no such target was ever run here", "`wallprobe targets list` shows what is on the lists")
    return found


def episode_rows(episodes: tuple[Episode, ...], now_s: float) -> list[tuple[str, ...]]:
    """Return one row of plain text per episode, in the order of `EPISODES`."""
    return [
        (
            render_interval(episode.since),
            render_interval(episode.ended) if episode.ended else "now",
            render_span((episode.ended.first_in if episode.ended else now_s) - episode.since.first_in),
            episode.status.value,
            " ".join(episode.patterns) or "-",
            episode.cause.value,
            f"C{int(episode.confidence)}",
            render_span(episode.unobserved_s) if episode.unobserved_s >= 1 else "-",
        )
        for episode in episodes
    ]


def event_rows(events: tuple[Event, ...]) -> list[tuple[str, ...]]:
    """Return one row of plain text per event, in the order of `EVENTS`."""
    return [
        (
            render_time(event.at),
            event.kind.value,
            printable(event.text) or _say_change(event),
            event.measurement or "-",
        )
        for event in events
    ]


def _say_change(event: Event) -> str:
    """Return what an event without a text of its own says."""
    change = " → ".join(status.value for status in (event.before, event.after) if status is not None)
    return " ".join((change, *event.patterns)).strip() or "-"


def _paint(found: History, now_s: float) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    head = printable(found.address or found.target)
    tally = found.tally
    console.print(Text(head, style="bold"))
    if tally is not None:
        ago = render_span(now_s - tally.last_run_at)
        console.print(
            Text(f"{tally.runs_total} runs, {tally.failures_total} failed; the last {ago} ago: {tally.status}")
        )
    for title, columns, rows in (
        ("episodes", EPISODES, episode_rows(found.episodes, now_s)),
        ("events", EVENTS, event_rows(found.events)),
    ):
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column == "measurement")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table if rows else Text(f"no {title}", style="dim"))
