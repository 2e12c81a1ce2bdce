"""A small part of the hunt for false accusations: some honest worlds always, and one by lot. All: `wallprobe lab hunt`.

`LAB_SEED` repeats the draw; its number is printed where it accuses somebody.
"""

import asyncio
import os
import random

import pytest

from probe.cli.commands.lab_hunt import render_trophy
from probe.lab.exam.hunt import hunt
from probe.lab.honest.draw import draw_honest
from probe.lab.world.atlas import build_world

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

ALWAYS = (502, 507, 562, 564)
"""A denial that is remembered, a resolver that filters, a page that breaks beside others, a routing that refuses."""
PATIENCE = "2s"
"""So long a step is waited for: a lot may fall on a world of many silences."""


def draw_lot():
    """Return the number of a world without a control: what comes of it is not waited for again."""
    dice = random.Random(os.environ.get("LAB_SEED"))
    numbers = (dice.randrange(1_000, 1_000_000) for _ in range(100))
    return next(number for number in numbers if not draw_honest(build_world(0), number).control)


@pytest.fixture(scope="module")
def trophies():
    seeds = (*ALWAYS, draw_lot())
    return asyncio.run(hunt(seeds, jobs=3, tell=lambda trophy: None, patience=PATIENCE))


def test_no_honest_network_is_accused(trophies):
    false = [line for trophy in trophies if trophy.is_false for line in render_trophy(trophy)]
    assert not false, "\n".join(false)


def test_each_world_was_judged(trophies):
    assert len(trophies) == len(ALWAYS) + 1
    mute = [trophy.seed for trophy in trophies if trophy.is_mute and trophy.seed in ALWAYS]
    assert not mute
