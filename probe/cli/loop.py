"""Runs a coroutine on the fastest loop there is: uvloop on Linux, the stock one elsewhere or when asked."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory, or `None` for the stock loop (`WALLPROBE_LOOP=asyncio`, or no uvloop)."""
    if os.environ.get("WALLPROBE_LOOP") == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end and return what it returns; Ctrl-C cancels it."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)
