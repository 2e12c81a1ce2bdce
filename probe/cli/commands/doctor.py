"""`wallprobe doctor`: is this host fit to measure? Nothing is sent; `wallprobe check` describes the network."""

import os

import click
import msgspec

from probe.cli.fitness import Finding, Host, Level, look_at
from probe.cli.options import config_option
from probe.config.reader import load_config
from probe.net.capabilities import probe_capabilities
from probe.net.clock import SystemClock
from probe.net.own_addresses import find_own_addresses

NOT_FIT = 3
_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗", Level.SKIPPED: "·"}


@click.command(
    epilog="""\b
Examples:
  wallprobe doctor
  wallprobe doctor --config.file /etc/wallprobe/wallprobe.yml --exit-status
  sudo -u wallprobe wallprobe doctor --json          as the user that the agent runs as
"""
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--exit-status", is_flag=True, help="Exit 0 = fit, 3 = something must be mended.")
def doctor(config_file: str, as_json: bool, exit_status: bool) -> int:
    """Look at clock, resolver, IPv6, privileges, kernel settings, descriptors and disk; say what to do."""
    settings = load_config(config_file)
    host = Host(
        capabilities=probe_capabilities(),
        addresses=find_own_addresses(),
        wall_s=SystemClock().wall_s(),
        environ=os.environ,
    )
    findings = look_at(host, settings)
    fit = all(finding.level is not Level.FAIL for finding in findings)
    if as_json:
        click.echo(msgspec.json.encode({"fit": fit, "findings": findings}))
    else:
        for finding in findings:
            _print(finding)
    return NOT_FIT if exit_status and not fit else 0


def _print(finding: Finding) -> None:
    click.echo(f"{_MARKS[finding.level]} {finding.name}: {finding.what}")
    if finding.remedy:
        click.echo(f"    {finding.remedy}")
