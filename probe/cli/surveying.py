"""The side of `check` that asks what lives at a bare name: which names are greeted, and what is shown of it."""

from collections.abc import Iterable, Mapping

import click
import msgspec

from probe.cli.paint import paint
from probe.export.record import build_record
from probe.export.text.report import Line
from probe.export.text.survey_report import answered, build_survey_report
from probe.model.errors import UserError
from probe.model.measurement import Measurement
from probe.model.target import CheckName, Target
from probe.targets.aliases.veil import Veil
from probe.targets.hosts import HostError, parse_host
from probe.targets.survey import Survey, build_survey, is_named_like_a_vpn


def plan_surveys(
    texts: Iterable[str], targets: Iterable[Target], wanted: bool | None, *, hidden: bool = False
) -> tuple[Survey, ...]:
    """Return a survey for each bare name where it is wanted; `None` = where the name says that it is a VPN's.

    `hidden`: what is said of it does not name it.

    Raises:
        UserError: it is wanted, and there is no bare name.
    """
    if wanted is False:
        return ()
    written = {host for text in texts if (host := _read_bare(text))}
    bare = [target for target in targets if target.check is CheckName.WEB and target.host in written]
    if wanted:
        if not bare:
            raise UserError("--vpn", "there is no bare name to greet", "write wallprobe check --vpn vpn.office.example")
        return tuple(build_survey(target) for target in bare)
    named = [target for target in bare if is_named_like_a_vpn(target.host)]
    for target in named:
        what = "is named like a VPN, so the gateways of offices are greeted too, without credentials (--no-vpn)"
        click.echo(f"note: {'the name' if hidden else target.host} {what}", err=True)
    return tuple(build_survey(target) for target in named)


def cover_surveys(
    veil: Veil, targets: list[Target], surveys: tuple[Survey, ...]
) -> tuple[list[Target], tuple[Survey, ...]]:
    """Return targets and surveys under aliases: where gateways are looked for, the site's name is a tunnel's too."""
    surveyed = {survey.target for survey in surveys}
    covered = {t.id: veil.cover_target(t, even_a_site=t.id in surveyed) for t in targets}
    hidden = tuple(
        Survey(
            target=covered[survey.target].id,
            host=covered[survey.target].alias,
            chains=tuple(tuple(veil.cover_target(target) for target in chain) for chain in survey.chains),
        )
        for survey in surveys
    )
    return list(covered.values()), hidden


def _read_bare(text: str) -> str:
    """Return the host of a text that is nothing but a name or an address; empty = it is more, or neither."""
    try:
        return "" if "/" in text.strip().rstrip("/") else parse_host(text.strip().rstrip("/"))
    except HostError:
        return ""


def show_surveys(
    surveys: Iterable[Survey], seen: Mapping[str, tuple[Measurement, ...]], *, as_json: bool, verbose: bool
) -> frozenset[str]:
    """Show what was found; return the targets, by id, at whose host a gateway answered."""
    live: set[str] = set()
    for survey in surveys:
        asked = seen.get(survey.target, ())
        if asked:
            _show(survey, asked, as_json=as_json, verbose=verbose)
        if any(answered(measurement) for measurement in asked):
            live.add(survey.target)
    return frozenset(live)


def _show(survey: Survey, asked: tuple[Measurement, ...], *, as_json: bool, verbose: bool) -> None:
    if as_json:
        for measurement in asked:
            click.echo(msgspec.json.encode(build_record(measurement)))
        return
    planned = sum(len(chain) for chain in survey.chains)
    paint(build_survey_report(survey.host, asked, planned - len(asked)))
    for measurement in asked if verbose else ():
        for observation in measurement.observations:
            paint((Line(text="    " + msgspec.json.encode(observation).decode()),))
