"""`wallprobe db`: look after the database, most of it while the agent runs."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from probe.cli.commands.history import parse_since
from probe.cli.options import config_option, examples, store_option
from probe.cli.output import open_output
from probe.cli.stored import load_settings
from probe.model.errors import UserError
from probe.model.units import render_size
from probe.net.clock import SystemClock
from probe.store.care import BEFORE, back_up, check_file, compact, measure_size, restore
from probe.store.place import find_path
from probe.store.store import Store

_ALL = 10_000_000


@click.group(
    epilog="""\b
Examples:
  wallprobe db check
  wallprobe db backup /var/backups/wallprobe.db
  wallprobe db restore /var/backups/wallprobe.db
  wallprobe db export --since 30d --output history.jsonl
  wallprobe db vacuum                      while no agent runs
"""
)
def db() -> None:
    """Look after the database: check, backup, restore, vacuum, export."""


def _at_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that say where the database is."""
    return config_option(store_option(command))


def _find(config_file: str, store_path: str) -> Path:
    return find_path(load_settings(config_file, store_path).store.path)


@contextlib.contextmanager
def _naming(copy: Path) -> Iterator[None]:
    """Ask for another file where the one on the command line is what is wrong, not `store.path`.

    Raises:
        UserError: what was raised, with that remedy.
    """
    try:
        yield
    except UserError as error:
        if error.where != str(copy) or "store.path" not in error.remedy:
            raise
        raise UserError(error.where, error.what, "name another file") from None


@db.command(epilog=examples("wallprobe db check --store.path /var/lib/wallprobe/wallprobe.db"))
@_at_database
def check(config_file: str, store_path: str) -> int:
    """Look through the whole file; exit code 1 when it is damaged. The agent may run meanwhile."""
    path = _find(config_file, store_path)
    problems = check_file(path)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        click.echo(f"{path}: damaged; `wallprobe db restore` puts a copy back", err=True)
        return 1
    click.echo(f"{path}: whole, {render_size(measure_size(path))}")
    return 0


@db.command(epilog=examples("wallprobe db backup /var/backups/wallprobe.db"))
@click.argument("copy", type=click.Path(path_type=Path))
@_at_database
def backup(copy: Path, config_file: str, store_path: str) -> None:
    """Write a whole copy to COPY, while the agent runs. It is as private as the database."""
    with _naming(copy):
        size = back_up(_find(config_file, store_path), copy)
    click.echo(f"{copy}: {render_size(size)}")


@db.command(name="restore", epilog=examples("wallprobe db restore /var/backups/wallprobe.db"))
@click.argument("copy", type=click.Path(path_type=Path))
@_at_database
def restore_copy(copy: Path, config_file: str, store_path: str) -> None:
    """Put COPY in the database's place. Where an agent runs, it takes it over when it starts the next time."""
    path = _find(config_file, store_path)
    with _naming(copy):
        restored = restore(copy, path)
    if restored:
        click.echo(f"{path}: restored; what was there before is {path.name}{BEFORE}")
    else:
        click.echo(f"{path}: an agent runs; it takes the copy over when it is restarted (systemctl restart wallprobe)")


@db.command(epilog=examples("systemctl stop wallprobe && wallprobe db vacuum"))
@_at_database
def vacuum(config_file: str, store_path: str) -> None:
    """Give unused space back to the disk. The agent must not run: it gives back by itself, a little at a time."""
    before, after = compact(_find(config_file, store_path))
    click.echo(f"{render_size(before)} before, {render_size(after)} after")


@db.command(epilog=examples("wallprobe db export --since 30d --output history.jsonl"))
@click.option("--since", metavar="TIME", default="", help="Only from then on: 7d, 12h, 2026-11-01 or 2026-11-01T14:05.")
@click.option("--output", metavar="FILE", default="-", help="Where to write; standard output without it.")
@_at_database
def export(since: str, output: str, config_file: str, store_path: str) -> None:
    """Write runs, episodes and events as JSON lines, each saying what `record` it is; times are epoch seconds.

    Whole measurements are another command: `wallprobe export`.
    """
    settings, clock = load_settings(config_file, store_path), SystemClock()
    since_s = parse_since(since, clock.wall_s()) if since else 0.0
    lines = 0
    with Store.open(settings.store, clock, read_only=True) as store, open_output(output) as out:
        for line in _export_lines(store, since_s, clock.wall_s() + 1):
            out.write(line + b"\n")
            lines += 1
    click.echo(f"{lines} lines written", err=True)


def _export_lines(store: Store, since_s: float, until_s: float) -> Iterator[bytes]:
    for target, tally in sorted(store.load_tallies().items()):
        yield _line("target", tally)
        for run in reversed(store.load_runs(target, since_s, until_s, _ALL)):
            yield _line("run", run)
        history = store.load_history(target, since_s, None, _ALL)
        for episode in reversed(history.episodes if history else ()):
            yield _line("episode", episode, target=target)
    for event in reversed(store.load_events(since_s, None, _ALL)):
        yield _line("event", event)


def _line(kind: str, value: msgspec.Struct, **more: str) -> bytes:
    return msgspec.json.encode({"record": kind, **more, **msgspec.to_builtins(value)})
