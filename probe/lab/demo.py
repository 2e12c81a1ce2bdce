"""The demo: a lab whose censor changes, the agent as a daemon in it, and somebody who watches both from outside."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

import aiohttp
import msgspec

from probe.lab.censor.rules import RuleSet
from probe.lab.demo_story import Change, Story
from probe.lab.run import Lab
from probe.model.errors import UserError
from probe.model.verdict import Status

LOOK_EVERY_S = 0.25
START_WITHIN_S = 30.0
STOP_WITHIN_S = 6.0
USUAL_PORT = 9785
_KEPT_LINES = 20


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent's API says of a target: the fields that the demo shows."""

    address: str
    status: Status
    patterns: tuple[str, ...] = ()
    summary: str = ""
    episode_status: Status | None = None
    last_run_at: float = 0.0


class _Rows(msgspec.Struct, frozen=True, kw_only=True):
    targets: tuple[Row, ...]


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the censor's, and when the agent's page told of it; seconds after the change."""

    change: Change
    begun: bool = False
    noticed_after_s: float | None = None
    """The first verdict that shows it."""
    status: Status | None = None
    patterns: tuple[str, ...] = ()
    """As that verdict said."""
    had_episode: bool = False
    """There was an unreachable episode: only what has begun can end."""
    confirmed_after_s: float | None = None
    """The episode that begins or ends with it."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be shown at one moment."""

    at_s: float
    """After the censor was switched on."""
    rows: tuple[Row, ...]
    """Watched targets, in the story's order."""
    sightings: tuple[Sighting, ...]

    @property
    def is_settled(self) -> bool:
        """Tell whether every change was noticed and confirmed."""
        return all(sighting.confirmed_after_s is not None for sighting in self.sightings)


def open_listener(port: int | None) -> socket.socket:
    """Return a listening socket on loopback: on this port, or on the usual one if it is free, else on any.

    Raises:
        UserError: the port that was asked for cannot be had.
    """
    for wanted in (USUAL_PORT, 0) if port is None else (port,):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", wanted))
            bound.listen(128)
        except OSError as error:
            bound.close()
            refused = error
            continue
        return bound
    raise UserError(f"demo --port {port}", refused.strerror or str(refused), "choose another port, or leave it out")


class Demo:
    """A story being told; `base_url` is where the agent's page is."""

    def __init__(self, lab: Lab, story: Story, listener: socket.socket) -> None:
        self._lab = lab
        self._story = story
        self._listener = listener
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._began_s = 0.0
        self.base_url = "http://{}:{}".format(*listener.getsockname())

    async def tell(self, show: Callable[[Scene], None], *, stays: bool = False) -> Scene:
        """Tell the story to its end, or with `stays` until cancelled; return the last scene.

        Raises:
            UserError: the agent ended, or never answered.
        """
        await self._lab.play(msgspec.structs.replace(self._story.scenario, rules=RuleSet()))
        async with self._running_agent() as exited, aiohttp.ClientSession(trust_env=False) as browser:
            await self._wait_until_ready(browser, exited)
            await self._lab.censor(self._story.scenario)
            self._began_s = time.monotonic()
            sightings = tuple(Sighting(change=change) for change in self._story.changes)
            while True:
                at_s = time.monotonic() - self._began_s
                rows = await self._look(browser)
                sightings = tuple(observe(sighting, rows, at_s) for sighting in sightings)
                scene = Scene(at_s=at_s, rows=rows, sightings=sightings)
                show(scene)
                if not stays and (at_s >= self._story.duration_s or scene.is_settled):
                    return scene
                self._refuse_end(exited)
                await asyncio.sleep(LOOK_EVERY_S)

    @contextlib.asynccontextmanager
    async def _running_agent(self) -> AsyncIterator["asyncio.Future[int]"]:
        """Run the daemon in the client, on our socket; what it writes is kept for the case that it ends."""
        path = self._lab.write_file("demo.yml", self._story.config)
        argv = [sys.executable, "-m", "probe", "run", "--config.file", path, "--log.level", "warn"]
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        read, write = os.pipe2(os.O_CLOEXEC)
        number, exited = self._lab.spawn(argv, (nothing, nothing, write, self._listener.fileno()))
        for descriptor in (nothing, write):
            os.close(descriptor)
        listening = asyncio.create_task(self._keep_lines(read))
        try:
            yield exited
        finally:
            self._lab.kill(number, signal.SIGTERM)
            await asyncio.wait([exited], timeout=STOP_WITHIN_S)
            listening.cancel()

    async def _keep_lines(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        with os.fdopen(descriptor, "rb") as pipe:
            transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
            try:
                while line := await reader.readline():
                    self._said.append(line.decode(errors="replace").strip())
            finally:
                transport.close()

    async def _wait_until_ready(self, browser: aiohttp.ClientSession, exited: "asyncio.Future[int]") -> None:
        """Wait until the agent has seen every target once."""
        until_s = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until_s:
            self._refuse_end(exited)
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with browser.get(f"{self.base_url}/-/ready", timeout=aiohttp.ClientTimeout(2.0)) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
        raise UserError("demo", self._last_line("the agent did not become ready"), "look at `wallprobe lab run clean`")

    def _refuse_end(self, exited: "asyncio.Future[int]") -> None:
        if exited.done():
            said = self._last_line(f"the agent ended with code {exited.result()}")
            raise UserError("demo", said, "try `wallprobe lab run clean`, and the agent in it")

    def _last_line(self, otherwise: str) -> str:
        return f"{otherwise} ({self._said[-1]})" if self._said else otherwise

    async def _look(self, browser: aiohttp.ClientSession) -> tuple[Row, ...]:
        """Return what the page says of the watched targets."""
        async with browser.get(f"{self.base_url}/api/v1/targets", timeout=aiohttp.ClientTimeout(10.0)) as answer:
            found = msgspec.json.decode(await answer.read(), type=_Rows)
        by_address = {row.address.rstrip("/"): row for row in found.targets}
        return tuple(by_address[one.address.rstrip("/")] for one in self._story.watched)


def observe(sighting: Sighting, rows: tuple[Row, ...], at_s: float) -> Sighting:
    """Note what these rows say of a change; what was noted before stays."""
    change = sighting.change
    since_s = at_s - change.at_s
    row = next(row for row in rows if row.address.rstrip("/") == change.address.rstrip("/"))
    had_episode = sighting.had_episode or row.episode_status not in (None, Status.OK)
    seen = msgspec.structs.replace(sighting, had_episode=had_episode)
    if since_s < 0 or sighting.confirmed_after_s is not None:
        return seen
    seen = msgspec.structs.replace(seen, begun=True)
    if seen.noticed_after_s is None and row.status is not Status.INSUFFICIENT and _shows(row.status, change):
        seen = msgspec.structs.replace(seen, noticed_after_s=since_s, status=row.status, patterns=row.patterns)
    if seen.noticed_after_s is not None and had_episode and _shows(row.episode_status, change):
        seen = msgspec.structs.replace(seen, confirmed_after_s=since_s)
    return seen


def _shows(status: Status | None, change: Change) -> bool:
    return (status is Status.OK) is change.lifted
