"""Runs a coroutine on the fastest loop there is: uvloop on Linux, the stock one elsewhere or when asked."""

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from probe.model.errors import UserError
from probe.net.stack import raise_descriptor_limit

T = TypeVar("T")
FEWEST_DESCRIPTORS = 32
"""Python, the loop, the database and the DNS sockets take some twenty; below that libraries break, not we."""

_TO_CLOSE = 4
"""Kept for the end: uvloop opens a pair of sockets to wind up, also where this process may open no other file."""


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
    """Run to the end and return what it returns; Ctrl-C cancels it.

    Raises:
        UserError: this process may open too few files for anything to work.
    """
    allowed = raise_descriptor_limit()
    if 0 < allowed < FEWEST_DESCRIPTORS:
        main.close()
        remedy = f"allow at least {FEWEST_DESCRIPTORS}, such as by `ulimit -n 1024`"
        raise UserError("open files", f"this process may have {allowed}, which is too few", remedy)
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(_TO_CLOSE)]
    runner = asyncio.Runner(loop_factory=loop_factory())
    try:
        return runner.run(main)
    finally:
        for descriptor in spare:
            os.close(descriptor)
        _close(runner)


def _close(runner: asyncio.Runner) -> None:
    """Wind up; where not even that may open a file the process is about to end anyway, and the answer stands."""
    try:
        runner.close()
    except (OSError, RuntimeError) as error:
        # After a shutdown that failed uvloop refuses to close, because it would be running still.
        first = error if isinstance(error, OSError) else error.__context__
        if not isinstance(first, OSError) or first.errno not in (errno.EMFILE, errno.ENFILE):
            raise
