"""Many scenarios over several labs side by side: most of the time each of them waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from probe.lab.run import Lab
from probe.lab.scenarios import build_all_scenarios
from probe.lab.scenarios.model import Scenario

T = TypeVar("T")
JOBS = 3


async def spread(
    names: tuple[str, ...], work: Callable[[Lab, Scenario], Awaitable[T]], *, seed: int = 0, jobs: int = JOBS
) -> AsyncIterator[T]:
    """Do the work in each scenario, and hand over what comes of it as it is ready.

    Raises:
        ExceptionGroup: the work, or a lab, failed; the other labs are closed then.
    """
    waiting = list(reversed(names))
    ready: asyncio.Queue[tuple[T, ...]] = asyncio.Queue()

    async def run_lab() -> None:
        async with Lab(seed) as lab:
            scenarios = build_all_scenarios(lab.world)
            while waiting:
                ready.put_nowait((await work(lab, scenarios[waiting.pop()]),))

    async with asyncio.TaskGroup() as labs:
        tasks = [labs.create_task(run_lab()) for _ in range(min(jobs, len(names)))]
        for task in tasks:
            task.add_done_callback(lambda _task: ready.put_nowait(()))
        ended = 0
        while ended < len(tasks):
            handed = await ready.get()
            ended += not handed
            for one in handed:
                yield one
