"""`wallprobe config`: is the configuration good, and what does it ask for?"""

import json

import click

from probe.cli.commands.targets import lint_report
from probe.cli.options import examples
from probe.cli.series import refuse_too_many
from probe.cli.sources import load_named, settle
from probe.config import load_config
from probe.model.errors import CombinedUserError, UserError
from probe.model.settings import Settings
from probe.targets import calculate_load, needs_acceptance
from probe.web.listen import find_mistakes
from probe.web.protection import Protection


@click.group(
    epilog="""\b
Examples:
  wallprobe config check /etc/wallprobe/wallprobe.yml    all mistakes, and the load of its lists
  wallprobe config check                                 what holds without a configuration
"""
)
def config() -> None:
    """Look at the configuration before an agent does."""


@config.command(
    epilog=examples("wallprobe config check /etc/wallprobe/wallprobe.yml", "wallprobe config check --json | jq .errors")
)
@click.argument("file", required=False)
@click.option("--config.file", "config_file", metavar="FILE", help="The same as FILE.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(file: str | None, config_file: str | None, as_json: bool) -> int:
    """Check a configuration with every list in it; without FILE, the built-in defaults.

    Exit code 2 when anything is wrong, or when the targets are more than the profile bears.
    """
    name = file or config_file
    try:
        settings = load_config(name)
    except UserError as error:
        if not as_json:
            raise
        several = error.errors if isinstance(error, CombinedUserError) else (error,)
        report = [{"where": e.where, "what": e.what, "remedy": e.remedy} for e in several]
        click.echo(json.dumps({"ok": False, "errors": report}))
        return 2
    return report_settings(settings, name or "built-in defaults", as_json=as_json)


def report_settings(settings: Settings, name: str, *, as_json: bool = False) -> int:
    """Read every list, say what is wrong and what load there is; return the exit code."""
    loaded = settle(load_named(settings.targets, settings.defaults), settings)
    load = calculate_load(loaded.targets, settings.limits)
    errors = list(loaded.errors)
    try:
        protection = Protection(settings.web.config_file)
    except UserError as error:
        errors.append(error)
    else:
        protection.close()
        errors += find_mistakes(settings.web, protected=protection.protects)
    if load.ratio > 1:
        remedy = f"lengthen intervals {load.stretch:.2f} times, take targets out, or set limits.profile: server"
        errors.append(UserError(name, f"the load is {load.percent} % of the profile", remedy))
    try:
        refuse_too_many(settings, len(loaded.targets))
    except UserError as error:
        errors.append(error)
    if as_json:
        report = [{"where": e.where, "what": e.what, "remedy": e.remedy} for e in errors]
        click.echo(json.dumps({**lint_report(loaded, load), "ok": not errors, "errors": report}))
        return 2 if errors else 0
    for mistake in errors:
        click.echo(str(mistake), err=True)
    for note in loaded.notes:
        click.echo(f"note: {note}", err=True)
    if needs_acceptance(settings.targets) and not settings.accept_risk:
        click.echo("note: a list is not your own; `run` asks for accept_risk: true or --accept-risk", err=True)
    click.echo(str(load))
    click.echo(f"{name}: {'not good' if errors else 'good'}")
    return 2 if errors else 0
