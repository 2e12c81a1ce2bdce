"""`wallprobe explain MEASUREMENT`: the tries and designs that decided, what would raise it, what was not possible."""

import click
import msgspec

from probe.classify.facts.path_facts import build_table
from probe.classify.tries import Try
from probe.cli.options import config_option
from probe.cli.paint import paint
from probe.cli.stored import case_of, load_measurement, open_reader
from probe.config.reader import load_config
from probe.export.record import build_record
from probe.export.text.reasoning import build_designs, what_was_not_possible, what_would_raise
from probe.export.text.report import Line, Tone, build_report
from probe.model.measurement import Measurement


@click.command(
    epilog="""\b
Examples:
  wallprobe explain 01JB7Q                 the id that `check` printed, or its beginning
  wallprobe explain 01JB7Q --json | jq .tries
"""
)
@click.argument("measurements", nargs=-1, required=True, metavar="MEASUREMENT...")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object each, with the table of tries.")
def explain(measurements: tuple[str, ...], config_file: str, as_json: bool) -> None:
    """Show how each MEASUREMENT (an id, or the start of one) came to its verdict."""
    settings = load_config(config_file)
    with open_reader(settings) as store:
        found = [load_measurement(store, measurement) for measurement in measurements]
    for measurement in found:
        _explain(measurement, as_json=as_json)


def _explain(found: Measurement, *, as_json: bool) -> None:
    table = build_table(case_of(found))
    if as_json:
        record = build_record(found) | {
            "tries": [_row(row) for row in table],
            "designs": build_designs(found),
            "would_raise": what_would_raise(found),
            "not_possible": what_was_not_possible(found),
        }
        click.echo(msgspec.json.encode(record))
        return
    paint((*build_report(found), *_design_lines(found, table)))


def _row(row: Try) -> dict[str, object]:
    return {
        "layer": row.layer.value,
        "name": row.name,
        "kind": row.kind.value,
        "place": row.place.value,
        "spot": row.spot,
        "outcome": row.outcome.value,
        "design": row.experiment.design.value if row.experiment else "check",
        "hop": row.hop,
        "hot": row.hot,
        "started_s": row.started_s,
        "ended_s": row.ended_s,
        "measurement": row.measurement,
    }


def _rule_lines(measurement: Measurement) -> list[str]:
    """Return each rule once, with the paths it spoke of."""
    places: dict[str, list[str]] = {}
    for evidence in measurement.verdict.evidence:
        family = f"family {evidence.family.value}, C{int(evidence.confidence)}"
        said = f"  Rule {evidence.rule_id} ({family}): {evidence.reason}"
        places.setdefault(said, []).append(evidence.path)
    named = {said: ", ".join(path for path in paths if path) for said, paths in places.items()}
    return [f"{said} At {at}." if at else said for said, at in named.items()]


def _design_lines(measurement: Measurement, table: tuple[Try, ...]) -> tuple[Line, ...]:
    lines = [Line(text="  Tries, in the order they ended:", tone=Tone.FAINT)]
    head = f"    {'at':>8}  {'layer':5} {'name':8} {'place':10} {'outcome':12} {'design':15} where"
    lines.append(Line(text=head, tone=Tone.FAINT))
    for row in table:
        design = row.experiment.design.value if row.experiment else "check"
        source = f" (from {row.measurement})" if row.measurement else ""
        hot = " hot" if row.hot else ""
        text = (
            f"    {row.ended_s:7.2f}s  {row.layer.value:5} {row.kind.value:8} {row.place.value:10} "
            f"{row.outcome.value + hot:12} {design:15} {row.spot}{source}"
        )
        lines.append(Line(text=text))
    lines += [Line(text=text) for text in _rule_lines(measurement)]
    for shown in build_designs(measurement):
        source = f" (from {shown.measurement})" if shown.measurement else ""
        head = f"  Design {shown.design.value}{source}: varied {shown.varied}; held {shown.held}"
        lines.append(Line(text=head, tone=Tone.FAINT))
        lines += [Line(text=f"    {cell.what}, {cell.where}: {cell.counted}") for cell in shown.cells]
    lines += [Line(text=f"  Would raise it: {step}.", tone=Tone.CARE) for step in what_would_raise(measurement)]
    lines += [Line(text=f"  Not possible: {what}.") for what in what_was_not_possible(measurement)]
    lines.append(Line(text=f"  Rules version {measurement.verdict.rules_version}."))
    return tuple(lines)
