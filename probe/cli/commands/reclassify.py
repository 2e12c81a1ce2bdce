"""`wallprobe reclassify`: stored facts judged again by the rules of today."""

import click
import msgspec

from probe.classify.judge import judge
from probe.cli.options import config_option
from probe.cli.stored import case_of, open_reader, open_writer
from probe.config.reader import load_config
from probe.knowledge.reference import load_knowledge
from probe.model.measurement import Measurement
from probe.model.target import CheckName
from probe.model.verdict import Verdict


@click.command(
    epilog="""\b
Examples:
  wallprobe reclassify              say what would change
  wallprobe reclassify --write      change it
"""
)
@config_option
@click.option("--write", is_flag=True, help="Store the new verdicts; the agent must not run on this database.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per changed measurement.")
def reclassify(config_file: str, write: bool, as_json: bool) -> None:
    """Judge the measurements that are kept whole again. Episodes and events stay as they were told."""
    settings = load_config(config_file)
    judged = changed = 0
    opener = open_writer if write else open_reader
    with load_knowledge(settings) as knowledge, opener(settings) as store:
        for measurement in store.iterate_measurements():
            if measurement.target.check is CheckName.GROUP:
                continue  # folded from the verdicts of others, with no facts of its own
            if measurement.target.alias:
                continue  # its addresses are not kept, and facts rest on them
            judged += 1
            case = msgspec.structs.replace(case_of(measurement), reference=knowledge.reference)
            verdict = msgspec.structs.replace(judge(case), pending=measurement.verdict.pending)
            if not _differs(measurement.verdict, verdict):
                continue
            changed += 1
            _show(measurement, verdict, as_json=as_json)
            if write:
                store.replace_verdict(measurement.id, verdict)
    if not as_json:
        click.echo(f"{judged} judged again, {changed} {'changed' if write else 'would change'}")


def _differs(old: Verdict, new: Verdict) -> bool:
    return (old.status, old.patterns, old.cause, old.confidence) != (
        new.status,
        new.patterns,
        new.cause,
        new.confidence,
    )


def _show(measurement: Measurement, verdict: Verdict, *, as_json: bool) -> None:
    old = measurement.verdict
    if as_json:
        row = {
            "id": measurement.id,
            "target": measurement.target.address,
            "before": {"status": old.status.value, "patterns": list(old.patterns), "rules_version": old.rules_version},
            "after": {
                "status": verdict.status.value,
                "patterns": list(verdict.patterns),
                "rules_version": verdict.rules_version,
            },
        }
        click.echo(msgspec.json.encode(row))
        return
    was = " ".join((old.status.value, *old.patterns))
    now = " ".join((verdict.status.value, *verdict.patterns))
    click.echo(f"{measurement.id}  {measurement.target.address}: {was} -> {now}")
