"""`wallprobe classify --ooni`: measurements that OONI made, judged by our rules, offline."""

import gc
import sys

import click
import msgspec

from probe.classify.judge import judge
from probe.cli.ooni_cases import build_case
from probe.cli.ooni_files import read_measurements
from probe.knowledge.reference import load_reference
from probe.model.errors import ProtocolError, UserError
from probe.model.fingerprint import Reference
from probe.model.verdict import Verdict
from probe.protocols.ooni.measurement import OoniMeasurement, parse_measurement

BAD_INPUT = 2
_encode = msgspec.json.Encoder().encode


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """Our verdict, in short."""

    status: str
    patterns: tuple[str, ...]
    cause: str
    confidence: int
    rule_id: str


class Theirs(msgspec.Struct, frozen=True, kw_only=True):
    """OONI's verdict, as it stands in the file."""

    blocking: str | bool | None
    accessible: bool | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the output."""

    input: str
    measurement_start_time: str
    probe_asn: str
    probe_cc: str
    ours: Ours
    ooni: Theirs


@click.command(
    epilog="""\b
Examples:
  wallprobe classify --ooni measurement.json
  zcat 2026111*.jsonl.gz | wallprobe classify --ooni -
  wallprobe classify --ooni --fingerprints fingerprints_http.csv --fingerprints fingerprints_dns.csv *.jsonl.gz
"""
)
@click.option(
    "--ooni",
    is_flag=True,
    required=True,
    expose_value=False,
    help="The files are OONI web_connectivity measurements (0.4, 0.5).",
)
@click.option(
    "--fingerprints",
    metavar="FILE",
    multiple=True,
    help="Further fingerprints of block pages or DNS answers (OONI's CSV format); may be given again.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
def classify(fingerprints: tuple[str, ...], files: tuple[str, ...]) -> int:
    """Judge measurements of others: one JSON line each, with OONI's own verdict beside ours.

    Reads single JSON and JSON lines, gzipped or not; `-` is standard input. What cannot be judged is one line on stderr
    each, and exit code 2 says at the end that there was any.
    """
    reference, wrong_rows = load_reference(*fingerprints)
    for row in wrong_rows:
        click.echo(str(row), err=True)
    # A measurement is thousands of small values and no cycles: collecting as often as by default costs a tenth.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    failed = sum(_judge_file(path, reference) for path in files)
    sys.stdout.flush()
    return BAD_INPUT if failed else 0


def _judge_file(path: str, reference: Reference) -> int:
    """Judge all of a file; return how many measurements could not be."""
    place, failed = "standard input" if path == "-" else path, 0
    out = sys.stdout.buffer
    try:
        for number, data in read_measurements(path):
            try:
                if isinstance(data, ProtocolError):
                    raise data
                out.write(render_row(parse_measurement(data), reference))
            except ProtocolError as error:
                failed += 1
                click.echo(f"{place}:{number}: {error}", err=True)
            except UserError as error:
                failed += 1
                click.echo(f"{place}:{number}: {error.where}: {error.what}", err=True)
    except UserError as error:
        failed += 1
        click.echo(str(error), err=True)
    return failed


def render_row(measurement: OoniMeasurement, reference: Reference) -> bytes:
    """Judge a measurement and return its line.

    Raises:
        UserError: its input is no address that we check.
    """
    verdict = judge(build_case(measurement, reference))
    row = Row(
        input=measurement.input,
        measurement_start_time=measurement.measurement_start_time,
        probe_asn=measurement.probe_asn,
        probe_cc=measurement.probe_cc,
        ours=_shorten(verdict),
        ooni=Theirs(blocking=measurement.blocking, accessible=measurement.accessible),
    )
    return _encode(row) + b"\n"


def _shorten(verdict: Verdict) -> Ours:
    return Ours(
        status=verdict.status.value,
        patterns=tuple(pattern.value for pattern in verdict.patterns),
        cause=verdict.cause.value,
        confidence=int(verdict.confidence),
        rule_id=verdict.rule_id,
    )
