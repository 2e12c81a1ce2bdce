"""QUIC to one place, once: one socket, one handshake, one observation, and the connection that follows.

Source: RFC 9000; RFC 9308 section 2 (what UDP meets on the way). Each try has a 4-tuple of its own; aioquic's
retransmissions belong to it. The engine is imported where it is needed: a healthy site over TCP never loads it.
"""

import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from probe.model.endpoint import Endpoint, is_literal
from probe.model.experiment import Grant, Traffic
from probe.model.failure import Failure, FailureCode, IcmpError, Stage
from probe.model.observation import QUICHandshake, QUICStage, Silence
from probe.net.attempt import build_failure, verify_code_to_failure
from probe.net.context import Context
from probe.net.datagrams import Datagrams

if TYPE_CHECKING:
    from probe.protocols.engines.quic import QUICEngine

_PATIENCE_S = 1.0
"""Without a datagram for so long the planner is told: by then a lost first flight was sent again twice."""
_MOST_AT_ONCE = 64
"""Datagrams read in one turn: a flood gets its turn, not the loop."""
_CRYPTO_ERRORS = range(0x100, 0x200)


class QUICChannel:
    """An open connection."""

    def __init__(self, ctx: Context, socket: Datagrams, engine: "QUICEngine") -> None:
        self.engine = engine
        self.socket = socket
        self.rtt_s: float | None = None
        self._clock = ctx.stack.clock

    @property
    def endpoint(self) -> Endpoint:
        """Return the address and port it leads to."""
        return self.socket.endpoint

    async def drive(self, over: Callable[[], bool], deadline_s: float) -> None:
        """Send, receive and keep the timers until something holds or the connection has ended.

        Raises:
            TimeoutError: the deadline passed; may be called again.
            OSError: an ICMP error came, or there is no way there.
        """
        engine = self.engine
        while not over() and engine.farewell is None:
            self.flush()
            due_s = engine.timer()
            now_s = self._clock.boot_s()
            if now_s >= deadline_s:
                raise TimeoutError
            try:
                data = await self.socket.receive(deadline_s if due_s is None else min(deadline_s, due_s))
            except TimeoutError as error:
                if error.errno:
                    raise
                now_s = self._clock.boot_s()
                if due_s is not None and now_s >= due_s:
                    engine.fire(now_s)
                continue
            engine.feed(data, self._clock.boot_s())
            for _ in range(_MOST_AT_ONCE):
                more = self.socket.take()
                if more is None:
                    break
                engine.feed(more, self._clock.boot_s())

    def flush(self) -> None:
        """Send what the engine has ready.

        Raises:
            OSError: an ICMP error came, or there is no way there.
        """
        for data in self.engine.flush(self._clock.boot_s()):
            self.socket.send(data)


def quic(
    ctx: Context,
    endpoint: Endpoint,
    *,
    server_name: str,
    verify_name: str | None = None,
    alpn: tuple[str, ...] = ("h3",),
    verify: bool = True,
    low_port: bool = False,
    large: bool = False,
) -> AbstractAsyncContextManager[QUICChannel | None]:
    """Shake hands and append one `QUICHandshake`; the connection closes with the block, `None` = it failed.

    `server_name` is what is sent, empty = none; `verify_name` who the peer must be, the name sent unless said.
    `verify=False` completes without asking, for neutral names; `low_port` = from a source port not above the peer's;
    `large` = the hello takes two datagrams, as browsers' do.
    """
    meant = verify_name or server_name or endpoint.address
    return _Connection(ctx, endpoint, server_name, meant, alpn, verify=verify, low_port=low_port, large=large)


class _Connection:
    """One attempt from grant to release."""

    def __init__(
        self,
        ctx: Context,
        endpoint: Endpoint,
        name: str,
        meant: str,
        alpn: tuple[str, ...],
        *,
        verify: bool,
        low_port: bool,
        large: bool,
    ) -> None:
        self._ctx = ctx
        self._endpoint = endpoint
        self._name = "" if is_literal(name) else name
        self._meant = meant
        self._alpn = alpn
        self._verify = verify
        self._low_port = low_port
        self._large = large
        self._grant: Grant | None = None
        self._socket: Datagrams | None = None
        self._channel: QUICChannel | None = None
        self._transaction = 0
        self._started_s = 0.0

    async def __aenter__(self) -> QUICChannel | None:
        ctx = self._ctx
        failure: Failure | None
        try:
            self._grant = await ctx.gate.ask(Traffic.DATAGRAM, self._endpoint, ctx.holder)
            self._transaction = ctx.journal.next_transaction()
            self._started_s = ctx.journal.elapsed_s()
            await self._shake()
            failure = self._read_end()
        except OSError as error:
            if not self._transaction:
                self._transaction = ctx.journal.next_transaction()
                self._started_s = ctx.journal.elapsed_s()
            failure = build_failure(Stage.QUIC, error, self._take_icmp())
        except BaseException:
            self._close()
            raise
        if failure is not None and failure.code is FailureCode.TIMEOUT and self._name:
            ctx.gate.triggered(self._endpoint, over_udp=True)
        ctx.journal.append(self._build_observation(failure))
        return self._channel if failure is None else None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    async def _shake(self) -> None:
        ctx, clock = self._ctx, self._ctx.stack.clock
        stack = ctx.stack
        # First of all: where no socket can be had, no module could be read either, and that would end the run.
        socket = self._socket = Datagrams(
            self._endpoint, stack.capabilities, clock, stack.tunnel, low_port=self._low_port
        )
        # 60 ms and 10 MB that a check without QUIC never needs.
        from probe.protocols.engines.quic import QUICEngine

        engine = QUICEngine(
            (self._endpoint.address, self._endpoint.port),
            server_name=self._name,
            meant=self._meant,
            alpn=self._alpn,
            roots=ctx.stack.trust.quic_roots if self._verify else None,
            large=self._large,
        )
        channel = self._channel = QUICChannel(ctx, socket, engine)
        self._started_s = ctx.journal.elapsed_s()
        now_s = clock.boot_s()
        deadline_s = now_s + ctx.timeout_s
        engine.start(now_s)
        try:
            await channel.drive(lambda: engine.done, min(now_s + _PATIENCE_S, deadline_s))
        except TimeoutError as error:
            if error.errno:
                raise
            hush(ctx, self._transaction, self._started_s, self._endpoint, self._name)
            await channel.drive(lambda: engine.done, deadline_s)
        channel.rtt_s = ctx.journal.elapsed_s() - self._started_s
        channel.flush()

    def _read_end(self) -> Failure | None:
        """Return what went wrong in a handshake that no error of the network ended."""
        assert self._channel is not None
        engine = self._channel.engine
        if engine.done and engine.verify_code:
            code = verify_code_to_failure(engine.verify_code)
            return Failure(stage=Stage.QUIC, code=code, detail=engine.verify_message)
        farewell = engine.farewell
        if engine.done or farewell is None:
            return None
        code = FailureCode.QUIC_CLOSED
        if farewell.code in _CRYPTO_ERRORS:
            code = FailureCode.TLS_ALERT
        elif engine.stage is QUICStage.VERSIONS:
            code = FailureCode.QUIC_INCOMPATIBLE_VERSION
        return Failure(stage=Stage.QUIC, code=code, detail=f"{farewell.code:#x} {farewell.reason}".strip())

    def _take_icmp(self) -> IcmpError | None:
        return self._socket.take_icmp() if self._socket is not None else None

    def _build_observation(self, failure: Failure | None) -> QUICHandshake:
        seen = build_seen(
            self._ctx, self._endpoint, self._grant, self._socket, self._transaction, self._started_s, failure
        )
        seen = msgspec.structs.replace(
            seen,
            server_name=self._name,
            alpn_offered=self._alpn,
            root_store=self._ctx.stack.trust.root_store if self._verify else "",
        )
        if self._channel is None:
            return seen
        engine = self._channel.engine
        theirs = engine.farewell if engine.closed_by_peer else None
        return msgspec.structs.replace(
            seen,
            stage=engine.stage,
            versions=engine.versions,
            alpn=engine.alpn,
            version=engine.version,
            cipher=engine.cipher,
            chain=engine.chain,
            verified=failure is None and engine.trusted,
            verify_code=engine.verify_code,
            verify_message=engine.verify_message,
            close_code=theirs.code if theirs is not None else None,
            close_reason=theirs.reason if theirs is not None else "",
        )

    def _close(self) -> None:
        """Say farewell, close the socket and give the grant back; may be called at any stage."""
        channel, socket = self._channel, self._socket
        if channel is not None and channel.engine.done:
            channel.engine.close()
            with contextlib.suppress(OSError):  # nobody is there to hear it
                channel.flush()
        if socket is not None:
            socket.close()
        if self._grant is not None:
            sent = socket.bytes_sent if socket is not None else 0
            received = socket.bytes_received if socket is not None else 0
            self._ctx.gate.release(self._grant, bytes_sent=sent, bytes_received=received)
        self._channel = self._socket = self._grant = None


def build_seen(
    ctx: Context,
    endpoint: Endpoint,
    grant: Grant | None,
    socket: Datagrams | None,
    transaction: int,
    started_s: float,
    failure: Failure | None,
) -> QUICHandshake:
    """Return what any try is known by, however far it came."""
    return QUICHandshake(
        transaction=transaction,
        t0_s=started_s,
        t_s=ctx.journal.elapsed_s(),
        endpoint=endpoint,
        server_name="",
        stage=QUICStage.NOTHING,
        local_port=socket.local_port if socket is not None else 0,
        datagrams_sent=socket.datagrams_sent if socket is not None else 0,
        datagrams_received=socket.datagrams_received if socket is not None else 0,
        bytes_sent=socket.bytes_sent if socket is not None else 0,
        bytes_received=socket.bytes_received if socket is not None else 0,
        failure=failure,
        role=ctx.role,
        hop=ctx.hop,
        experiment=ctx.experiment,
        queued_s=grant.queued_s if grant is not None else 0.0,
        hot=grant.hot if grant is not None else False,
        asn=ctx.asn_of(endpoint.address),
    )


def hush(ctx: Context, transaction: int, since_s: float, endpoint: Endpoint, name: str) -> None:
    """Tell the planner once that a step waits longer than it should."""
    ctx.journal.hush(
        Silence(
            transaction=transaction,
            since_s=since_s,
            layer="quic",
            endpoint=endpoint,
            name=name,
            experiment=ctx.experiment,
            hop=ctx.hop,
        )
    )
