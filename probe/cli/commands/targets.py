"""`wallprobe targets`: look at lists before an agent does, and bring lists over from other tools."""

import json
import sys
from pathlib import Path

import click
import msgspec

from probe.cli.options import config_option, examples
from probe.cli.sources import effective, load_named, settle
from probe.config import load_config
from probe.model.errors import UserError
from probe.model.target import Target
from probe.targets import Load, Loaded, calculate_load
from probe.targets.importers.importing import import_files
from probe.targets.lists.fetch import read_file

SHOWN_NOTES = 20
_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group(
    epilog="""\b
Examples:
  wallprobe targets lint sites.yaml                 every mistake with its line, and the load of the list
  wallprobe targets lint sites-foreign - < more.txt a shipped list by its name, and one from standard input
  wallprobe targets list --config.file wallprobe.yml --json
  wallprobe targets import blackbox.yml prometheus.yml -o sites.yaml
"""
)
def targets() -> None:
    """Look at target lists, and bring them over from other tools."""


@targets.command(
    epilog=examples(
        "wallprobe targets lint sites.yaml",
        "wallprobe targets lint sites-foreign - < more.txt    a shipped list by its name, and one from standard input",
    )
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@config_option
@_json_option
def lint(sources: tuple[str, ...], config_file: str, as_json: bool) -> int:
    """Check lists line by line, and say what load they are.

    A SOURCE is a file, an http_sd URL, the name of a shipped list, or - for standard input; without any, those of the
    configuration. Exit code 2 when a line is wrong.
    """
    settings = load_config(config_file)
    named, defaults, limits = effective(sources, settings)
    loaded = settle(load_named(named, defaults), settings)
    load = calculate_load(loaded.targets, limits)
    if as_json:
        click.echo(json.dumps(lint_report(loaded, load)))
    else:
        _print_mistakes(loaded)
        click.echo(str(load))
        _print_over(load)
    return 2 if loaded.errors else 0


def lint_report(loaded: Loaded, load: Load) -> dict[str, object]:
    """Return what lint found, for JSON."""
    return {
        "targets": len(loaded.targets),
        "errors": [{"where": e.where, "what": e.what, "remedy": e.remedy} for e in loaded.errors],
        "notes": list(loaded.notes),
        "load": {
            "text": str(load),
            "checks_per_s": load.checks_per_s,
            "connections_per_s": load.connections_per_s,
            "dns_per_s": load.dns_per_s,
            "bytes_per_day": load.bytes_per_day,
            "profile": load.profile.value,
            "ratio": load.ratio,
            "stretch": load.stretch,
        },
    }


def _print_mistakes(loaded: Loaded) -> None:
    for error in loaded.errors:
        click.echo(str(error), err=True)
    for note in loaded.notes[:SHOWN_NOTES]:
        click.echo(f"note: {note}", err=True)
    if len(loaded.notes) > SHOWN_NOTES:
        click.echo(f"note: {len(loaded.notes) - SHOWN_NOTES:,} more of these", err=True)


def _print_over(load: Load) -> None:
    if load.stretch > 1:
        click.echo(
            f"note: above 100 %, so a running agent makes all intervals {load.stretch:.2f} times longer", err=True
        )


@targets.command(
    name="list",
    epilog=examples(
        "wallprobe targets list sites.yaml",
        "wallprobe targets list --config.file wallprobe.yml --json | jq .id",
    ),
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per target and line.")
@click.option("--reveal", is_flag=True, help="Say of aliases where they lead: for their owner, who has the key.")
def list_targets(sources: tuple[str, ...], config_file: str, as_json: bool, reveal: bool) -> int:
    """Show the targets of lists as the agent sees them; the SOURCEs are those of `lint`."""
    settings = load_config(config_file)
    named, defaults, _ = effective(sources, settings)
    loaded = settle(load_named(named, defaults), settings, reveal=reveal)
    if as_json:
        for target in loaded.targets:
            click.echo(msgspec.json.encode(target))
    elif sys.stdout.isatty():
        _print_table(loaded.targets)
    else:
        for target in loaded.targets:
            click.echo("\t".join(_row(target)))
    for error in loaded.errors:
        click.echo(str(error), err=True)
    return 2 if loaded.errors else 0


def _row(target: Target) -> tuple[str, ...]:
    return (target.id, target.check.value, target.address, target.group, target.category, f"{target.interval_s:g}s")


def _print_table(shown: tuple[Target, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "check", "address", "group", "category", "interval"):
        table.add_column(heading, overflow="fold")
    for target in shown:
        # As `Text`: brackets in an address are no markup.
        table.add_row(*(Text(cell) for cell in _row(target)))
    Console().print(table)


@targets.command(
    name="import",
    epilog=examples(
        "wallprobe targets import blackbox.yml prometheus.yml > sites.yaml",
        "wallprobe targets import lists/global.csv -o citizenlab.yaml",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", metavar="FILE", help="Write the list there; a file that exists is kept.")
@_json_option
def import_targets(files: tuple[str, ...], output: str | None, as_json: bool) -> None:
    """Turn FILEs of other tools into a list.

    blackbox.yml with prometheus.yml, a Gatus configuration, Citizen Lab CSV, file_sd, plain text. What has no
    equivalent is printed to standard error, one line each.
    """
    imported = import_files(files, read_file)
    if as_json:
        click.echo(json.dumps({"targets": imported.targets, "notes": imported.notes, "list": imported.text}))
        return
    for note in imported.notes:
        click.echo(note, err=True)
    if output is None:
        click.echo(imported.text, nl=False)
        return
    try:
        with Path(output).open("x", encoding="utf-8") as file:
            file.write(imported.text)
    except FileExistsError:
        raise UserError(output, "is there already", "choose another name, or move it away") from None
    except OSError as error:
        raise UserError(output, f"cannot be written: {error.strerror or error}", "choose another place") from None
    click.echo(f"{imported.targets:,} targets written to {output}", err=True)
