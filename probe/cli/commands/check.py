"""`wallprobe check`: one question, answered now. Verdict first, then the evidence, then what to try next."""

import contextlib
import os
import sys
import time

import click
import msgspec

from probe.cli.checking import Checking, Outcome
from probe.cli.deliver import check_textfile, push, render_page, settle_gateway, write_textfile
from probe.cli.loop import run
from probe.cli.naming import Naming
from probe.cli.options import config_option
from probe.cli.paint import paint
from probe.cli.printing import Printer
from probe.cli.process_title import hide_argument
from probe.cli.surveying import cover_surveys, plan_surveys, show_surveys
from probe.config.reader import load_config
from probe.export.text.network import build_network_report
from probe.gate.remote import GateUnreachable
from probe.model.depth import Depth, TunnelDepth
from probe.model.errors import CombinedUserError, UserError
from probe.model.settings import Settings, TunnelNames
from probe.model.target import CheckName, Target
from probe.model.verdict import Status
from probe.net.context import Manners
from probe.pipeline.proofs import LOGIN_PARAM, read_word
from probe.store.place import find_path
from probe.targets.address import apply_traits, parse_address
from probe.targets.secret_places import OPEN_TO_OTHERS, Given, find_open_files
from probe.targets.traits import Traits
from probe.targets.tunnels import Tunnels, is_tunnel_place, load_tunnels, parse_given_tunnels

OWN_KEYS = (
    "note (said once): a check uses your own keys as your client does, at most once a minute for each server, and not "
    "while that tunnel is up here; a password is sent only with --login, and never again after it was refused"
)
USABLE, NOT_USABLE, CANNOT_TELL = 0, 3, 4


@click.command(
    epilog="""\b
Examples:
  wallprobe check https://www.example.org
  wallprobe check --json example.org 'dns://example.org?resolver=udp://9.9.9.9'
  wallprobe check office.ovpn              a VPN's file: each of its servers
  wallprobe check links.txt                share links, or a subscription, in a file; - reads standard input
  wallprobe check env:PROXY_LINK           a link in a variable; credential:NAME = one of systemd's
  wallprobe check --depth data wg0.conf    further than its proof: use the tunnel for some bytes
  wallprobe check --alias office.ovpn      without its address in anything shown or stored
  wallprobe check vpn.office.example       the site, and which VPN gateways live there
  wallprobe check --tries 10 example.org   for a block that strikes only some connections
  wallprobe check                          describe this network
  wallprobe check example.org --textfile /var/lib/prometheus/node-exporter/wallprobe.prom
"""
)
@click.argument("targets", nargs=-1)
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per target.")
@click.option("--verbose", is_flag=True, help="Print every observation.")
@click.option(
    "--wait", is_flag=True, help="Stay for the final verdict, minutes later: some comparisons must not follow at once."
)
@click.option(
    "--login", is_flag=True, help="Tunnels: log in with the password that is there, once; keys need no leave."
)
@click.option(
    "--worked", metavar="DATE", default="", help="Tunnels: they worked with these credentials on that day (2026-11-20)."
)
@click.option(
    "--tries",
    default=0,
    type=click.IntRange(0, 10),
    help="Make so many more handshakes: finds what strikes only some; --wait goes on while that is open.",
)
@click.option(
    "--depth",
    type=click.Choice([depth.value for depth in TunnelDepth]),
    default=None,
    help="Tunnels: how far to go, else proof, that the server has its keys; beyond it the tunnel is used.",
)
@click.option(
    "--alias/--no-alias",
    "alias",
    default=None,
    help="Tunnels: show and store aliases in place of addresses and names; else as privacy.tunnels says.",
)
@click.option("--exit-status", is_flag=True, help="Exit 0 = usable, 3 = not, 4 = cannot tell.")
@click.option(
    "--vpn/--no-vpn",
    "vpn",
    default=None,
    help="Greet bare names as VPN gateways, without credentials; else those that begin with vpn, remote or gw.",
)
@click.option("--textfile", metavar="PATH", default="", help="Write metrics for node_exporter's textfile collector.")
@click.option(
    "--pushgateway",
    metavar="URL",
    default="",
    help="Push metrics to this Pushgateway; of https://USER@… the password is in $WALLPROBE_PASSWORD.",
)
def check(  # noqa: PLR0913, PLR0917 - one for each option
    targets: tuple[str, ...],
    config_file: str,
    as_json: bool,
    verbose: bool,
    wait: bool,
    login: bool,
    worked: str,
    tries: int,
    depth: str | None,
    alias: bool | None,
    exit_status: bool,
    vpn: bool | None,
    textfile: str,
    pushgateway: str,
) -> int:
    """Check TARGETS now; without any, describe this network.

    A target is a URL, a bare name, or h3://, tcp://, tls://, dns://, dot://, doh+https://, icmp:// with a
    host; or a tunnel: a client's file, a share link (ss://, trojan://, vless:// ...), a file of them, env:NAME, or - .
    """
    settings = _with_flags(load_config(config_file), alias=alias)
    naming = Naming(settings)
    given = Given()
    traits = Traits(timeout_s=settings.defaults.timeout_s)
    parsed = parse_targets(targets, given, traits, naming)
    surveys = plan_surveys(targets, parsed, vpn, hidden=naming.aliases)
    if naming.aliases:
        parsed, surveys = cover_surveys(naming.veil, parsed, surveys)
    if textfile:
        check_textfile(textfile)
    group_url = settle_gateway(pushgateway, settings.vantage.id, os.environ) if pushgateway else ""
    _notice_own_keys(parsed, settings)
    parsed = [_note_depth(_note_login(_note_worked(target, worked), login=login), depth) for target in parsed]
    checking = Checking(
        settings,
        parsed,
        wait=wait,
        tries=tries,
        show_progress=sys.stderr.isatty() and not as_json,
        given=given,
        manners=Manners(
            deepest=Depth.DATA if login else Depth.PROOF,
            # Two users of one server take turns; who does not wait hears of the second that it was too soon.
            patience_s=2 * settings.limits.handshakes_apart_s if wait else 0.0,
        ),
        surveys=surveys,
        naming=naming,
    )

    printer = Printer(parsed, as_json=as_json, verbose=verbose)
    try:
        outcome: Outcome = run(checking.complete(printer.show))
    except GateUnreachable as error:
        raise click.ClickException(f"the daemon that shares its budgets with this check went away: {error}") from error
    by_target = {measurement.target.id: measurement for measurement in outcome.measurements}
    runs = [by_target[target.id] for target in parsed if target.id in by_target]
    live = show_surveys(surveys, outcome.surveyed, as_json=as_json, verbose=verbose)
    # A gateway need not have a web site beside it.
    statuses = [
        Status.OK if run.target.id in live else run.verdict.status
        for run in runs
        if run.target.id not in printer.grouped
    ]
    statuses += printer.show_groups(runs)
    if not parsed and outcome.baseline is not None:
        if as_json:
            click.echo(msgspec.json.encode(outcome.baseline))
        else:
            paint(build_network_report(outcome.baseline))
    for note in (*naming.notes, *outcome.notes):
        click.echo(f"note: {note}", err=True)
    if outcome.measurements:
        _deliver(outcome, textfile, group_url)
    return exit_code(statuses) if exit_status else 0


def _notice_own_keys(targets: list[Target], settings: Settings) -> None:
    """Say once what a check does with a person's own keys."""
    told = find_path(settings.store.path).with_name("own-keys-noticed")
    if not any(target.secrets for target in targets) or told.exists():
        return
    click.echo(OWN_KEYS, err=True)
    with contextlib.suppress(OSError):
        told.parent.mkdir(parents=True, exist_ok=True)
        told.touch()


def _note_login(target: Target, *, login: bool) -> Target:
    if not login or target.check is not CheckName.VPN:
        return target
    return msgspec.structs.replace(target, params={**target.params, LOGIN_PARAM: "1"})


def _note_depth(target: Target, depth: str | None) -> Target:
    if depth is None or target.check is not CheckName.VPN:
        return target
    return msgspec.structs.replace(target, params={**target.params, "depth": depth})


def _with_flags(settings: Settings, *, alias: bool | None) -> Settings:
    if alias is None:
        return settings
    tunnels = TunnelNames.ALIAS if alias else TunnelNames.SHOW
    return msgspec.structs.replace(settings, privacy=msgspec.structs.replace(settings.privacy, tunnels=tunnels))


def _note_worked(target: Target, worked: str) -> Target:
    if not worked or target.check is not CheckName.VPN:
        return target
    try:
        read_word(worked, time.time())
    except ValueError:
        raise UserError("--worked", f"{worked[:40]!r} is no day that has been", "write it as 2026-11-20") from None
    return msgspec.structs.replace(target, worked=worked)


def _deliver(outcome: Outcome, textfile: str, group_url: str) -> None:
    if not textfile and not group_url:
        return
    page = render_page(outcome.measurements)
    if textfile:
        write_textfile(textfile, page)
    if group_url:
        run(push(group_url, page))


def parse_targets(
    texts: tuple[str, ...],
    given: Given | None = None,
    traits: Traits | None = None,
    naming: Naming | None = None,
) -> list[Target]:
    """Return the targets, each once, before anything is sent; `given` remembers the secrets that stand in them.

    Raises:
        UserError: one cannot be read; `CombinedUserError` when several cannot.
    """
    given = given or Given()
    targets: dict[tuple[str, tuple[str, ...]], Target] = {}
    errors: list[UserError] = []
    for text in texts:
        try:
            found = _read_target(text, given, traits or Traits(), hidden=naming is not None and naming.aliases)
        except UserError as error:
            errors.append(error)
        else:
            for target in found:
                places = tuple(reference.source for reference in target.secrets.values())
                targets.setdefault((target.id, places), target)
    if errors:
        raise errors[0] if len(errors) == 1 else CombinedUserError(tuple(errors))
    return (naming or Naming(Settings(), lasting=False)).settle_targets(list(targets.values()), given)


def _read_target(text: str, given: Given, traits: Traits, *, hidden: bool) -> tuple[Target, ...]:
    """Return what one argument means: an address, or every endpoint of a client's file or list of links."""
    if text == "-":
        return _tell_notes(parse_given_tunnels(sys.stdin.buffer.read(), given), traits, hidden=hidden)
    if is_tunnel_place(text):
        found = _tell_notes(load_tunnels(text), traits, hidden=hidden)
        for place in find_open_files(found):
            click.echo(f"note: {'the file, or one that it names,' if hidden else place} {OPEN_TO_OTHERS}", err=True)
        return found
    target = parse_address(text, keep=given.keep, traits=traits)
    if hidden and target.check is CheckName.VPN:
        hide_argument(text, f"{target.params['protocol']}://…")
    if any(not reference.source.startswith("file:") for reference in target.secrets.values()):
        shown = f"{target.params['protocol']}://…" if hidden else target.address
        hide_argument(text, shown)
        click.echo(
            f"warning: {shown} was given with its secret, which others could see in the process list and "
            "your shell may keep: put the link into a file (chmod 600) and name that, or write - and paste it",
            err=True,
        )
    return (target,)


def _tell_notes(tunnels: Tunnels, traits: Traits, *, hidden: bool) -> tuple[Target, ...]:
    place = tunnels.targets[0].source if hidden and tunnels.targets else ""
    for note in (*(f"left out: {error}" for error in tunnels.mistakes), *tunnels.notes):
        click.echo(f"note: {note.replace(place, 'the file') if place else note}", err=True)
    return tuple(apply_traits(target, traits) for target in tunnels.targets)


def exit_code(statuses: list[Status]) -> int:
    """Return 0 when all are usable, 3 when one is not, 4 when the worst is that nothing can be told."""
    if all(status.reachable for status in statuses):
        return USABLE
    unknown = all(status.reachable or status is Status.INSUFFICIENT for status in statuses)
    return CANNOT_TELL if unknown else NOT_USABLE
