"""What this host is configured with: its nameservers, and its own resolver function beside them.

`getaddrinfo` blocks, up to 20 s with dead nameservers, and the loop's default executor would be full of it; so it runs
in at most eight daemon threads of our own, and an answer that comes too late is dropped.
"""

import asyncio
import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from probe.model.observation import Resolver
from probe.net.resolv_conf import ResolvConf, ResolvConfFile

_MOST_THREADS = 8
_LOOK_EVERY_S = 1.0
"""resolv.conf is looked at this often at most."""

AddressLookup = Callable[[str, int], tuple[str, ...]]
"""Name and socket family to address literals; raises `socket.gaierror` or `UnicodeError`."""


def ask_getaddrinfo(name: str, family: int) -> tuple[str, ...]:
    """Ask the operating system, each address once.

    Raises:
        gaierror: there is no answer; the number says why.
        UnicodeError: the name cannot be a host name.
    """
    found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class _Job:
    """One call on its way to a thread and back."""

    __slots__ = ("family", "future", "loop", "name")

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, family: int) -> None:
        self.loop = loop
        self.future: asyncio.Future[tuple[str, ...]] = loop.create_future()
        self.name = name
        self.family = family


class SystemResolver:
    """The host's own view of names. Long-lived; threads are started when first needed."""

    def __init__(
        self, resolv_conf: str = "/etc/resolv.conf", *, port: int = 53, ask: AddressLookup = ask_getaddrinfo
    ) -> None:
        self._file = ResolvConfFile(resolv_conf, port=port)
        self._conf: ResolvConf | None = None
        self._looked_at_s = 0.0
        self._ask = ask
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._lock = threading.Lock()

    @property
    def threads(self) -> int:
        """Return how many threads were started."""
        return self._threads

    def configuration(self) -> ResolvConf:
        """Return what resolv.conf says, at most a second old."""
        now = time.monotonic()
        if self._conf is None or now - self._looked_at_s >= _LOOK_EVERY_S:
            self._conf = self._file.current()
            self._looked_at_s = now
        return self._conf

    def resolvers(self) -> tuple[Resolver, ...]:
        """Return the nameservers in their order; never empty."""
        return self.configuration().resolvers

    async def getaddrinfo(self, name: str, family: int, timeout_s: float) -> tuple[str, ...]:
        """Ask the operating system's own function; a later answer is dropped.

        Raises:
            TimeoutError: no answer in time, or no thread was free in time.
            gaierror: there is no answer; the number says why.
            UnicodeError: the name cannot be a host name.
        """
        job = _Job(asyncio.get_running_loop(), name, family)
        self._enlist()
        self._jobs.put(job)
        async with asyncio.timeout(timeout_s):
            return await job.future

    def _enlist(self) -> None:
        """Start a thread when all are busy and there may be more."""
        with self._lock:
            if self._idle > self._jobs.qsize() or self._threads >= _MOST_THREADS:
                return
            self._threads += 1
            name = f"getaddrinfo-{self._threads}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
            if job is None:
                return
            if not job.future.cancelled():
                self._answer(job)

    def _answer(self, job: _Job) -> None:
        addresses: tuple[str, ...] = ()
        error: Exception | None = None
        try:
            addresses = self._ask(job.name, job.family)
        except (OSError, UnicodeError) as caught:
            error = caught
        # The loop may be closed by now: then nobody waits.
        with contextlib.suppress(RuntimeError):
            job.loop.call_soon_threadsafe(_deliver, job.future, addresses, error)

    def close(self) -> None:
        """Let idle threads end; a stuck one ends with its call, or with the process."""
        for _ in range(self._threads):
            self._jobs.put(None)


def _deliver(future: "asyncio.Future[Any]", addresses: tuple[str, ...], error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(addresses)


class GivenResolvers(SystemResolver):
    """Resolvers that are named, in the place of this host's own: for steps that leave by a tunnel."""

    def __init__(self, resolvers: tuple[Resolver, ...]) -> None:
        super().__init__()
        self._given = resolvers

    def resolvers(self) -> tuple[Resolver, ...]:
        """Return them in their order."""
        return self._given
