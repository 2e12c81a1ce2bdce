"""The pages over a made-up vantage, served from a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from probe.model.episode import Event
from probe.model.measurement import Measurement
from probe.model.settings import WebSettings
from probe.model.stats import ScheduleStats, StoreStats
from probe.model.vantage import Baseline
from probe.store.hours import HourCells
from probe.store.store import Store
from probe.store.values import History, Run, StoredMeasurement
from probe.web.server import start_web
from tests.browser.seed import BASELINE, NOW, VANTAGE, make, seed, snapshot_of
from tests.unit.web.fakes import FakeAgent


class Seeded(FakeAgent):
    """What is on the list comes from the test, what was before from a real database."""

    def __init__(self, path: Path, count: int, hours: int = 168) -> None:
        made = make(count)
        super().__init__([snapshot_of(one) for one in made])
        self.store: Store = seed(path, made, hours)
        self.vantage_now = VANTAGE
        self.baseline_now = BASELINE
        self.now_s = NOW
        self.stats_now = type(self.stats_now)(
            schedule=ScheduleStats(targets=count, lag_s=0.012, in_flight=4, queued=2),
            store=StoreStats(size_bytes=412_000_000, measurements_total=20_000),
            controls={"fra-1": True},
        )

    async def runs(self, target: str, *, since: float, limit: int) -> Sequence[Run]:
        return await asyncio.to_thread(self.store.load_runs, target, since, self.now_s + 1, limit)

    async def measurement(self, measurement: str) -> Measurement | None:
        return await asyncio.to_thread(self.store.load_measurement, measurement)

    async def events(self, target: str, *, since: float, limit: int) -> Sequence[Event]:
        return await asyncio.to_thread(self.store.load_events, since, target or None, limit)

    async def history(self, target: str, *, since: float) -> History | None:
        return await asyncio.to_thread(self.store.load_history, target, since)

    async def kept(self, target: str, *, limit: int) -> Sequence[StoredMeasurement]:
        return await asyncio.to_thread(self.store.load_stored, target, limit=limit)

    async def baselines(self, *, since: float, limit: int) -> Sequence[Baseline]:
        return await asyncio.to_thread(self.store.load_baselines, since, limit)

    async def numbers(self) -> dict[str, int]:
        return await asyncio.to_thread(self.store.load_numbers)

    async def hour(self, hour: int, parts: int) -> HourCells:
        return await asyncio.to_thread(self.store.load_hour, hour, parts)


class Serving:
    """A server in a thread; `url` is where it is."""

    def __init__(self, agent: FakeAgent, settings: WebSettings | None = None) -> None:
        self.agent = agent
        self._settings = settings or WebSettings(listen=("127.0.0.1:0",))
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    async def _serve(self) -> None:
        server = await start_web(self.agent, self._settings, {})
        self.url = f"http://{server.addresses[0]}"
        self._up.set()
        await self._stop.wait()
        await server.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()
