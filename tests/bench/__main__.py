"""`python -m tests.bench [JOB …] [--quick] [--rounds N] [--json FILE]`, where JOB is one of JOBS; all without any.

Each job that needs a network of its own runs in namespaces of its own; everything else stays on loopback.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.host import describe_host
from tests.bench.isolation import is_inside, run_inside
from tests.bench.report import Outcome, encode_report, render_header, render_outcome

JOBS = ("check", "classify", "control", "latency", "memory", "metrics", "size", "vpn")
LONG_JOBS = ("soak",)
"""Only when they are named."""
_ROUNDS, _QUICK_ROUNDS = 5, 2


def main(arguments: list[str] | None = None) -> int:
    """Run the jobs, print the report; 1 = a figure is over its limit, or a job could not prove its work."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS)
    if options.inside:
        outcome = _load(options.jobs[0]).run(quick=options.quick, rounds=rounds)
        Path(options.inside).write_bytes(msgspec.msgpack.encode(outcome))
        return 0
    host = describe_host()
    print(render_header(host), flush=True)
    outcomes: dict[str, Outcome] = {}
    for job in options.jobs or JOBS:
        outcome = _run(job, quick=options.quick, rounds=rounds)
        if outcome is not None:
            outcomes[job] = outcome
            print(render_outcome(job, outcome), flush=True)
        else:
            print(f"\n{job}\n  failed, see above", flush=True)
    if options.json:
        Path(options.json).write_bytes(encode_report(host, outcomes))
    complete = len(outcomes) == len(options.jobs or JOBS)
    return 0 if complete and all(outcome.holds for outcome in outcomes.values()) else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures what the project promises.")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"{', '.join(JOBS)}; all without any")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--rounds", type=int, default=0, help=f"turns of each job (default {_ROUNDS})")
    parser.add_argument("--json", metavar="FILE", default="", help="write the report as JSON, too")
    parser.add_argument("--inside", metavar="FILE", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = [job for job in options.jobs if job not in (*JOBS, *LONG_JOBS)]
    if unknown:
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join((*JOBS, *LONG_JOBS))}")
    return options


def _load(job: str) -> Any:
    """Return a job's module: each has `run` and `NEEDS_NAMESPACES`."""
    return importlib.import_module(f"tests.bench.jobs.{job}")


def _run(job: str, *, quick: bool, rounds: int) -> Outcome | None:
    """Run a job where it belongs; `None` = it failed and has said so."""
    module = _load(job)
    if not module.NEEDS_NAMESPACES or is_inside():
        outcome: Outcome = module.run(quick=quick, rounds=rounds)
        return outcome
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        answer = Path(folder) / "outcome"
        options = ["--quick"] if quick else []
        code = run_inside([job, *options, "--rounds", str(rounds), "--inside", str(answer)])
        if code is None:
            return Outcome(notes=["skipped: this kernel or user may not make namespaces (unshare -rnmp)"])
        return msgspec.msgpack.decode(answer.read_bytes(), type=Outcome) if code == 0 else None


if __name__ == "__main__":
    sys.exit(main())
