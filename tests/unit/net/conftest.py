"""Steps are tested on both loops: they differ in how they watch a socket."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from probe.net.context import Context
from tests.fakes import make_context
from tests.unit.net.misbehaving import open_stack


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def ctx() -> AsyncIterator[Context]:
    """Give a context on the real clock with an open gate, and close its stack after the test."""
    stack = open_stack()
    yield make_context(stack)
    await stack.close()
