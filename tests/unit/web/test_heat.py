import asyncio
from contextlib import asynccontextmanager

from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from probe.export.grid import _fill
from probe.model.cell import encode_cell
from probe.model.pattern import Pattern
from probe.model.verdict import Status
from probe.web.heat import HeatMap, Span
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent

OK = encode_cell(Status.OK)
BLOCKED = encode_cell(Status.BLOCKED, Pattern.TLS_RESET_SNI)
FIRST, SECOND = (make_snapshot(number).target.id for number in (0, 1))


def make_agent(now_s: float = 1_699_999_200.0 + 1300) -> FakeAgent:
    agent = FakeAgent([make_snapshot(0), make_snapshot(1)])
    agent.now_s = now_s
    return agent


async def test_the_last_cell_is_the_quarter_that_is_now():
    agent = make_agent()
    hour = int(agent.now_s // 3600)
    agent.hours[hour] = bytes(4) + bytes([OK, BLOCKED, 0, 0])
    grid = await HeatMap(agent).grid(Span.DAY)
    assert grid.axis.from_at + 86400 == hour * 3600 + 1800
    assert list(grid.row(FIRST)[-2:]) == [OK, BLOCKED]
    assert set(grid.row(FIRST)[:-2]) == {0}
    assert set(grid.row(SECOND)) == {0}
    assert set(grid.row("unknown")) == {0}
    assert grid.counts[-1] == {Status.BLOCKED: 1}


async def test_what_was_found_holds_for_an_hour_and_no_longer():
    agent = make_agent()
    hour = int(agent.now_s // 3600)
    agent.hours[hour - 3] = bytes(4) + bytes([BLOCKED, 0, 0, 0])
    row = (await HeatMap(agent).grid(Span.DAY)).row(FIRST)
    assert list(row).count(BLOCKED) == 5
    week = (await HeatMap(agent).grid(Span.WEEK)).row(FIRST)
    assert list(week[-4:]) == [BLOCKED, BLOCKED, 0, 0]


async def test_an_hour_that_is_over_is_read_once():
    agent = make_agent()
    heat = HeatMap(agent)
    await heat.grid(Span.DAY)
    assert len(agent.hours_asked) == 25
    agent.hours_asked.clear()
    await heat.grid(Span.DAY)
    assert agent.hours_asked == [], "ten seconds are not over"
    agent.now_s += 11
    await heat.grid(Span.DAY)
    assert len(agent.hours_asked) == 2
    agent.hours_asked.clear()
    await heat.grid(Span.WEEK)
    assert len(agent.hours_asked) <= 168 - 25 + 2


async def test_longer_spans_show_the_worst_of_each_cell():
    agent = make_agent()
    hour = int(agent.now_s // 3600)
    for back in range(40):
        agent.hours[hour - back] = bytes(4) + bytes([OK, BLOCKED if back == 30 else OK, OK, OK])
    week = await HeatMap(agent).grid(Span.WEEK)
    assert week.row(FIRST)[-31] == BLOCKED
    assert list(week.row(FIRST)).count(BLOCKED) == 1
    month = await HeatMap(agent).grid(Span.MONTH)
    assert list(month.row(FIRST)).count(BLOCKED) == 1
    assert list(month.row(FIRST)).count(OK) in (9, 10)


async def test_the_last_hour_is_shown_minute_by_minute():
    agent = make_agent()
    hour = int(agent.now_s // 3600)
    agent.hours[hour] = bytes(4) + bytes([OK, BLOCKED, 0, 0])
    agent.hours[hour - 1] = bytes(4) + bytes([0, 0, 0, OK])
    grid = await HeatMap(agent).grid(Span.HOUR)
    assert (grid.axis.cells, grid.axis.cell_s) == (60, 60)
    row = list(grid.row(FIRST))
    now = int(agent.now_s % 3600 // 60)
    assert row[-1 - now :] == [OK] * 15 + [BLOCKED] * (now - 14)
    assert row[: 59 - now - 15].count(0) == 59 - now - 15


async def test_an_agent_of_less_than_an_hour_is_shown_by_the_minute():
    agent = make_agent()
    hour = int(agent.now_s // 3600)
    assert await HeatMap(agent).find_span() is Span.HOUR
    agent.hours[hour] = bytes(4) + bytes([OK] * 4)
    assert await HeatMap(agent).find_span() is Span.HOUR
    agent.hours[hour - 5] = bytes(4) + bytes([OK] * 4)
    assert await HeatMap(agent).find_span() is Span.DAY


async def test_the_last_day_is_read_before_anybody_asks():
    agent = make_agent()
    heat = HeatMap(agent)
    async with asynccontextmanager(heat.warm)(web.Application()):
        await heat.grid(Span.DAY)
        assert len(agent.hours_asked) == 25
        async with asyncio.timeout(10):
            while len(agent.hours_asked) < 27:  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.02)
    assert agent.hours_asked[25:27] == [agent.hours_asked[0] - back for back in (1, 2)]


async def test_hours_out_of_reach_are_forgotten():
    agent = make_agent()
    heat = HeatMap(agent)
    await heat.grid(Span.MONTH)
    agent.now_s += 40 * 86400
    await heat.grid(Span.DAY)
    assert len(heat._hours) <= 26


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=40, max_size=40))
def test_what_is_empty_is_taken_from_before_byte_by_byte(column: bytes, more: bytes):
    before = more[: len(column)]
    expected = [cell or other for cell, other in zip(column, before, strict=True)]
    filled = list(_fill(column, before))
    assert filled[1:] == expected[1:]
    assert filled[0] in (column[0], expected[0]), "no target has the number 0"
