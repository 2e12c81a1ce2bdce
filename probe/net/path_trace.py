"""Where on the way a packet ends: SYNs, hellos and requests that live for some hops only, from an ordinary socket.

Source: ip(7) `IP_TTL` and `IP_RECVERR`, ipv6(7) `IPV6_UNICAST_HOPS`; RFC 792 and RFC 4443 section 3.3. A SYN whose TTL
runs out fails with EHOSTUNREACH, and the error queue names the router. Data on an open connection gives the error
alone: the hop is counted, not named. A hello's connection is opened with the usual TTL, and ended with it, so that the
server hears of the end. The kernel sends a SYN again after one second, a hello sooner: the wait has room for that.
Linux only: elsewhere the trace is empty and says why.
"""

import asyncio
import contextlib
import errno
import os
import socket

from probe.model.endpoint import AddressFamily, Endpoint
from probe.model.experiment import Grant, Traffic
from probe.model.failure import Failure, IcmpError, Stage
from probe.model.path_trace import HopAnswer, HopSeen, PathTrace, TraceKind
from probe.net import error_queue
from probe.net.attempt import build_failure
from probe.net.capabilities import IPV6_UNICAST_HOPS
from probe.net.channel import Channel
from probe.net.context import Context
from probe.net.trust import Verification
from probe.protocols.engines.tls import TLSEngine
from probe.protocols.http.http1 import OutgoingRequest, build_request

AT_ONCE = 3
"""A trace and its control run side by side: together six connections (CONTRACT section 4)."""
WAIT_S = 1.7
PATIENCE_S = 5.0
"""A trace whose place is taken for longer than this says nothing: it refines a verdict and must not hold it up."""
USUAL_TTL = 64
_EXPIRY = {AddressFamily.V4: 11, AddressFamily.V6: 3}
"""ICMP type of time exceeded."""
_NON_BLOCKING_STREAM = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)
_ALPN = ("http/1.1",)
_BY_ERRNO = {
    errno.ECONNREFUSED: HopAnswer.RESET,
    errno.ECONNRESET: HopAnswer.RESET,
    errno.EPIPE: HopAnswer.RESET,
    errno.ETIMEDOUT: HopAnswer.SILENT,
    errno.EHOSTUNREACH: HopAnswer.FORBIDDEN,
    errno.ENETUNREACH: HopAnswer.FORBIDDEN,
    errno.EACCES: HopAnswer.FORBIDDEN,
    errno.ENOPROTOOPT: HopAnswer.FORBIDDEN,
    errno.EPROTO: HopAnswer.FORBIDDEN,
}


async def trace_syn(ctx: Context, endpoint: Endpoint, ttls: tuple[int, ...]) -> PathTrace:
    """Send one SYN for each TTL; append and return one `PathTrace`."""
    return await _Trace(ctx, endpoint, TraceKind.SYN).run(ttls)


async def trace_name(
    ctx: Context, endpoint: Endpoint, server_name: str, ttls: tuple[int, ...], *, path: str | None = None
) -> PathTrace:
    """Open a connection for each TTL and send a ClientHello with it; append and return one `PathTrace`.

    With a `path`, what is sent is a request for it in the clear.
    """
    kind = TraceKind.HELLO if path is None else TraceKind.REQUEST
    return await _Trace(ctx, endpoint, kind, server_name, path or "/").run(ttls)


class _Trace:
    """One sweep."""

    def __init__(
        self, ctx: Context, endpoint: Endpoint, kind: TraceKind, server_name: str = "", path: str = "/"
    ) -> None:
        self._ctx = ctx
        self._endpoint = endpoint
        self._kind = kind
        self._name = server_name
        self._path = path
        self._payload = b""
        self._hot = False
        self._queued_s = 0.0
        self._patient_until_s = ctx.stack.clock.boot_s() + min(PATIENCE_S, ctx.timeout_s)
        self._failure: Failure | None = None

    async def run(self, ttls: tuple[int, ...]) -> PathTrace:
        ctx, journal = self._ctx, self._ctx.journal
        transaction = journal.next_transaction()
        started_s = journal.elapsed_s()
        hops: tuple[HopSeen, ...] = ()
        try:
            self._prepare()
            turn = asyncio.Semaphore(AT_ONCE)
            hops = tuple(await asyncio.gather(*(self._try(ttl, turn) for ttl in sorted(ttls))))
        except OSError as error:
            self._failure = build_failure(Stage.CONNECT, error)
        trace = PathTrace(
            transaction=transaction,
            t0_s=started_s,
            t_s=journal.elapsed_s(),
            endpoint=self._endpoint,
            kind=self._kind,
            server_name=self._name,
            hops=hops,
            payload_bytes=len(self._payload),
            failure=self._failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
            queued_s=self._queued_s,
            hot=self._hot,
            asn=ctx.asn_of(self._endpoint.address),
        )
        journal.append(trace)
        if self._name and any(h.answer in (HopAnswer.RESET, HopAnswer.FIN, HopAnswer.SILENT) for h in hops):
            ctx.gate.triggered(self._endpoint)
        return trace

    def _prepare(self) -> None:
        """Build what is sent on open connections.

        Raises:
            OSError: this host cannot trace, or the name cannot be sent.
        """
        if not self._ctx.stack.capabilities.error_queue:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        if self._kind is TraceKind.HELLO:
            context = self._ctx.stack.trust.context(Verification.NONE, _ALPN)
            try:
                self._payload = TLSEngine(context, self._name).start()
            except ValueError as error:
                raise OSError(errno.ENOPROTOOPT, f"not a server name: {error}") from error
        elif self._kind is TraceKind.REQUEST:
            asked = OutgoingRequest(host=self._name, port=self._endpoint.port, secure=False, path=self._path)
            self._payload = build_request(asked)

    async def _try(self, ttl: int, turn: asyncio.Semaphore) -> HopSeen:
        ctx = self._ctx
        async with turn:
            try:
                # Many targets may share this place: whoever cannot have it soon goes without a trace.
                async with asyncio.timeout(max(0.0, self._patient_until_s - ctx.stack.clock.boot_s())):
                    grant = await ctx.gate.ask(Traffic.CONNECT, self._endpoint, ctx.holder)
            except (PermissionError, TimeoutError):
                return HopSeen(ttl=ttl, answer=HopAnswer.INSTRUMENT)
            self._queued_s = max(self._queued_s, grant.queued_s)
            self._hot = self._hot or grant.hot
            return await self._send(ttl, grant)

    async def _send(self, ttl: int, grant: Grant) -> HopSeen:
        ctx, clock = self._ctx, self._ctx.stack.clock
        started_s = clock.boot_s()
        icmp: tuple[IcmpError, ...] = ()
        channel: Channel | None = None
        sock: socket.socket | None = None
        try:
            sock = self._open_socket(ttl if self._kind is TraceKind.SYN else USUAL_TTL)
            channel = Channel(sock, self._endpoint, clock)
            number = sock.connect_ex((self._endpoint.address, self._endpoint.port))
            if number not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
                raise OSError(number, os.strerror(number))
            try:
                answer = await self._talk(channel, sock, ttl)
            except TimeoutError:
                answer = HopAnswer.SILENT
            except OSError as error:
                icmp = error_queue.drain(sock)
                answer = self._read(error, icmp)
        except OSError:
            answer = HopAnswer.INSTRUMENT
        finally:
            if channel is not None and sock is not None:
                with contextlib.suppress(OSError):
                    self._set_ttl(sock, USUAL_TTL)
                channel.close()
            elif sock is not None:
                sock.close()
            sent = channel.bytes_sent if channel is not None else 0
            ctx.gate.release(grant, bytes_sent=sent)
        router = icmp[-1].offender if icmp else ""
        return HopSeen(
            ttl=ttl,
            answer=answer,
            router=router,
            asn=ctx.asn_of(router) if router else 0,
            took_s=clock.boot_s() - started_s,
        )

    async def _talk(self, channel: Channel, sock: socket.socket, ttl: int) -> HopAnswer:
        """Send what the trace is about and say what came back.

        Raises:
            TimeoutError: nothing did.
            OSError: it was refused on the way, or by the peer.
        """
        ctx, clock = self._ctx, self._ctx.stack.clock
        wait_s = min(WAIT_S, ctx.timeout_s)
        if self._kind is TraceKind.SYN:
            await channel.open(clock.boot_s() + wait_s, tcp_info=ctx.stack.capabilities.tcp_info)
            return HopAnswer.ANSWERED
        try:
            await channel.open(clock.boot_s() + wait_s, tcp_info=ctx.stack.capabilities.tcp_info)
        except OSError:
            return HopAnswer.UNOPENED
        self._set_ttl(sock, ttl)
        deadline_s = clock.boot_s() + wait_s
        await channel.send(self._payload, deadline_s)
        return HopAnswer.ANSWERED if await channel.receive(1, deadline_s) else HopAnswer.FIN

    def _read(self, error: OSError, icmp: tuple[IcmpError, ...]) -> HopAnswer:
        """Say what an error means; the kernel's number for an expired packet is also that of a refusing router's."""
        if icmp:
            expired = icmp[-1].type == _EXPIRY[self._endpoint.family]
            return HopAnswer.EXPIRED if expired else HopAnswer.FORBIDDEN
        if error.errno == errno.EHOSTUNREACH and self._kind is not TraceKind.SYN:
            return HopAnswer.EXPIRED  # the queue stays empty for data; a SYN with the usual TTL has just passed
        return _BY_ERRNO.get(error.errno or 0, HopAnswer.INSTRUMENT)

    def _open_socket(self, ttl: int) -> socket.socket:
        v6 = self._endpoint.family is AddressFamily.V6
        sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, _NON_BLOCKING_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not error_queue.enable(sock):
                raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
            self._set_ttl(sock, ttl)
        except OSError:
            sock.close()
            raise
        return sock

    def _set_ttl(self, sock: socket.socket, ttl: int) -> None:
        if self._endpoint.family is AddressFamily.V6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
