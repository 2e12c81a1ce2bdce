"""One holder at a time per address and port; others stand in line.

Why this cannot deadlock. Waiting happens on three levels, and each waits only for a lower one:
an ask waits for a seat; whoever has the seat waits, at most, in a budget's line; a budget's line waits for time to
pass and for operations in flight to end. An operation in flight waits, under its timeout, for the network or for
another one in flight: it asked before it opened, and asks for nothing exclusive while it is open. A holder that wants
a second connection to a seat it has is let in at once, even past others in line: queued behind them, it would wait
for itself. So no circle can form, and as a measurement opens a bounded number of connections, nobody waits for ever.
"""

import asyncio
from collections import OrderedDict

from probe.model.endpoint import Endpoint


class _Seat:
    """Who is in, how often, and who waits: holders in the order in which they came."""

    __slots__ = ("count", "holder", "waiting")

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.count = 1
        self.waiting: OrderedDict[str, OrderedDict[asyncio.Future[None], None]] | None = None


class Seats:
    """The seats that are taken."""

    def __init__(self) -> None:
        self._seats: dict[Endpoint, _Seat] = {}
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._seats)

    def sit(self, endpoint: Endpoint, holder: str) -> bool:
        """Take the seat if it is free or already this holder's."""
        seat = self._seats.get(endpoint)
        if seat is None:
            self._seats[endpoint] = _Seat(holder)
            return True
        if seat.holder != holder:
            return False
        seat.count += 1
        return True

    def holder_of(self, endpoint: Endpoint) -> str:
        """Return who is in; an empty string when nobody is."""
        seat = self._seats.get(endpoint)
        return "" if seat is None else seat.holder

    def join(self, endpoint: Endpoint, holder: str) -> "asyncio.Future[None]":
        """Stand in line, after `sit` said no; the future is done when the seat is this holder's."""
        seat = self._seats[endpoint]
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if seat.waiting is None:
            seat.waiting = OrderedDict()
        seat.waiting.setdefault(holder, OrderedDict())[place] = None
        self.waiting += 1
        return place

    def leave(self, endpoint: Endpoint, holder: str, place: "asyncio.Future[None]") -> None:
        """Give up waiting; nothing happens to one that was let in."""
        seat = self._seats.get(endpoint)
        if seat is None or seat.waiting is None:
            return
        places = seat.waiting.get(holder)
        if places is None or place not in places:
            return
        del places[place]
        self.waiting -= 1
        if not places:
            del seat.waiting[holder]

    def rise(self, endpoint: Endpoint) -> None:
        """Give up one share of the seat; with the last one it goes to the next holder, with all that holder's asks."""
        seat = self._seats[endpoint]
        seat.count -= 1
        while seat.count == 0:
            if not seat.waiting:
                del self._seats[endpoint]
                return
            seat.holder, places = seat.waiting.popitem(last=False)
            self.waiting -= len(places)
            for place in places:
                if not place.cancelled():  # cancelled in this very turn, and its task has not run yet
                    place.set_result(None)
                    seat.count += 1
