"""The gate itself: an ask takes a seat, then a token and a socket, and is a `Grant`.

With budget at hand nothing is awaited: no task switch, no timer, no future.
"""

import asyncio
import errno
import math
from collections.abc import Awaitable, Callable

from probe.gate.descriptors import usable_sockets
from probe.gate.handshakes import Handshakes
from probe.gate.hot import HotPlaces
from probe.gate.line import Line, SocketCount, TokenBucket
from probe.gate.seats import Seats
from probe.gate.shared import SharedHandshakes
from probe.gate.stats import GateStats
from probe.gate.storm import StormGuard
from probe.gate.volume import DayVolume
from probe.model.endpoint import Endpoint
from probe.model.experiment import Grant, Traffic
from probe.model.ledger import Ledger, LedgerState
from probe.model.settings import Limits
from probe.net.clock import Clock
from probe.net.context import TooSoon

_DNS = Traffic.DNS
_SEATED = (Traffic.CONNECT, Traffic.DATAGRAM)
_DATAGRAM = Traffic.DATAGRAM
# Bound once and compared by identity: looking a member up and comparing it as text costs as much as all the rest.

_SAVE_EVERY_S = 1.0
"""Many triggers at once are saved together; a crash loses at most this much of them, or a bit more in a storm."""
_SAVED_PER_S = 10_000
"""Hot places written per second at most: the store works on the same loop."""


class Gate:
    """Budgets and memory of one process; implements `probe.net.context.Gatekeeper`.

    Echo requests and connections share one budget, as `Limits` has two. DNS questions travel on shared sockets, so
    they count against no socket limit. Only connections are exclusive: a resolver takes many questions at once.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        ledger: Ledger | None,
        commit: Callable[[], Awaitable[bool]] | None = None,
        shared: SharedHandshakes | None = None,
    ) -> None:
        """Begin with what the ledger remembers; `commit` returns once what was saved is on disk.

        `shared` counts handshakes together with other processes; a daemon, whom they ask, needs none.
        """
        now_s = clock.boot_s()
        self._clock = clock
        self._ledger = ledger
        self._kept = ledger.load() if ledger is not None else LedgerState()
        self._sockets = SocketCount(usable_sockets(limits.sockets))
        self._dns = Line(TokenBucket(limits.dns_per_s, now_s), None)
        self._connections = Line(TokenBucket(limits.connections_per_s, now_s), self._sockets)
        self._seats = Seats()
        self._hot = HotPlaces(clock, limits.cool_down_s)
        self._hot.restore(self._kept.hot)
        self._handshakes = Handshakes(clock, self._kept)
        self._commit = commit
        self._shared = shared
        self._reserving = asyncio.Lock()
        self._volume = DayVolume(limits.bytes_per_day, now_s)
        self._storm = StormGuard()
        self._in_flight: set[int] = set()
        self._serial = 0
        self._timer: asyncio.TimerHandle | None = None
        self._save_timer: asyncio.TimerHandle | None = None
        self._saved_at_s = -math.inf

    async def ask(self, traffic: Traffic, endpoint: Endpoint | None, holder: str) -> Grant:
        """Wait until the budgets, and the endpoint's other holders, allow one operation.

        Cancelled while it waits, it leaves no trace; what it had taken already goes to the next in line.
        """
        asked_at_s = now_s = self._clock.boot_s()
        line = self._dns if traffic is _DNS else self._connections
        seat = endpoint if traffic in _SEATED else None
        if seat is not None and not self._seats.sit(seat, holder):
            await self._wait_for_seat(seat, holder)
            now_s = self._clock.boot_s()
        if not line.take(now_s):
            await self._wait_in_line(line, seat)
            now_s = self._clock.boot_s()
        self._serial += 1
        self._in_flight.add(self._serial)
        return Grant(
            serial=self._serial,
            traffic=traffic,
            endpoint=endpoint,
            queued_s=now_s - asked_at_s,
            hot=endpoint is not None and self._hot.is_hot((endpoint, traffic is _DATAGRAM), holder, now_s),
        )

    def release(self, grant: Grant, *, bytes_sent: int = 0, bytes_received: int = 0) -> None:
        """Tell that the operation's socket is closed, and what it carried. A second time changes nothing."""
        if grant.serial not in self._in_flight:
            return
        self._in_flight.remove(grant.serial)
        if bytes_sent or bytes_received:
            self._volume.add(bytes_sent, bytes_received)
        if grant.traffic is not _DNS:
            self._sockets.in_flight -= 1
            if grant.traffic in _SEATED and grant.endpoint is not None:
                self._seats.rise(grant.endpoint)
            if self._connections.waiting:
                self._serve()

    def triggered(self, endpoint: Endpoint, *, over_udp: bool = False) -> None:
        """Tell that a step failed there after a name or a protocol signature was sent: it is hot now.

        It is hot for what goes by UDP, or for what goes by TCP. The step's channel is still open, so whoever has the
        seat did it: for that holder alone it does not count.
        """
        self._hot.trigger((endpoint, over_udp), self._seats.holder_of(endpoint))
        self._save_soon()

    async def claim_handshake(self, identity: str, spacing_s: float, patience_s: float) -> None:
        """Note that a full handshake begins now, waiting until it may.

        Raises:
            TooSoon: it would be longer than `patience_s` until it may.
        """
        give_up_s = self._clock.boot_s() + patience_s
        while (wait_s := self._wait_for_handshake(identity, spacing_s)) > 0:
            if self._clock.boot_s() + wait_s > give_up_s:
                raise TooSoon(wait_s)
            await asyncio.sleep(wait_s)
        self._handshakes.note(identity)
        self._save_soon()

    def _wait_for_handshake(self, identity: str, spacing_s: float) -> float:
        wait_s = self._handshakes.wait_s(identity, spacing_s)
        return wait_s if wait_s > 0 or self._shared is None else self._shared.claim(identity, spacing_s)

    async def reserve(self, counter: str, at_least: int, count: int) -> int:
        """Return the first of `count` numbers that were never given; with a ledger they are on disk as spent.

        Raises:
            OSError: it could not be written.
        """
        # One at a time: who comes while the disk is written to must not leave with numbers that are not yet on it.
        async with self._reserving:
            number, grows = self._handshakes.reserve(counter, at_least, count)
            if grows and self._ledger is not None:
                kept = False
                try:
                    self.save()
                    kept = self._commit is None or await self._commit()
                finally:
                    if not kept:
                        self._handshakes.forgo(counter)
                if not kept:
                    raise OSError(errno.EIO, "the counter could not be written to the database")
            return number

    def hot_until(self, endpoint: Endpoint, *, over_udp: bool = False) -> float | None:
        """Return the boot time at which it is cold again; None = it is cold."""
        return self._hot.until_s((endpoint, over_udp))

    @property
    def deep_allowed(self) -> bool:
        """Tell whether the day's bytes and the storm guard leave room for deep runs."""
        now_s = self._clock.boot_s()
        return self._volume.allows_deep(now_s) and self._storm.has_room(now_s)

    def expect(self, connections_per_s: float) -> None:
        """Tell the storm guard what the schedule costs when nothing fails."""
        self._storm.expect(connections_per_s, self._clock.boot_s())

    def may_follow_up(self, connections: int) -> bool:
        """Tell whether follow-ups of this size fit the storm guard's budget, and take them from it."""
        return self._storm.allows(connections, self._clock.boot_s())

    def adopt(self, limits: Limits) -> None:
        """Go on with other limits, as after a reload; what is in flight stays."""
        now_s = self._clock.boot_s()
        self._sockets.limit = usable_sockets(limits.sockets)
        self._dns.bucket.set_rate(limits.dns_per_s, now_s)
        self._connections.bucket.set_rate(limits.connections_per_s, now_s)
        self._hot.cool_down_s = limits.cool_down_s
        self._volume.limit_bytes = limits.bytes_per_day
        self._serve()

    def stats(self) -> GateStats:
        """Return the figures of this moment."""
        now_s = self._clock.boot_s()
        self._hot.forget_cold(now_s)
        waiting = len(self._dns.waiting), len(self._connections.waiting), self._seats.waiting
        return GateStats(
            in_flight=len(self._in_flight),
            sockets_in_flight=self._sockets.in_flight,
            sockets_limit=self._sockets.limit,
            queued=sum(waiting),
            waiting_for_dns=waiting[0],
            waiting_for_connections=waiting[1],
            waiting_for_endpoint=waiting[2],
            hot=len(self._hot),
            bytes_sent_total=self._volume.sent_total,
            bytes_received_total=self._volume.received_total,
            bytes_today=self._volume.today(now_s),
            deep_allowed=self._volume.allows_deep(now_s),
            grants_total=self._serial,
            follow_ups_deferred_total=self._storm.deferred_total,
        )

    def save(self) -> None:
        """Hand the memory to the ledger now."""
        if self._save_timer is not None:
            self._save_timer.cancel()
            self._save_timer = None
        if self._ledger is not None:
            self._saved_at_s = self._clock.boot_s()
            handshakes, counters = self._handshakes.snapshot()
            self._kept = LedgerState(hot=self._hot.snapshot(), handshakes=handshakes, counters=counters)
            self._ledger.save(self._kept)

    def close(self) -> None:
        """Save, and stop the timers; whoever still waits must be cancelled by its owner."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.save()

    async def _wait_for_seat(self, seat: Endpoint, holder: str) -> None:
        place = self._seats.join(seat, holder)
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self._seats.rise(seat)
            else:
                self._seats.leave(seat, holder, place)
            raise

    async def _wait_in_line(self, line: Line, seat: Endpoint | None) -> None:
        place = line.join()
        self._serve()
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                line.give_back()
            else:
                line.leave(place)
            if seat is not None:
                self._seats.rise(seat)
            self._serve()
            raise

    def _serve(self) -> None:
        """Serve both lines and come back when the next token is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self._clock.boot_s()
        waits = [wait_s for line in (self._dns, self._connections) if (wait_s := line.serve(now_s)) is not None]
        if waits:
            # Whole milliseconds, rounded up: uvloop rounds down, would come too early and spin.
            delay_s = (math.floor(min(waits) * 1000) + 1) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._serve)

    def _save_soon(self) -> None:
        if self._ledger is None or self._save_timer is not None:
            return
        every_s = max(_SAVE_EVERY_S, len(self._hot) / _SAVED_PER_S)
        wait_s = self._saved_at_s + every_s - self._clock.boot_s()
        if wait_s <= 0:
            self.save()
        else:
            self._save_timer = asyncio.get_running_loop().call_later(wait_s, self.save)
