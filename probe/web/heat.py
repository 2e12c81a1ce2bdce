"""The cells of all targets over a span of time, read hour by hour from the store and kept while they are asked for.

An hour that is over does not change, so it is read once. Reading and folding go on in threads.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum

from aiohttp import web

from probe.export.grid import HOUR_S, Grid, build_grid, fold_hour
from probe.export.pictures.cells import Axis
from probe.model.errors import UserError
from probe.store.hours import MINUTES, QUARTERS
from probe.web.agent_view import AgentView

_FRESH_S = 10.0
_APART_S = 0.2
_KEPT_HOURS = 31 * 24
_KEPT_QUARTERS = 26


class Span(StrEnum):
    """How far back a heat map goes."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_CELLS = {Span.HOUR: (60, 60), Span.DAY: (96, 900), Span.WEEK: (168, HOUR_S), Span.MONTH: (180, 4 * HOUR_S)}
"""How many cells, and the seconds of each."""


class HeatMap:
    """Keeps what was read."""

    def __init__(self, view: AgentView) -> None:
        self._view = view
        self._hours: dict[int, bytes] = {}
        """The worst of each target in an hour, by the hour."""
        self._quarters: dict[int, bytes] = {}
        self._grids: dict[Span, tuple[float, Grid]] = {}
        self._locks = {span: asyncio.Lock() for span in Span}

    async def warm(self, _app: web.Application) -> AsyncIterator[None]:
        """Read the last day, then slowly the week, before anybody asks: the first page is as quick as the next then."""
        reading = asyncio.create_task(self._warm())
        yield
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def _warm(self) -> None:
        with contextlib.suppress(UserError):  # what is wrong with the store is told to who asks for a page
            await self.grid(Span.DAY)
            current = int(self._view.wall_s() // HOUR_S)
            for hour in range(current, current - _CELLS[Span.WEEK][0], -1):
                if hour not in self._hours:
                    await self._read(hour, current)
                    await asyncio.sleep(_APART_S)  # nobody waits for it, and what is being measured must not

    async def grid(self, span: Span) -> Grid:
        """Return the cells of a span that ends now; at most ten seconds old."""
        async with self._locks[span]:
            now_s = self._view.wall_s()
            kept = self._grids.get(span)
            if kept is not None and 0 <= now_s - kept[0] < _FRESH_S:
                return kept[1]
            grid = await self._build(span, now_s)
            self._grids[span] = now_s, grid
            return grid

    async def _build(self, span: Span, now_s: float) -> Grid:
        cells, cell_s = _CELLS[span]
        end = int(now_s // cell_s) + 1
        axis = Axis(from_at=(end - cells) * cell_s, cell_s=cell_s, cells=cells)
        current = int(now_s // HOUR_S)
        hours = range(int(axis.from_at // HOUR_S), current + 1)
        if span is Span.HOUR:
            parts, source = MINUTES, {hour: (await self._view.hour(hour, MINUTES)).cells for hour in hours}
        else:
            parts, source = (QUARTERS, self._quarters) if span is Span.DAY else (1, self._hours)
            for hour in hours:
                if hour not in source or hour >= current - 1:
                    await self._read(hour, current)
            self._forget(current)
        numbers = await self._view.numbers()
        return await asyncio.to_thread(build_grid, axis, {h: source.get(h, b"") for h in hours}, numbers, parts=parts)

    async def find_span(self) -> Span:
        """Return the span that shows something: the last hour to an agent that is not older, else the day."""
        counts = (await self.grid(Span.DAY)).counts
        return Span.DAY if any(counts[: -2 * QUARTERS]) else Span.HOUR

    async def _read(self, hour: int, current: int) -> None:
        found = await self._view.hour(hour, QUARTERS)
        self._hours[hour] = await asyncio.to_thread(fold_hour, found)
        if hour > current - _KEPT_QUARTERS:
            self._quarters[hour] = found.cells

    def _forget(self, current: int) -> None:
        for kept, hours in ((self._hours, _KEPT_HOURS), (self._quarters, _KEPT_QUARTERS)):
            for hour in [hour for hour in kept if not current - hours < hour <= current]:
                del kept[hour]
