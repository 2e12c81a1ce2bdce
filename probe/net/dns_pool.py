"""Shared UDP sockets for DNS questions: few, rotated, told apart by (socket, message id, sender).

Several sockets per family, each replaced after a number of questions: fresh source ports against spoofing, without a
socket per question. At most 200 unanswered questions per socket, because the kernel buffers a few hundred datagrams.
Shared sockets do not set `IP_RECVERR`; a question about ICMP errors gets a socket of its own. uvloop stops a handle on
POLLERR, so whoever drained an error queue re-arms the reader.
"""

import asyncio
import collections
import itertools
import socket

from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.net.capabilities import ALL, Capabilities
from probe.net.clock import Clock
from probe.net.dns_socket import DnsSocket
from probe.net.inquiry import Inquiry
from probe.net.inquiry_timers import Timers
from probe.net.peer import Peer
from probe.protocols.dns.codec import BadNameError

_SOCKETS_PER_FAMILY = 4
_QUESTIONS_PER_SOCKET = 500
_IN_FLIGHT_PER_SOCKET = 200
_MOST_PEERS = 1024


class DnsSockets:
    """The pool. Long-lived; made inside the running loop or before it, sockets are opened when first needed."""

    def __init__(
        self,
        clock: Clock,
        *,
        sockets_per_family: int = _SOCKETS_PER_FAMILY,
        questions_per_socket: int = _QUESTIONS_PER_SOCKET,
        in_flight_per_socket: int = _IN_FLIGHT_PER_SOCKET,
        capabilities: Capabilities = ALL,
    ) -> None:
        self.capabilities = capabilities
        """What its sockets may ask of the kernel; where that cannot, they do without anyway."""
        self.strays = 0
        """Datagrams that belonged to no question."""
        self.opened = 0
        """Sockets opened so far."""
        self.clock = clock
        self._sockets_per_family = sockets_per_family
        self._questions_per_socket = questions_per_socket
        self._in_flight_per_socket = in_flight_per_socket
        self._shared: dict[int, list[DnsSocket]] = {socket.AF_INET: [], socket.AF_INET6: []}
        self._retired: collections.deque[DnsSocket] = collections.deque()
        self._own: set[DnsSocket] = set()
        self._turn = 0
        self._peers: dict[Endpoint, Peer] = {}
        self._room: collections.deque[asyncio.Future[None]] = collections.deque()
        self._timers = Timers(clock)

    def peer(self, endpoint: Endpoint) -> Peer:
        """Return what is known of a resolver's address.

        Raises:
            OSError: it is no address, or names an interface that is not there.
        """
        found = self._peers.get(endpoint)
        if found is None:
            if len(self._peers) >= _MOST_PEERS:
                self._peers.clear()
            found = self._peers[endpoint] = Peer(endpoint)
        return found

    async def start(self, inquiry: Inquiry, endpoint: Endpoint, *, own_socket: bool = False) -> None:
        """Send a question, once one of the sockets has room; what goes wrong with sending ends it."""
        try:
            peer = self.peer(endpoint)
            if own_socket:
                chosen = DnsSocket(self, self._timers, peer.family, own=True)
                self._own.add(chosen)
            else:
                while (picked := self._pick(peer.family)) is None:
                    await self._wait_for_room(inquiry)
                chosen = picked
        except OSError as error:
            inquiry.fail(error)
            return
        try:
            chosen.ask(inquiry, peer)
        except BadNameError as error:
            if own_socket:
                self.discard(chosen)
            inquiry.reject(Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_NON_RECOVERABLE, detail=str(error)))

    def _pick(self, family: int) -> DnsSocket | None:
        """Return the next shared socket with room, opening and retiring as needed; `None` = all are full."""
        shared = self._shared[family]
        self._turn += 1
        for offset in range(self._sockets_per_family):
            index = (self._turn + offset) % self._sockets_per_family
            if index >= len(shared):
                shared.append(self._open(family))
                return shared[-1]
            found = shared[index]
            if found.asked >= self._questions_per_socket:
                shared[index] = self._open(family)
                self._retire(found)
                return shared[index]
            if found.unanswered < self._in_flight_per_socket:
                return found
        return None

    def _open(self, family: int) -> DnsSocket:
        self.opened += 1
        return DnsSocket(self, self._timers, family, own=False)

    def _retire(self, old: DnsSocket) -> None:
        """Keep a replaced socket until nothing can come back to it any more."""
        self._retired.append(old)
        for _ in range(len(self._retired)):
            if not self._retired[0].is_idle():
                break
            self._retired.popleft().close()

    async def _wait_for_room(self, inquiry: Inquiry) -> None:
        began = self.clock.boot_s()
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room.append(room)
        try:
            await room
        except asyncio.CancelledError:
            self.make_room()
            raise
        finally:
            inquiry.queued_s += self.clock.boot_s() - began

    def make_room(self) -> None:
        """Let the next question in that waits for a socket with room."""
        while self._room:
            waiting = self._room.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return

    def discard(self, own: DnsSocket) -> None:
        """Close a socket that served one question."""
        self._own.discard(own)
        own.close()

    def close(self) -> None:
        """Close every socket; questions still on their way get no answer."""
        self._timers.close()
        for one in itertools.chain(*self._shared.values(), self._retired, self._own):
            one.close()
        for shared in self._shared.values():
            shared.clear()
        self._retired.clear()
        self._own.clear()
