"""Token buckets, and the lines of those who wait for a token."""

import asyncio
from collections import OrderedDict

MIN_BURST = 30.0
"""A single interactive check asks for about this many grants: it shall not wait behind its own first ones."""


class TokenBucket:
    """Fills at a steady rate up to one second of budget, or `MIN_BURST`; all times are boot seconds."""

    def __init__(self, rate_per_s: float, now_s: float, *, burst: float | None = None) -> None:
        self.rate_per_s = rate_per_s
        self.burst = max(rate_per_s, MIN_BURST) if burst is None else burst
        self._tokens = self.burst
        self._filled_at_s = now_s

    def take(self, now_s: float, tokens: float = 1.0) -> bool:
        """Take tokens if they are all there."""
        if now_s > self._filled_at_s:
            filled = self._tokens + (now_s - self._filled_at_s) * self.rate_per_s
            self._tokens = min(self.burst, filled)
            self._filled_at_s = now_s
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def holds(self, now_s: float, tokens: float) -> bool:
        """Tell whether so many tokens are there, and leave them."""
        self.take(now_s, 0.0)
        return self._tokens >= tokens

    def give_back(self) -> None:
        """Return a token that was taken and not used."""
        self._tokens = min(self.burst, self._tokens + 1.0)

    def wait_s(self) -> float:
        """Return how long the next token takes, seen from the last `take`."""
        return max(0.0, 1.0 - self._tokens) / self.rate_per_s

    def set_rate(self, rate_per_s: float, now_s: float, *, burst: float | None = None) -> None:
        """Change the budget; what has gathered so far stays, up to the new burst."""
        self.take(now_s, 0.0)
        self.rate_per_s = rate_per_s
        self.burst = max(rate_per_s, MIN_BURST) if burst is None else burst
        self._tokens = min(self._tokens, self.burst)


class SocketCount:
    """Sockets in flight against their limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0


class Line:
    """One budget and its queue, first come first served. `sockets` is None where no socket is opened."""

    def __init__(self, bucket: TokenBucket, sockets: SocketCount | None) -> None:
        self.bucket = bucket
        self._sockets = sockets
        # An ordered dictionary: anybody in it can leave at constant cost, so a storm of cancellations is linear.
        self.waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    def take(self, now_s: float) -> bool:
        """Take a token and a socket at once, unless one is missing or somebody was here before."""
        return not self.waiting and self._take(now_s)

    def _take(self, now_s: float) -> bool:
        sockets = self._sockets
        if sockets is None:
            return self.bucket.take(now_s)
        if sockets.in_flight >= sockets.limit or not self.bucket.take(now_s):
            return False
        sockets.in_flight += 1
        return True

    def give_back(self) -> None:
        """Undo a `take` that was not used."""
        self.bucket.give_back()
        self.free()

    def free(self) -> None:
        """Count a socket as closed."""
        if self._sockets is not None:
            self._sockets.in_flight -= 1

    def join(self) -> "asyncio.Future[None]":
        """Stand at the end; the future is done when token and socket are taken for it."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting[place] = None
        return place

    def leave(self, place: "asyncio.Future[None]") -> None:
        """Give up waiting; nothing happens to one that was served."""
        self.waiting.pop(place, None)

    def serve(self, now_s: float) -> float | None:
        """Serve from the front all that the budget allows.

        Returns after how many seconds to come back; None = when a socket is freed, or somebody joins.
        """
        while self.waiting:
            place = next(iter(self.waiting))
            if not place.cancelled():  # else its task was cancelled in this very turn and has not run yet
                if not self._take(now_s):
                    full = self._sockets is not None and self._sockets.in_flight >= self._sockets.limit
                    return None if full else self.bucket.wait_s()
                place.set_result(None)
            del self.waiting[place]
        return None
