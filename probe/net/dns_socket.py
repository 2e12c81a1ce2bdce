"""One UDP socket and the questions it carries, told apart by message id and sender."""

import array
import asyncio
import collections
import errno
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from probe.model.endpoint import Endpoint
from probe.net import error_queue
from probe.net.capabilities import IP_RECVTTL, IP_TTL, IPV6_HOPLIMIT, IPV6_RECVHOPLIMIT
from probe.net.inquiry import Inquiry, State
from probe.net.inquiry_timers import Timers
from probe.net.peer import Peer

if TYPE_CHECKING:
    from probe.net.dns_pool import DnsSockets

_MOST_DATAGRAM_BYTES = 4096
"""Three times what we say we take; more is cut by the kernel and then malformed."""
_ANCILLARY_BYTES = 64
_MOST_READS = 64
"""Datagrams read per wake-up: a flood must not hold the loop."""
_RANDOM_BYTES = 256
_TTL_KINDS = ((socket.IPPROTO_IP, IP_TTL), (socket.IPPROTO_IPV6, IPV6_HOPLIMIT))
_TTL = struct.Struct("=i")
_ON_LINUX = sys.platform == "linux"


class DnsSocket:
    """One UDP socket and the questions it carries, by message id."""

    def __init__(self, pool: "DnsSockets", timers: Timers, family: int, *, own: bool) -> None:
        self.asked = 0
        self.unanswered = 0
        self._pool = pool
        self._timers = timers
        self._own = own
        self._inquiries: dict[int, Inquiry] = {}
        self._random_ids = array.array("H")
        self._reserved: collections.deque[tuple[float, int, Inquiry]] = collections.deque()
        self._loop = asyncio.get_running_loop()
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._sock.setblocking(False)
            if pool.capabilities.reply_ttl:
                _want_ttl(self._sock)
            if own and pool.capabilities.error_queue:
                error_queue.enable(self._sock)
        except OSError:
            self._sock.close()
            raise
        self._fd = self._sock.fileno()
        self._loop.add_reader(self._fd, self._on_readable)

    # Sending

    def ask(self, inquiry: Inquiry, peer: Peer) -> None:
        """Give a question an id and send it.

        Raises:
            BadNameError: the name cannot be written in a message.
        """
        if self._reserved:
            self._free_ids()
        inquiries, message_id = self._inquiries, self._draw_id()
        while message_id in inquiries:
            message_id = self._draw_id()
        inquiry.begin(message_id, self, peer)
        inquiries[message_id] = inquiry
        self.asked += 1
        self.unanswered += 1
        self.send(inquiry)
        if inquiry.state is State.ASKING:
            self._timers.add(inquiry)

    def _draw_id(self) -> int:
        """Return an unpredictable id; the kernel is asked for many at once."""
        if not self._random_ids:
            self._random_ids.frombytes(os.urandom(_RANDOM_BYTES))
        return self._random_ids.pop()

    def send(self, inquiry: Inquiry) -> None:
        """Send the question, for the first time or again; a full buffer counts as a lost datagram.

        Linux says the same where it finds no free port to send from (udp(7)): that is our own fault, and no silence.
        """
        inquiry.sends += 1
        try:
            self._sock.sendto(inquiry.query, inquiry.peer.sockaddr)
        except (BlockingIOError, InterruptedError):
            if self._sock.getsockname()[1] == 0:
                self._take_error(inquiry, OSError(errno.EADDRNOTAVAIL, "no local port is free"))
        except OSError as error:
            self._take_error(inquiry, error)

    def schedule(self, inquiry: Inquiry) -> None:
        """Have `inquiry.tick` called when it is due."""
        self._timers.add(inquiry)

    # Receiving

    def _on_readable(self) -> None:
        for _ in range(_MOST_READS):
            try:
                data, ancillary, _, sender = self._sock.recvmsg(_MOST_DATAGRAM_BYTES, _ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._on_error(error)
            else:
                self._dispatch(data, _read_ttl(ancillary), sender[:2])
            if self._fd < 0:
                return

    def _dispatch(self, data: bytes, ip_ttl: int | None, sender: tuple[str, int]) -> None:
        inquiry = self._inquiries.get(data[0] << 8 | data[1]) if len(data) > 1 else None
        if inquiry is not None and inquiry.state is State.DONE and inquiry.reserved_until_s < self._pool.clock.boot_s():
            self.forget(inquiry)
            inquiry = None
        if inquiry is None:
            inquiry = self._find_intended(data, sender)
        if inquiry is None:
            self._pool.strays += 1
            return
        key = inquiry.peer.key
        if sender == key:
            inquiry.take(data, ip_ttl, "")
        else:
            other_port = str(Endpoint(address=sender[0], port=sender[1]))
            inquiry.take(data, ip_ttl, other_port if sender[0] == key[0] else sender[0])

    def _find_intended(self, data: bytes, sender: tuple[str, int]) -> Inquiry | None:
        """Say whose question a datagram with a strange id was meant for: the same question, or the only one there."""
        there = [one for one in self._inquiries.values() if one.peer.key == sender and one.state is not State.DONE]
        for inquiry in there:
            question = inquiry.query[12:]
            if data[12 : 12 + len(question)] == question:
                return inquiry
        return there[0] if len(there) == 1 else None

    def _on_error(self, error: OSError) -> None:
        for inquiry in list(self._inquiries.values()) if self._own else ():
            self._take_error(inquiry, error)
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.add_reader(self._fd, self._on_readable)

    def _take_error(self, inquiry: Inquiry, error: OSError) -> None:
        icmp = error_queue.drain(self._sock) if self._own else ()
        inquiry.fail(error, icmp[0] if icmp else None)

    # Ends

    def settle(self, inquiry: Inquiry) -> None:
        """Count a question as answered, or as given up: another may take its room."""
        self.unanswered -= 1
        self._pool.make_room()

    def reserve(self, inquiry: Inquiry) -> None:
        """Keep the id of an ended question for a while, so that a second reply to it is noticed."""
        hold_s = inquiry.ctx.hold_s
        if self._own or hold_s <= 0:
            self.forget(inquiry)
            return
        message_id = inquiry.query[0] << 8 | inquiry.query[1]
        inquiry.reserved_until_s = until_s = inquiry.ended_boot_s + hold_s
        self._reserved.append((until_s, message_id, inquiry))

    def forget(self, inquiry: Inquiry) -> None:
        """Free the id of a question, if it is still this question's."""
        message_id = inquiry.query[0] << 8 | inquiry.query[1]
        if self._inquiries.get(message_id) is inquiry:
            del self._inquiries[message_id]
        if self._own:
            self._pool.discard(self)

    def _free_ids(self) -> None:
        now = self._pool.clock.boot_s()
        while self._reserved and self._reserved[0][0] < now:
            _, message_id, inquiry = self._reserved.popleft()
            if self._inquiries.get(message_id) is inquiry and inquiry.state is State.DONE:
                del self._inquiries[message_id]

    def is_idle(self) -> bool:
        """Tell whether no reply can come any more that anybody would look at."""
        self._free_ids()
        return not self._inquiries

    def close(self) -> None:
        """Stop listening and close; safe to call twice."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._fd = -1
            self._sock.close()


def _want_ttl(sock: socket.socket) -> None:
    """Ask for the TTL of every datagram, where the system can say it."""
    if not _ON_LINUX:
        return
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)


def _read_ttl(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if (level, kind) in _TTL_KINDS and len(data) == _TTL.size:
            return int(_TTL.unpack(data)[0])
    return None
