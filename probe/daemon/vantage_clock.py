"""The baseline on its own clock: a full look every minute, one anchor every 15 s in turn."""

import asyncio
import logging
from collections.abc import Callable

from probe.model.vantage import Baseline
from probe.pipeline.monitor import VantageMonitor

log = logging.getLogger("wallprobe")
FULL_EVERY_S = 60.0
ANCHOR_EVERY_S = 15.0


async def watch_vantage(monitor: VantageMonitor, take: Callable[[Baseline], None]) -> None:
    """Look for as long as the agent lives; an anchor that fails brings the next full look forward."""
    while True:
        try:
            take(await monitor.look())
            await _touch_anchors(monitor)
        except Exception:
            # A fault of our own: failures are not judged meanwhile, and the next look may succeed.
            log.exception("look at the vantage crashed")
            await asyncio.sleep(ANCHOR_EVERY_S)


async def _touch_anchors(monitor: VantageMonitor) -> None:
    """Ask one anchor after another until a full look is due, or one fails."""
    for _ in range(int(FULL_EVERY_S // ANCHOR_EVERY_S) - 1):
        await asyncio.sleep(ANCHOR_EVERY_S)
        if not await monitor.touch_anchor():
            return
    await asyncio.sleep(ANCHOR_EVERY_S)
