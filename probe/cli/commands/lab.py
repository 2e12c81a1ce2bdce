"""`wallprobe lab`: look at the scenarios, and stand in one."""

import asyncio
import contextlib
import os
import signal
import sys

import click

from probe.cli.commands.lab_hunt import hunt_command
from probe.cli.commands.lab_score import score
from probe.cli.options import examples
from probe.lab.client.agent import render_config
from probe.lab.exam.spread import spread
from probe.lab.keeper import FOLDER
from probe.lab.outside import raise_control, reference_addresses
from probe.lab.proofs.prove import prove_scenario
from probe.lab.proofs.selfcheck import Proof
from probe.lab.real_servers import set_up_tunnel
from probe.lab.run import Lab, UnsupportedError
from probe.lab.scenarios import build_all_scenarios
from probe.lab.scenarios.model import Scenario
from probe.lab.world.atlas import build_world
from probe.lab.world.plan import World
from probe.model.errors import UserError

MEMORY = "state"
"""Where a client remembers what worked, in a scenario in which something did."""

_SEED = click.option("--seed", default=0, show_default=True, help="Draws names and addresses.")


@click.group(
    epilog="""\b
Examples:
  wallprobe lab list                          the scenarios, and what is true in each
  wallprobe lab run sni-reset                 a shell in the client; $LAB_CONFIG and $LAB_TARGET are set
  wallprobe lab run dns-race -- dig +short example.org
  wallprobe lab prove sni-reset               plain sockets meet what the scenario claims
  wallprobe lab score --scenario sni-reset    the real check, held against the truth
"""
)
def lab() -> None:
    """A censored Internet in network namespaces: real packets, nothing leaves this machine. Needs Linux."""


@lab.command(name="list", epilog=examples("wallprobe lab list", "wallprobe lab list | grep quic"))
@_SEED
def list_scenarios(seed: int) -> None:
    """Show the scenarios, and what is true in each."""
    for scenario in build_all_scenarios(build_world(seed)).values():
        truth = scenario.truth
        said = ", ".join(pattern.value for pattern in truth.patterns) or "-"
        click.echo(f"{scenario.name:28} {truth.status.value:15} {said:28} {scenario.about}")


@lab.command(
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "wallprobe lab run sni-reset                     a shell",
        "wallprobe lab run sni-reset --seed 7 -- sh -c 'wallprobe check --config.file $LAB_CONFIG $LAB_TARGET'",
    ),
)
@click.argument("scenario")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_SEED
@click.option("--no-control", is_flag=True, help="Without a control server in the uncensored outside.")
def run(scenario: str, command: tuple[str, ...], seed: int, no_control: bool) -> int:
    """Run COMMAND, or a shell, in the client of SCENARIO; exit with its code.

    The agent's configuration for this world is in $LAB_CONFIG, the scenario's target in $LAB_TARGET.
    """
    return asyncio.run(
        _stand_in(scenario, command or (os.environ.get("SHELL", "/bin/sh"),), seed, control=not no_control)
    )


@lab.command(epilog=examples("wallprobe lab prove", "wallprobe lab prove sni-reset dns-race"))
@click.argument("scenarios", nargs=-1)
@_SEED
def prove(scenarios: tuple[str, ...], seed: int) -> int:
    """Prove, by plain sockets, that the client meets what SCENARIOS (all without any) claim."""
    return asyncio.run(_prove(scenarios, seed))


lab.add_command(score)
lab.add_command(hunt_command)


def find_scenario(world: World, name: str) -> Scenario:
    """Return the scenario of that name.

    Raises:
        UserError: there is none.
    """
    known = build_all_scenarios(world)
    if name not in known:
        raise UserError("lab", f"there is no scenario {name!r}", "`wallprobe lab list` shows them all")
    return known[name]


async def _stand_in(name: str, command: tuple[str, ...], seed: int, *, control: bool) -> int:
    scenario = find_scenario(build_world(seed), name)
    async with Lab(seed) as running, contextlib.AsyncExitStack() as stays:
        controls = await raise_control(running) if control else ()
        target, given = scenario.target, {"PS1": f"[{name}] $ "}
        references: tuple[str, ...] = ()
        if scenario.tunnel is None:
            await running.play(scenario)
        else:
            references = reference_addresses() if control else ()
            set_up = set_up_tunnel(running, scenario, None, MEMORY, references)
            try:
                target = await stays.enter_async_context(set_up)
            except UnsupportedError as lacking:
                raise UserError(name, lacking.what, lacking.remedy) from None
            given["XDG_STATE_HOME"] = str(FOLDER / MEMORY)  # where it is remembered what worked before
        config = render_config(running.world, controls, references=references, configured=scenario.configured)
        given |= {"LAB_CONFIG": running.write_file("wallprobe.yml", config), "LAB_TARGET": target}
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
    chosen = tuple(find_scenario(build_world(seed), name).name for name in names) or tuple(
        build_all_scenarios(build_world(seed))
    )
    async for name, proofs, lacking in spread(
        chosen or tuple(build_all_scenarios(build_world(seed))), _prove_one, seed=seed
    ):
        if lacking:
            click.echo(f"- {name}: skipped, {lacking}")
            continue
        missing = [proof for proof in proofs if not proof.holds]
        failed += bool(missing)
        click.echo(f"{'✗' if missing else '✓'} {name}")
        for proof in missing:
            met = "; ".join(f"{one.outcome.value} {one.wrong}".strip() for one in proof.met)
            click.echo(f"    {proof.symptom.trial} wanted {proof.symptom.outcome.value}, met {met}")
    return 1 if failed else 0


async def _prove_one(running: Lab, scenario: Scenario) -> tuple[str, tuple[Proof, ...], str]:
    try:
        return scenario.name, await prove_scenario(running, scenario), ""
    except UnsupportedError as lacking:
        return scenario.name, (), f"{lacking.what}; {lacking.remedy}"
