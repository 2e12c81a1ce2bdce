"""TCP connect, once, to one address: no happy eyeballs, no hidden retry.

Source: tcp(7), ip(7) `IP_MINTTL` (RFC 5082's receive check), ipv6(7) `IPV6_MINHOPCOUNT`; `kernel_tcp` for timing.
"""

import contextlib
import errno
import os
import socket
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import msgspec

from probe.model.endpoint import AddressFamily, Endpoint
from probe.model.experiment import Grant, Traffic
from probe.model.failure import IcmpError, Stage
from probe.model.observation import Ending, Silence, TCPConnect
from probe.net import error_queue
from probe.net.attempt import build_failure
from probe.net.capabilities import IP_MINTTL, IP_RECVERR, IPV6_MINHOPCOUNT, IPV6_RECVERR, Capabilities
from probe.net.channel import Channel
from probe.net.context import Context
from probe.net.kernel_tcp import read_kernel_view
from probe.net.tunnel import Tunnel, bind_to_device, pass_proxy

_MOST_HELD_BYTES = 256
_NON_BLOCKING_STREAM = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)
"""One system call less where the kernel takes the flag with the type."""


def connect(ctx: Context, endpoint: Endpoint, *, min_ttl: int = 0) -> AbstractAsyncContextManager[Channel | None]:
    """Connect and append one `TCPConnect`; the channel closes with the block, `None` = it failed.

    `min_ttl` lets our kernel drop whatever comes with a lower TTL or hop limit.
    """
    return _Connection(ctx, endpoint, min_ttl)


async def hold(ctx: Context, endpoint: Endpoint, *, for_s: float) -> None:
    """Connect, send nothing and see whether the peer resets, closes, speaks or stays; one `TCPConnect`."""
    connection = _Connection(ctx, endpoint, 0)
    try:
        channel, observation = await connection.dial()
        if channel is not None:
            observation = await _listen(ctx, channel, observation, for_s)
        ctx.journal.append(observation)
    finally:
        connection.close()


async def _listen(ctx: Context, channel: Channel, connected: TCPConnect, for_s: float) -> TCPConnect:
    """Wait on an idle connection; a peer that speaks is heard until it ends or the time is over."""
    started_s = ctx.stack.clock.boot_s()
    ending: Ending | None = None
    heard = b""
    try:
        while data := await channel.receive(_MOST_HELD_BYTES, started_s + for_s):
            heard = (heard + data)[:_MOST_HELD_BYTES]
        ending = Ending.FIN
    except TimeoutError as error:
        # The kernel's ETIMEDOUT is a TimeoutError as our own deadline is; only the kernel's has an errno.
        ending = Ending.ERROR if error.errno else None
    except OSError as error:
        ending = Ending.RESET if error.errno in (errno.ECONNRESET, errno.EPIPE) else Ending.ERROR
    held_s = ctx.stack.clock.boot_s() - started_s
    return msgspec.structs.replace(connected, held_s=held_s, held_ending=ending, held_bytes=heard)


class _Connection:
    """One attempt from grant to release."""

    __slots__ = ("_channel", "_ctx", "_endpoint", "_grant", "_min_ttl", "_sock")

    def __init__(self, ctx: Context, endpoint: Endpoint, min_ttl: int) -> None:
        self._ctx = ctx
        self._endpoint = endpoint
        self._min_ttl = min_ttl
        self._grant: Grant | None = None
        self._sock: socket.socket | None = None
        self._channel: Channel | None = None

    async def __aenter__(self) -> Channel | None:
        try:
            channel, observation = await self.dial()
        except BaseException:
            self.close()
            raise
        self._ctx.journal.append(observation)
        return channel

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open and give the grant back; may be called at any stage."""
        sent = received = 0
        if self._channel is not None:
            sent, received = self._channel.bytes_sent, self._channel.bytes_received
            self._channel.close()
        elif self._sock is not None:
            self._sock.close()
        if self._grant is not None:
            self._ctx.gate.release(self._grant, bytes_sent=sent, bytes_received=received)
        self._channel = self._sock = self._grant = None

    async def dial(self) -> tuple[Channel | None, TCPConnect]:
        """Connect; return the channel, `None` if it failed, and what was seen."""
        ctx, journal = self._ctx, self._ctx.journal
        try:
            grant = self._grant = await ctx.gate.ask(Traffic.CONNECT, self._endpoint, ctx.holder)
        except PermissionError as error:
            return None, self._build_refused(error)
        transaction = journal.next_transaction()
        started_s = journal.elapsed_s()
        channel, failure, retransmits = None, None, 0
        tunnel = ctx.stack.tunnel
        proxied = tunnel is not None and tunnel.proxy is not None
        icmp: tuple[IcmpError, ...] = ()
        try:
            self._sock = _open_socket(self._first_stop, ctx.stack.capabilities, self._min_ttl, tunnel)
            started_s = journal.elapsed_s()
            channel, retransmits = await self._finish(self._sock, transaction, started_s)
        except OSError as error:
            if self._sock is not None:
                icmp = error_queue.drain(self._sock) if ctx.stack.capabilities.error_queue else ()
                view = read_kernel_view(self._sock) if ctx.stack.capabilities.tcp_info else None
                retransmits = view.retransmits if view is not None else 0
            failure = build_failure(Stage.CONNECT, error, self._place(icmp[-1]) if icmp else None)
        return channel, TCPConnect(
            transaction=transaction,
            t0_s=started_s,
            t_s=journal.elapsed_s(),
            endpoint=self._endpoint,
            local_port=channel.local_port if channel is not None else 0,
            kernel_rtt_s=(
                channel.rtt_s if channel is not None and ctx.stack.capabilities.tcp_info and not proxied else None
            ),
            syn_retransmits=retransmits,
            min_ttl=self._min_ttl,
            failure=failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
            queued_s=grant.queued_s,
            hot=grant.hot,
            asn=ctx.asn_of(self._endpoint.address),
        )

    @property
    def _first_stop(self) -> Endpoint:
        """Return where the packets go: to the place itself, or to the proxy on the way to it."""
        tunnel = self._ctx.stack.tunnel
        return tunnel.proxy if tunnel is not None and tunnel.proxy is not None else self._endpoint

    def _place(self, icmp: IcmpError) -> IcmpError:
        """Say in whose network the sender of an ICMP error is."""
        return msgspec.structs.replace(icmp, asn=self._ctx.asn_of(icmp.offender)) if icmp.offender else icmp

    def _build_refused(self, error: PermissionError) -> TCPConnect:
        """Return the observation of a connection that the gate forbids: nothing was opened, nothing learned."""
        ctx = self._ctx
        now_s = ctx.journal.elapsed_s()
        return TCPConnect(
            transaction=ctx.journal.next_transaction(),
            t0_s=now_s,
            t_s=now_s,
            endpoint=self._endpoint,
            failure=build_failure(Stage.CONNECT, error),
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
        )

    async def _finish(self, sock: socket.socket, transaction: int, started_s: float) -> tuple[Channel, int]:
        """Send the SYN and wait; return the open channel and how often the SYN was sent again."""
        ctx = self._ctx
        tcp_info = ctx.stack.capabilities.tcp_info
        channel = self._channel = Channel(sock, self._endpoint, ctx.stack.clock)
        if self._first_stop is not self._endpoint:
            return await self._finish_by_proxy(sock, channel), 0
        number = sock.connect_ex((self._endpoint.address, self._endpoint.port))
        if number not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            raise OSError(number, os.strerror(number))
        now_s = ctx.stack.clock.boot_s()
        deadline_s = now_s + ctx.timeout_s
        try:
            view = await channel.open(min(now_s + ctx.silence_after_s(None), deadline_s), tcp_info=tcp_info)
        except TimeoutError as error:
            if error.errno:
                raise
            self._hush(transaction, started_s)
            view = await channel.open(deadline_s, tcp_info=tcp_info)
        if channel.rtt_s is None:
            channel.rtt_s = ctx.journal.elapsed_s() - started_s
        if ctx.stack.capabilities.error_queue:
            _ignore_soft_errors(sock, v6=self._endpoint.family is AddressFamily.V6)
        return channel, view.retransmits if view is not None else 0

    async def _finish_by_proxy(self, sock: socket.socket, channel: Channel) -> Channel:
        """Connect to the proxy and have it connect us; what is wrong with the proxy itself is not the place's."""
        ctx, tunnel, proxy = self._ctx, self._ctx.stack.tunnel, self._first_stop
        assert tunnel is not None
        started_s = ctx.stack.clock.boot_s()
        deadline_s = started_s + ctx.timeout_s
        try:
            number = sock.connect_ex((proxy.address, proxy.port))
            if number not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
                raise OSError(number, os.strerror(number))
            await channel.open(deadline_s, tcp_info=False)
        except OSError as error:
            raise OSError(errno.EACCES, f"the proxy: {error.strerror or 'no answer'}") from error
        await pass_proxy(channel, tunnel, self._endpoint, deadline_s)
        channel.rtt_s = ctx.stack.clock.boot_s() - started_s
        return channel

    def _hush(self, transaction: int, since_s: float) -> None:
        ctx = self._ctx
        ctx.journal.hush(
            Silence(
                transaction=transaction,
                since_s=since_s,
                layer="tcp",
                endpoint=self._endpoint,
                experiment=ctx.experiment,
                hop=ctx.hop,
            )
        )


def _open_socket(
    endpoint: Endpoint, capabilities: Capabilities, min_ttl: int, tunnel: Tunnel | None = None
) -> socket.socket:
    """Return a non-blocking socket with the options of a measurement.

    Raises:
        OSError: no descriptor left, no such family, or an option that this host does not have.
    """
    v6 = endpoint.family is AddressFamily.V6
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, _NON_BLOCKING_STREAM)
    try:
        if _NON_BLOCKING_STREAM == socket.SOCK_STREAM:
            sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bind_to_device(sock, tunnel)
        if capabilities.error_queue:
            error_queue.enable(sock)
        if min_ttl:
            if not (capabilities.min_hop_count if v6 else capabilities.min_ttl):
                raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
            level, option = (socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT) if v6 else (socket.IPPROTO_IP, IP_MINTTL)
            sock.setsockopt(level, option, min_ttl)
    except OSError:
        sock.close()
        raise
    return sock


def _ignore_soft_errors(sock: socket.socket, *, v6: bool) -> None:
    """Treat ICMP errors as every client does once it is connected: with `IP_RECVERR` a forged one would end it."""
    level, option = (socket.IPPROTO_IPV6, IPV6_RECVERR) if v6 else (socket.IPPROTO_IP, IP_RECVERR)
    with contextlib.suppress(OSError):
        sock.setsockopt(level, option, 0)
