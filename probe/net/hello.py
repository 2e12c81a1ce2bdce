"""One ClientHello of some shape, and the first word of the answer: no handshake is completed.

Source: RFC 8446 section 4.1. What is sent comes from `protocols/tls/client_hello.py`; what comes back is read until the
server's hello, its wish for another key share, an alert, the end, or silence.
"""

import asyncio
import os

from probe.model.endpoint import Endpoint
from probe.model.experiment import EchConfig, HelloShape
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import Ending, Silence, TLSHandshake, TLSStage
from probe.net.attempt import build_failure
from probe.net.channel import Channel
from probe.net.connect import connect
from probe.net.context import Context
from probe.protocols.tls.client_hello import Hello, build_hello
from probe.protocols.tls.transcript import Transcript

_READ_BYTES = 16384
_BETWEEN_S = 0.02
"""Between two segments: the first is on its way before the second is written."""
_ANSWERED = (TLSStage.SERVER_HELLO, TLSStage.ALERT, TLSStage.GARBAGE)
_HEATING = (Ending.RESET, Ending.FIN, Ending.SILENCE)


async def send_hello(
    ctx: Context, endpoint: Endpoint, shape: HelloShape, server_name: str, ech: EchConfig | None = None
) -> None:
    """Connect, send the hello and append one `TLSHandshake` of depth hello, after the `TCPConnect`."""
    async with connect(ctx, endpoint) as channel:
        if channel is None:
            return
        attempt = _Attempt(ctx, channel, shape, build_hello(shape, server_name, os.urandom, ech=ech))
        failure: Failure | None = None
        ending: Ending | None = None
        try:
            await attempt.run()
        except EOFError as error:
            ending, failure = Ending.FIN, build_failure(Stage.TLS, error)
        except TimeoutError as error:
            ending = Ending.ERROR if error.errno else Ending.SILENCE
            failure = build_failure(Stage.TLS, error)
        except OSError as error:
            failure = build_failure(Stage.TLS, error)
            ending = Ending.RESET if failure.code is FailureCode.CONNECTION_RESET else Ending.ERROR
        if ending in _HEATING and attempt.hello.server_name:
            ctx.gate.triggered(endpoint)
        ctx.journal.append(attempt.build_observation(failure, ending))


class _Attempt:
    """One hello on an open connection."""

    def __init__(self, ctx: Context, channel: Channel, shape: HelloShape, hello: Hello) -> None:
        self._ctx = ctx
        self._channel = channel
        self._shape = shape
        self._transcript = Transcript()
        self._transaction = ctx.journal.next_transaction()
        self._started_s = ctx.journal.elapsed_s()
        self._sent_before = channel.bytes_sent
        self.hello = hello

    async def run(self) -> None:
        """Send, and read until the server has said its first word.

        Raises:
            EOFError: it closed without one.
            TimeoutError: it kept silent.
            OSError: the connection broke.
        """
        deadline_s = self._ctx.stack.clock.boot_s() + self._ctx.timeout_s
        for number, segment in enumerate(self.hello.segments):
            if number:
                await asyncio.sleep(_BETWEEN_S)
            await self._channel.send(segment, deadline_s)
            self._transcript.sent(segment)
        patience_s = self._ctx.stack.clock.boot_s() + self._ctx.silence_after_s(self._channel.rtt_s)
        try:
            await self._read(min(patience_s, deadline_s))
        except TimeoutError as error:
            if error.errno:
                raise
            self._hush()
            await self._read(deadline_s)

    async def _read(self, deadline_s: float) -> None:
        while True:
            chunk = await self._channel.receive(_READ_BYTES, deadline_s)
            if not chunk:
                if self._transcript.read().stage in _ANSWERED:
                    return
                raise EOFError
            self._transcript.received(chunk)
            if self._transcript.read().stage in _ANSWERED:
                return

    def _hush(self) -> None:
        self._ctx.journal.hush(
            Silence(
                transaction=self._transaction,
                since_s=self._started_s,
                layer="tls",
                endpoint=self._channel.endpoint,
                name=self.hello.server_name,
                experiment=self._ctx.experiment,
                hop=self._ctx.hop,
            )
        )

    def build_observation(self, failure: Failure | None, ending: Ending | None) -> TLSHandshake:
        """Return what was seen; a server's hello is success, for no more was asked."""
        ctx, channel, reading = self._ctx, self._channel, self._transcript.read()
        acked = channel.acked_bytes() if failure is not None else None
        if failure is None and reading.stage is TLSStage.ALERT:
            failure, ending = Failure(stage=Stage.TLS, code=FailureCode.TLS_ALERT), Ending.ALERT
        elif failure is None and reading.stage is TLSStage.GARBAGE:
            failure, ending = Failure(stage=Stage.TLS, code=FailureCode.SSL_FAILED_HANDSHAKE), Ending.ERROR
        return TLSHandshake(
            transaction=self._transaction,
            t0_s=self._started_s,
            t_s=ctx.journal.elapsed_s(),
            endpoint=channel.endpoint,
            server_name=self.hello.server_name,
            stage=reading.stage,
            alpn_offered=self.hello.alpn,
            hello_shape=self._shape.value,
            hello_bytes=self.hello.size,
            version=reading.version,
            hello_retry=reading.hello_retry,
            alert=reading.alert,
            ending=ending,
            records=reading.records if failure is not None else (),
            first_bytes=reading.first_bytes,
            bytes_sent=channel.bytes_sent - self._sent_before,
            bytes_received=channel.bytes_received,
            bytes_acked=None if acked is None else max(0, acked - self._sent_before),
            failure=failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
        )
