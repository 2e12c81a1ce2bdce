from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp.test_utils import TestClient, TestServer

from probe.web.limits import DEFAULT_LIMITS
from probe.web.server import build_app
from tests.unit.web.fakes import FakeAgent

Connect = Callable[[FakeAgent], Awaitable[TestClient]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Give a client to the application over an agent; nothing decompresses behind the test's back."""
    async with AsyncExitStack() as stack:

        async def start(agent: FakeAgent) -> TestClient:
            server = TestServer(build_app(agent, DEFAULT_LIMITS))
            return await stack.enter_async_context(TestClient(server, auto_decompress=False))

        yield start
