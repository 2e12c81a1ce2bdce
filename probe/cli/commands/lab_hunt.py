"""`wallprobe lab hunt`: honest networks by lot, and whether any is accused."""

import asyncio
import random

import click
import msgspec

from probe.lab.exam.hunt import Trophy, hunt


@click.command(
    name="hunt",
    epilog="""\b
Examples:
  wallprobe lab hunt                          100 honest worlds by lot; what accuses a network is shown with its reasons
  wallprobe lab hunt --draws 400 --jobs 4 --timeout 3s      silences are waited for three seconds, not ten
  wallprobe lab hunt --draws 1 --seed 4711    that draw again
  wallprobe lab hunt --tunnels                tunnels on bad lines, and to servers that are down, mute or guarded
""",
)
@click.option("--draws", default=100, show_default=True, type=click.IntRange(1, 100_000), help="How many worlds.")
@click.option("--seed", default=None, type=int, help="The first draw's number; by lot without it.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 32), help="Labs side by side.")
@click.option("--timeout", default="", metavar="TIME", help="Wait so long for a step at most, for example 3s.")
@click.option("--tunnels", is_flag=True, help="Tunnels are the targets; their keys were good before.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each draw.")
def hunt_command(draws: int, seed: int | None, jobs: int, timeout: str, tunnels: bool, as_json: bool) -> int:
    """Run the real check in honest worlds: bad lines, odd servers, no censor; 1 = a network was accused."""
    first = random.randrange(1_000_000) if seed is None else seed

    def tell(trophy: Trophy) -> None:
        click.echo(msgspec.json.encode(trophy) if as_json else "\n".join(render_trophy(trophy)))

    if not as_json:
        click.echo(f"{draws} honest worlds from draw {first}, {jobs} labs side by side")
    found = asyncio.run(
        hunt(tuple(range(first, first + draws)), jobs=jobs, tell=tell, patience=timeout, tunnels=tunnels)
    )
    false = [trophy for trophy in found if trophy.is_false]
    if not as_json:
        mute = sum(trophy.is_mute for trophy in found)
        click.echo(f"{len(found)} worlds, {len(false)} false accusations, {mute} without an answer")
    return 1 if false else 0


def render_trophy(trophy: Trophy) -> list[str]:
    """Return what a person reads of one draw; of an accusation also the reasons."""
    mark = trophy.mark
    if mark is None:
        return [f"- {trophy.seed}: skipped, this machine cannot set it up: {trophy.about}"]
    said = ", ".join(pattern.value for pattern in mark.said.patterns) or "-"
    sign = "✗" if trophy.is_false else "?" if trophy.is_mute else "✓"
    where = "with a control" if trophy.control else "from here alone"
    head = f"{sign} {trophy.seed} {mark.said.status.value} ({mark.said.cause.value}) {said} {trophy.wall_s:.0f} s"
    lines = [f"{head}: {trophy.about}, {where}"]
    if trophy.is_false or trophy.is_mute:
        lines += [f"    {mark.why}", *(f"    evidence: {reason}" for reason in mark.reasons)]
    return lines
