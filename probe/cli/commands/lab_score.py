"""`wallprobe lab score`: run the real check in every scenario, and say how often it is right."""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import Callable, Iterator

import click
import msgspec

from probe.lab.client.agent import COOL_DOWN, ROUNDS_APART
from probe.lab.exam.grade import Grade
from probe.lab.exam.ooni_headlines import number_of, render_worlds
from probe.lab.exam.score import FINAL_S, Figures, Mark, Score
from probe.lab.exam.sitting import hold_exam
from probe.lab.scenarios import build_all_scenarios, build_scenarios
from probe.lab.world.atlas import build_world
from probe.model.errors import UserError
from probe.net.capabilities import MASK_VARIABLE

_SIGNS = {Grade.EXACT: "✓", Grade.CAREFUL: "~", Grade.MISSED: "-", Grade.WRONG: "✗"}
SHORTENED = f"cool-down {COOL_DOWN} (else 200 s), its two rounds {ROUNDS_APART} apart (else 30 s)"
_COUNTS = {
    "exact answers": "exact",
    "careful": "careful",
    "missed": "missed",
    "wrong": "wrong",
    "false accusations": "false_accusations",
}
_RATIOS = {
    "exact": "exact_ratio",
    "status accuracy": "status_accuracy",
    "cause accuracy": "cause_accuracy",
    "pattern precision": "pattern_precision",
    "pattern recall": "pattern_recall",
}


@click.command(
    epilog="""\b
Examples:
  wallprobe lab score                              all scenarios, as drawn by a new seed
  wallprobe lab score --seed 7 --jobs 4            the same names, addresses, delays and order every time
  wallprobe lab score --scenario clean --json      one JSON object per scenario, then the figures
  wallprobe lab score --worlds --control           the 50 worlds of OONI's suite, OONI's own headline beside ours
  wallprobe lab score --masked                     as on a host without Linux's own socket options
  wallprobe lab score --control --jobs 8           a second column, with a control outside; takes three times as long
"""
)
@click.option("--scenario", "scenarios", multiple=True, metavar="NAME", help="Only these; all without any.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per scenario, then one with the figures.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 32), help="Labs side by side.")
@click.option("--seed", default=None, type=int, help="Draws names, addresses, delays and order; random without it.")
@click.option(
    "--control",
    "views",
    is_flag=False,
    flag_value="both",
    default="none",
    type=click.Choice(["none", "both", "only"]),
    help="Also with a control server in the uncensored outside, as a second column; `only` = without the first.",
)
@click.option("--worlds", is_flag=True, help="The worlds of OONI's suite alone, its own headline beside our answers.")
@click.option("--masked", is_flag=True, help="Without the socket options that Linux alone has.")
def score(
    scenarios: tuple[str, ...], as_json: bool, jobs: int, seed: int | None, views: str, worlds: bool, masked: bool
) -> int:
    """Run the real check in every scenario and hold its answers against the truth; 1 = some are wrong."""
    if masked:
        os.environ[MASK_VARIABLE] = "linux"
    drawn = random.randrange(1_000_000) if seed is None else seed
    names = choose_scenarios(scenarios, drawn)
    if worlds:
        names = tuple(name for name in names if number_of(name) is not None)
    shown = sys.stdout.isatty() and not as_json
    columns = {"none": (False,), "both": (False, True), "only": (True,)}[views]
    totals: list[Score] = []
    with _progress(len(names) * len(columns)) as advance:

        def tell(mark: Mark) -> None:
            if as_json:
                click.echo(msgspec.json.encode(mark))
            elif not shown or mark.grade is not Grade.EXACT:
                click.echo("\n".join(render_mark(mark)))
            advance(mark)

        for outside in columns:
            if not as_json:
                words = f"with a control, {SHORTENED}" if outside else "without an outside view"
                click.echo(f"{len(names)} scenarios, seed {drawn}, {jobs} labs side by side, {words}")
            total = asyncio.run(hold_exam(names, seed=drawn, jobs=jobs, tell=tell, outside=outside))
            totals.append(total)
            if as_json:
                click.echo(
                    msgspec.json.encode(
                        {
                            "seed": drawn,
                            "control": outside,
                            "figures": total.figures,
                            "confusion": total.confusion,
                        }
                    )
                )
    if not as_json:
        click.echo("\n".join(render_score(*totals)))
        click.echo("\n".join(line for total in totals for line in render_worlds(total.marks)))
    return 1 if any(total.figures.wrong for total in totals) else 0


def choose_scenarios(wanted: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Return the names asked for, each once, or all.

    Raises:
        UserError: there is no scenario of that name.
    """
    world = build_world(seed)
    known = build_all_scenarios(world)
    for name in wanted:
        if name not in known:
            raise UserError("lab score", f"there is no scenario {name!r}", "`wallprobe lab list` shows them all")
    return tuple(dict.fromkeys(wanted)) or tuple(build_scenarios(world))


def render_mark(mark: Mark) -> list[str]:
    """Return what a person reads of one answer; of a miss also why, and on what evidence."""
    said = ", ".join(pattern.value for pattern in mark.said.patterns) or "-"
    head = f"{_SIGNS[mark.grade]} {mark.scenario:30} {mark.said.status.value:15} {said:30} {mark.said.runtime_s:5.1f} s"
    if mark.grade is Grade.EXACT:
        return [head]
    return [head, f"    {mark.grade.value}: {mark.why}", *(f"    evidence: {reason}" for reason in mark.reasons)]


def render_score(*totals: Score) -> list[str]:
    """Return the summary: figures, the confusion table and the misses by name; several scores side by side first."""
    lines = render_columns(totals) if len(totals) > 1 else []
    for total in totals:
        lines += _render_one(total)
    return lines


def render_columns(totals: tuple[Score, ...]) -> list[str]:
    """Return the figures of several scores side by side."""
    names = ["with a control" if total.outside else "from here alone" for total in totals]
    lines = ["", f"  {'':20} " + "  ".join(f"{name:>15}" for name in names)]
    for words, field in (*_COUNTS.items(), *_RATIOS.items()):
        values = [getattr(total.figures, field) for total in totals]
        shown = [
            "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value) for value in values
        ]
        lines.append(f"  {words:20} " + "  ".join(f"{one:>15}" for one in shown))
    return lines


def _render_one(total: Score) -> list[str]:
    figures = total.figures
    where = ", with a control" if total.outside else ""
    lines = [
        "",
        f"{figures.scenarios} scenarios, seed {total.seed}{where}: {figures.exact} exact, {figures.careful} careful, "
        f"{figures.missed} missed, {figures.wrong} wrong",
        f"  {'false accusations':20} {figures.false_accusations}",
        f"  {'careful on clean':20} {figures.careful_on_clean}",
        *_render_ratios(figures),
    ]
    if figures.first_median_s is not None:
        lines += [
            f"  {'seconds to the first':20} median {figures.first_median_s:.1f}, worst {figures.first_worst_s:.1f}",
            f"  {'to the final verdict':20} median {figures.final_median_s:.1f}, worst {figures.final_worst_s:.1f}; "
            f"with the field's cool-downs at most {figures.field_worst_s:.0f} (limit {FINAL_S:.0f})",
        ]
    lines += ["", f"  {'is':15} {'was called':15} times"]
    lines += [f"  {tally.true.value:15} {tally.said.value:15} {tally.times:5}" for tally in total.confusion]
    lines += [f"  skipped: {one.scenario} ({one.why})" for one in total.skipped]
    groups = {g.value: [m for m in total.misses if m.grade is g] for g in (Grade.WRONG, Grade.MISSED, Grade.CAREFUL)}
    groups["beside the true pattern"] = [mark for mark in total.marks if mark.names_astray]
    for words, marks in groups.items():
        if marks:
            lines += ["", f"  {words}: {', '.join(sorted(mark.scenario for mark in marks))}"]
    return lines


def _render_ratios(figures: Figures) -> Iterator[str]:
    for words, field in _RATIOS.items():
        ratio: float | None = getattr(figures, field)
        yield f"  {words:20} {'nothing to count' if ratio is None else f'{ratio:.3f}'}"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[Mark], None]]:
    """Show on a terminal how far it is; silent everywhere else."""
    if not sys.stderr.isatty():
        yield lambda mark: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:30}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("setting up", total=total)
        yield lambda mark: bar.update(task, advance=1, description=mark.scenario)
