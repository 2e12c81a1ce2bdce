"""ICMP echo, once: a ping socket where the system allows it, else a raw one.

Source: icmp(7) `ping_group_range`, raw(7) `ICMP_FILTER`, RFC 3542 section 3.2 `ICMP6_FILTER`, ip(7) `IP_RECVTTL`.
Each echo has a connected socket of its own: the kernel then passes on this peer's replies only, and errors about this
peer's packets go to this socket's error queue.
"""

import asyncio
import errno
import os
import secrets
import socket
import struct
import sys

from probe.model.endpoint import AddressFamily, Endpoint
from probe.model.errors import ProtocolError
from probe.model.experiment import Traffic
from probe.model.failure import Failure, IcmpError, Stage
from probe.model.observation import ICMPEcho, Silence
from probe.net import error_queue
from probe.net.attempt import build_failure
from probe.net.capabilities import IP_RECVTTL, IP_TTL, IPV6_HOPLIMIT, IPV6_RECVHOPLIMIT, Capabilities
from probe.net.context import Context
from probe.net.tunnel import bind_to_device, refuse_datagrams
from probe.protocols.icmp_echo import build_request, parse_reply, strip_ipv4_header

_SEQUENCE = 1
_TOKEN_BYTES = 32
_READ_BYTES = 2048
_MOST_READS = 64
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1
_BLOCK_ALL_BUT_REPLY_V4 = struct.pack("=I", ~(1 << 0) & 0xFFFFFFFF)
_BLOCK_ALL_BUT_REPLY_V6 = struct.pack("=8I", *(0xFFFFFFFF & ~(1 << 1 if word == 4 else 0) for word in range(8)))
"""Bit 129 of 256: word 4, bit 1."""


async def echo(ctx: Context, address: str) -> bool:
    """Send one echo request and append one `ICMPEcho`; True = the reply came."""
    endpoint = Endpoint(address=address, port=0)
    grant = await ctx.gate.ask(Traffic.ECHO, endpoint, ctx.holder)
    attempt = _Echo(ctx, endpoint, ctx.journal.next_transaction())
    failure: Failure | None = None
    try:
        await attempt.run()
    except OSError as error:
        failure = build_failure(Stage.ECHO, error, attempt.take_icmp())
    finally:
        attempt.close()
        ctx.gate.release(grant, bytes_sent=attempt.bytes_sent, bytes_received=attempt.bytes_received)
    ctx.journal.append(
        ICMPEcho(
            transaction=attempt.transaction,
            t0_s=attempt.started_s,
            t_s=ctx.journal.elapsed_s() if failure is not None else attempt.ended_s,
            address=address,
            sequence=_SEQUENCE,
            ip_ttl=attempt.ip_ttl,
            failure=failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
            queued_s=grant.queued_s,
        )
    )
    return failure is None


class _Echo:
    """One request and the wait for its reply."""

    def __init__(self, ctx: Context, endpoint: Endpoint, transaction: int) -> None:
        self.transaction = transaction
        self.started_s = self.ended_s = ctx.journal.elapsed_s()
        self.ip_ttl: int | None = None
        self.bytes_sent = 0
        self.bytes_received = 0
        self._ctx = ctx
        self._endpoint = endpoint
        self._v6 = endpoint.family is AddressFamily.V6
        self._sock: socket.socket | None = None
        self._raw = False
        self._token = secrets.token_bytes(_TOKEN_BYTES)

    async def run(self) -> None:
        """Send and wait.

        Raises:
            OSError: no such socket here, an ICMP error came, or the deadline passed.
        """
        ctx = self._ctx
        refuse_datagrams(ctx.stack.tunnel)
        self._raw = _needs_raw(ctx.stack.capabilities, v6=self._v6)
        sock = self._sock = _open_socket(v6=self._v6, raw=self._raw, capabilities=ctx.stack.capabilities)
        bind_to_device(sock, ctx.stack.tunnel)
        sock.connect((self._endpoint.address, 0))
        request = build_request(secrets.randbits(16), _SEQUENCE, self._token, v6=self._v6)
        self.started_s = ctx.journal.elapsed_s()
        self.bytes_sent = sock.send(request)
        silence_after_s = min(ctx.silence_after_s(None), ctx.timeout_s)
        try:
            await self._wait(sock, silence_after_s)
        except TimeoutError as error:
            if error.errno:
                raise
            self._hush()
            await self._wait(sock, ctx.timeout_s - silence_after_s)

    async def _wait(self, sock: socket.socket, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not self._take_reply(sock):
                await _wait_readable(sock)

    def _take_reply(self, sock: socket.socket) -> bool:
        """Read what is there; True = our reply was among it. A flood gets its turn, not the loop."""
        for _ in range(_MOST_READS):
            try:
                data, ancillary, _, _ = sock.recvmsg(_READ_BYTES, socket.CMSG_SPACE(4))
            except (BlockingIOError, InterruptedError):
                break
            self.bytes_received += len(data)
            if self._is_ours(data):
                self.ended_s = self._ctx.journal.elapsed_s()
                self.ip_ttl = _read_ttl(ancillary)
                return True
        return False

    def _is_ours(self, data: bytes) -> bool:
        """Know our reply by its random payload: a ping socket's identifier is the kernel's."""
        try:
            message = strip_ipv4_header(data) if self._raw and not self._v6 else data
            reply = parse_reply(message, v6=self._v6)
        except ProtocolError:
            return False
        return reply.sequence == _SEQUENCE and reply.payload == self._token

    def _hush(self) -> None:
        ctx = self._ctx
        ctx.journal.hush(
            Silence(
                transaction=self.transaction,
                since_s=self.started_s,
                layer="icmp",
                endpoint=self._endpoint,
                experiment=ctx.experiment,
                hop=ctx.hop,
            )
        )

    def take_icmp(self) -> IcmpError | None:
        """Return the ICMP error that ended it, if one did and the kernel says so."""
        if self._sock is None or not self._ctx.stack.capabilities.error_queue:
            return None
        errors = error_queue.drain(self._sock)
        return errors[-1] if errors else None

    def close(self) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()


def _needs_raw(capabilities: Capabilities, *, v6: bool) -> bool:
    """Tell whether a raw socket is needed.

    Raises:
        PermissionError: this host lets us have neither kind.
    """
    if capabilities.ping_socket_v6 if v6 else capabilities.ping_socket:
        return False
    if capabilities.raw_socket_v6 if v6 else capabilities.raw_socket:
        return True
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _open_socket(*, v6: bool, raw: bool, capabilities: Capabilities) -> socket.socket:
    """Return a non-blocking socket that hears echo replies only.

    Raises:
        OSError: it cannot be had.
    """
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    sock = socket.socket(family, socket.SOCK_RAW if raw else socket.SOCK_DGRAM, protocol)
    try:
        sock.setblocking(False)
        if capabilities.error_queue:
            error_queue.enable(sock)
        if capabilities.reply_ttl:
            level, option = (socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT) if v6 else (socket.IPPROTO_IP, IP_RECVTTL)
            sock.setsockopt(level, option, 1)
        if raw and v6:
            sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _BLOCK_ALL_BUT_REPLY_V6)
        elif raw and sys.platform == "linux":
            sock.setsockopt(_SOL_RAW, _ICMP_FILTER, _BLOCK_ALL_BUT_REPLY_V4)
    except OSError:
        sock.close()
        raise
    return sock


async def _wait_readable(sock: socket.socket) -> None:
    """Wait for one event. The reader is made anew each time, because uvloop goes deaf on POLLERR."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock.fileno(), wake)
    try:
        await ready
    finally:
        loop.remove_reader(sock.fileno())


def _read_ttl(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, IP_TTL), (socket.IPPROTO_IPV6, IPV6_HOPLIMIT)):
            return int.from_bytes(data[:4], "little" if struct.pack("=H", 1)[0] else "big")
    return None
