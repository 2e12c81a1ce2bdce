"""`wallprobe lab`: look at the scenarios, and stand in one."""

import asyncio
import os
import signal
import sys

import click
import msgspec

from probe.lab import score as scoring
from probe.lab.agent import render_config
from probe.lab.grade import Grade
from probe.lab.proof import prove_scenario
from probe.lab.run import Lab
from probe.lab.scenarios import build_scenarios
from probe.lab.scenarios.model import Scenario
from probe.lab.score import Mark, Score
from probe.lab.world.atlas import build_world
from probe.lab.world.plan import World
from probe.model.errors import UserError

_SEED = click.option("--seed", default=0, show_default=True, help="Draws names and addresses.")


@click.group()
def lab() -> None:
    """A censored Internet in network namespaces: real packets, nothing leaves this machine."""


@lab.command(name="list")
@_SEED
def list_scenarios(seed: int) -> None:
    """Show the scenarios, and what is true in each."""
    for scenario in build_scenarios(build_world(seed)).values():
        truth = scenario.truth
        said = ", ".join(pattern.value for pattern in truth.patterns) or "-"
        click.echo(f"{scenario.name:28} {truth.status.value:15} {said:28} {scenario.about}")


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("scenario")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_SEED
def run(scenario: str, command: tuple[str, ...], seed: int) -> int:
    """Run COMMAND, or a shell, in the client of SCENARIO; exit with its code.

    The agent's configuration for this world is in $LAB_CONFIG, the scenario's target in $LAB_TARGET.
    """
    return asyncio.run(_stand_in(scenario, command or (os.environ.get("SHELL", "/bin/sh"),), seed))


@lab.command()
@click.argument("scenarios", nargs=-1)
@_SEED
def prove(scenarios: tuple[str, ...], seed: int) -> int:
    """Prove, by plain sockets, that the client meets what SCENARIOS (all without any) claim."""
    return asyncio.run(_prove(scenarios, seed))


@lab.command()
@click.option("--scenario", "scenarios", multiple=True, metavar="NAME", help="Only these; all without any.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per scenario, then one with the figures.")
@click.option("--jobs", default=2, show_default=True, help="Labs side by side.")
@_SEED
def score(scenarios: tuple[str, ...], as_json: bool, jobs: int, seed: int) -> int:
    """Run the real check in every scenario and hold its answers against the truth; 1 = some are wrong."""
    names = tuple(find_scenario(build_world(seed), name).name for name in scenarios)
    return asyncio.run(_score(names or tuple(build_scenarios(build_world(seed))), seed, jobs, as_json))


def find_scenario(world: World, name: str) -> Scenario:
    """Return the scenario of that name.

    Raises:
        UserError: there is none.
    """
    known = build_scenarios(world)
    if name not in known:
        raise UserError("lab", f"there is no scenario {name!r}", "`wallprobe lab list` shows them all")
    return known[name]


async def _stand_in(name: str, command: tuple[str, ...], seed: int) -> int:
    scenario = find_scenario(build_world(seed), name)
    async with Lab(seed) as running:
        await running.play(scenario)
        config = running.write_file("wallprobe.yml", render_config(running.world))
        given = {"LAB_CONFIG": config, "LAB_TARGET": scenario.target, "PS1": f"[{name}] $ "}
        if sys.stdin.isatty():
            click.echo(
                f"{name}: {scenario.about}; try `wallprobe check --config.file $LAB_CONFIG $LAB_TARGET`", err=True
            )
        # Ctrl-C is the program's, which stands in our process group; the lab ends when the program does.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _, exited = running.spawn(list(command), (0, 1, 2), environment=given)
        code = await exited
        return code if code >= 0 else 128 - code


async def _prove(names: tuple[str, ...], seed: int) -> int:
    failed = 0
    async with Lab(seed) as running:
        chosen = names or tuple(build_scenarios(running.world))
        for name in chosen:
            proofs = await prove_scenario(running, find_scenario(running.world, name))
            missing = [proof for proof in proofs if not proof.holds]
            failed += bool(missing)
            click.echo(f"{'✗' if missing else '✓'} {name}")
            for proof in missing:
                met = "; ".join(f"{one.outcome.value} {one.wrong}".strip() for one in proof.met)
                click.echo(f"    {proof.symptom.trial} wanted {proof.symptom.outcome.value}, met {met}")
    return 1 if failed else 0


_SIGNS = {Grade.EXACT: "✓", Grade.CAREFUL: "~", Grade.MISSED: "-", Grade.WRONG: "✗"}


async def _score(names: tuple[str, ...], seed: int, jobs: int, as_json: bool) -> int:
    marks: list[Mark] = []
    async for mark in scoring.score(names, seed=seed, jobs=jobs):
        marks.append(mark)
        if as_json:
            click.echo(msgspec.json.encode(mark))
        else:
            _print_mark(mark)
    total = Score(seed=seed, marks=tuple(marks))
    if as_json:
        click.echo(msgspec.json.encode({"seed": seed, "scenarios": len(marks), **total.shares}))
    else:
        click.echo(f"\n{len(marks)} scenarios, seed {seed}")
        for figure, value in total.shares.items():
            click.echo(f"  {figure:28} {value:.3f}")
        for (true, said), times in sorted(total.confusion.items()):
            click.echo(f"  {true.value:15} said {said.value:15} {times}")
    return 1 if any(mark.grade is Grade.WRONG for mark in marks) else 0


def _print_mark(mark: Mark) -> None:
    said = ", ".join(pattern.value for pattern in mark.said.patterns) or "-"
    click.echo(
        f"{_SIGNS[mark.grade]} {mark.scenario:30} {mark.said.status.value:15} {said:30} {mark.said.runtime_s:5.1f} s"
    )
    if mark.grade is not Grade.EXACT:
        click.echo(f"    {mark.why}")
        for reason in mark.reasons[:3]:
            click.echo(f"    evidence: {reason}")
