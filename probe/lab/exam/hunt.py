"""The hunt for false accusations: the real check in honest worlds drawn by lot, one after the other in several labs."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from probe.lab.client.agent import Controls
from probe.lab.exam.score import Mark
from probe.lab.exam.sitting import mark_scenario
from probe.lab.honest.draw import Draw, accuses, draw_honest
from probe.lab.honest.tunnels import draw_honest_tunnel
from probe.lab.outside import raise_control
from probe.lab.run import Lab, UnsupportedError
from probe.lab.scenarios.model import Configured
from probe.model.errors import UserError


class Trophy(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in one honest world."""

    seed: int
    about: str
    control: bool
    mark: Mark | None = None
    """`None` = this machine cannot set the world up, or a tunnel never works in it."""
    wall_s: float = 0.0

    @property
    def is_false(self) -> bool:
        """Tell whether a network was accused."""
        return self.mark is not None and accuses(self.mark.said.status, self.mark.said.cause)

    @property
    def is_mute(self) -> bool:
        """Tell whether the check gave no answer at all."""
        return self.mark is not None and "gave no answer" in self.mark.why


async def hunt(
    seeds: tuple[int, ...],
    *,
    jobs: int,
    tell: Callable[[Trophy], None],
    patience: str = "",
    tunnels: bool = False,
) -> tuple[Trophy, ...]:
    """Judge these draws and tell of each at once; `patience` is what the agent is told to wait for a step at most.

    `tunnels` = the targets are tunnels.

    Raises:
        ExceptionGroup: the kernel refuses a lab.
    """
    waiting = list(reversed(seeds))
    found: list[Trophy] = []

    async def work() -> None:
        async with Lab() as lab:
            controls: Controls = ()
            while waiting:
                seed = waiting.pop()
                if not controls:
                    controls = await raise_control(lab)
                drawn = draw_honest_tunnel(lab.world, seed) if tunnels else draw_honest(lab.world, seed)
                trophy = await _judge(lab, seed, drawn, controls, patience)
                found.append(trophy)
                tell(trophy)

    async with asyncio.TaskGroup() as labs:
        for _ in range(min(jobs, len(seeds))):
            labs.create_task(work())
    return tuple(sorted(found, key=lambda one: one.seed))


async def _judge(lab: Lab, seed: int, drawn: Draw, controls: Controls, patience: str) -> Trophy:
    scenario = drawn.scenario
    if patience:
        scenario = msgspec.structs.replace(scenario, configured=Configured(timeout=patience))
    # A client with a wrong clock is a world whose clock is turned instead, and a control's would be turned with it.
    asked = drawn.control and not drawn.scenario.world.clock_offset_s
    lab.seed = seed  # which packets are lost is by lot as well
    started_s = time.monotonic()
    try:
        mark = await mark_scenario(lab, scenario, None, controls if asked else ())
    except (UnsupportedError, UserError):  # no such server here; or a line on which it never works
        mark = None
    wall_s = time.monotonic() - started_s
    return Trophy(seed=seed, about=drawn.scenario.about, control=asked, mark=mark, wall_s=wall_s)
