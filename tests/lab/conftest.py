"""One lab for all tests of a session; where the kernel refuses namespaces the tests are skipped and say why."""

import asyncio
import os

import pytest
import pytest_asyncio

from probe.lab.run import Lab
from probe.model.errors import UserError

SEED = int(os.environ.get("LAB_SEED", "0"))


def why_no_lab() -> str:
    """Return what the kernel refuses; empty if a lab can be set up."""

    async def try_once() -> None:
        async with Lab(SEED):
            pass

    try:
        asyncio.run(try_once())
    except UserError as error:
        return str(error)
    return ""


def pytest_collection_modifyitems(items):
    marked = [item for item in items if item.get_closest_marker("lab")]
    if not marked:
        return
    reason = why_no_lab()
    if reason:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab():
    async with Lab(SEED) as running:
        yield running
