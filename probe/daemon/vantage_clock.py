"""The baseline on its own clock: a full look every minute, one anchor every 15 s in turn."""

import asyncio
from collections.abc import Callable

from probe.model.vantage import Baseline
from probe.pipeline.monitor import VantageMonitor

FULL_EVERY_S = 60.0
ANCHOR_EVERY_S = 15.0


async def watch_vantage(monitor: VantageMonitor, take: Callable[[Baseline], None]) -> None:
    """Look for as long as the agent lives; an anchor that fails brings the next full look forward."""
    while True:
        take(await monitor.look())
        waited_s = 0.0
        while waited_s < FULL_EVERY_S:
            await asyncio.sleep(ANCHOR_EVERY_S)
            waited_s += ANCHOR_EVERY_S
            if waited_s < FULL_EVERY_S and not await monitor.touch_anchor():
                break
