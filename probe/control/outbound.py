"""The gate of measurements made for others: policy first, then a bound on open sockets.

Not `probe.gate`: that keeps one holder at a time at a place, so that nobody's follow-ups disturb each other on a
censored path. Here the path is clean, and many clients may ask about the same place at once.
"""

import asyncio
import collections
import errno
import itertools

from probe.control.policy import Policy
from probe.model.endpoint import Endpoint
from probe.model.experiment import Grant, Traffic
from probe.net.context import TooSoon

_MOST_GREETED = 10_000


class OutboundGate:
    """Implements `probe.net.context.Gatekeeper`. Long-lived, one per process. `policy=None` forbids nothing."""

    def __init__(self, policy: Policy | None, sockets: int) -> None:
        self._policy = policy
        self._limit = sockets
        self._serials = itertools.count(1)
        self._open: set[int] = set()
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._greeted_s: dict[str, float] = {}
        """When servers of tunnels were greeted, the longest ago first."""
        self.refused_total = 0

    @property
    def in_flight(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    async def ask(self, traffic: Traffic, endpoint: Endpoint | None, holder: str) -> Grant:
        """Grant what the policy allows, connections as soon as there is a socket for them.

        DNS questions pass: whom to ask is configured, never a client's choice.

        Raises:
            PermissionError: the policy forbids this address or port.
        """
        grant = Grant(serial=next(self._serials), traffic=traffic, endpoint=endpoint)
        if traffic is Traffic.DNS:
            return grant
        if endpoint is not None and self._policy is not None:
            echo = traffic is Traffic.ECHO
            reason = self._policy.refuses_address(endpoint.address) if echo else self._policy.refuses(endpoint)
            if reason:
                self.refused_total += 1
                raise PermissionError(errno.EACCES, reason)
        if len(self._open) >= self._limit:
            await self._wait()
        self._open.add(grant.serial)
        return grant

    def release(self, grant: Grant, *, bytes_sent: int = 0, bytes_received: int = 0) -> None:
        """Take a socket back, and let the next in line have it."""
        if grant.serial in self._open:
            self._open.remove(grant.serial)
            self._let_in()

    def triggered(self, endpoint: Endpoint, *, over_udp: bool = False) -> None:
        """Remember nothing: no censor is on this path."""

    async def claim_handshake(self, identity: str, spacing_s: float, patience_s: float) -> None:
        """Let each server be greeted once in so long, whoever asks for it.

        Raises:
            TooSoon: it was a moment ago.
        """
        now_s = asyncio.get_running_loop().time()
        wait_s = self._greeted_s.get(identity, float("-inf")) + spacing_s - now_s
        if wait_s > 0:
            raise TooSoon(wait_s)
        self._greeted_s.pop(identity, None)
        self._greeted_s[identity] = now_s
        while len(self._greeted_s) > _MOST_GREETED:
            del self._greeted_s[next(iter(self._greeted_s))]

    async def reserve(self, counter: str, at_least: int, count: int) -> int:
        """Refuse: a control has nobody's credentials, and goes no further than a greeting.

        Raises:
            PermissionError: always.
        """
        raise PermissionError(errno.EACCES, "a control has no keys of tunnels")

    async def _wait(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():
                self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
