"""One conversation on an open channel: what the dialogue says is done, and what comes of it is one observation.

What a filter may have been provoked by marks the place hot.
"""

import dataclasses
import errno
import os
import ssl
from collections.abc import Mapping
from typing import assert_never

import msgspec

from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError, UserError
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import BytesAt, DialogueExchange, Ending, Silence, StageReached
from probe.net.attempt import build_failure
from probe.net.context import Context
from probe.net.datagrams import Datagrams
from probe.net.stream import ByteStream
from probe.net.transcript import Transcript
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Lapsed, Reached, Receive, Refused, Send

_READ_BYTES = 65536
_MOST_SAMPLES = 32
_FEW_BYTES = 16000
"""A conversation that carries no more than this says nothing of how bytes flow."""
_ENDINGS = {
    FailureCode.CONNECTION_RESET: Ending.RESET,
    FailureCode.EOF: Ending.FIN,
    FailureCode.TIMEOUT: Ending.SILENCE,
}
_HEATING = (Ending.RESET, Ending.FIN, Ending.SILENCE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """With whom to speak which protocol, with which credentials, and how often that may be."""

    spec: DialogueSpec
    host: str
    params: Mapping[str, str]
    secrets: Mapping[str, bytes]
    deepest: Depth = Depth.PROOF
    spacing_s: float = 60.0
    patience_s: float = 0.0
    """Wait so long for the spacing; beyond it the observation says that it was too soon."""


class Conversation:
    """One conversation between its first event and its observation."""

    def __init__(self, ctx: Context, endpoint: Endpoint, occasion: Occasion, transport: str) -> None:
        self.ctx = ctx
        self.endpoint = endpoint
        self.occasion = occasion
        self.datagrams: Datagrams | None = None
        self.stream: ByteStream | None = None
        self.failure: Failure | None = None
        self.queued_s = 0.0
        self.hot = False
        self.local_port = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self._transport = transport
        self._transcript = Transcript()
        self._stages: list[StageReached] = []
        self._reply: dict[str, str] = {}
        self._refused = ""
        self._verify_code = 0
        self._transaction = 0
        self._started_s = 0.0
        self._deadline_s = 0.0
        self._proved_s = 0.0
        self._ended = False
        self._hushed = False
        self._came_bytes = 0
        self._pieces = 0
        self._stride = 1
        self._samples: list[BytesAt] = []

    def begin(self) -> None:
        """Start the clock: the channel is open, nothing is sent."""
        self._transaction = self.ctx.journal.next_transaction()
        self._started_s = self._proved_s = self.ctx.journal.elapsed_s()
        self._deadline_s = self.ctx.stack.clock.boot_s() + self.ctx.timeout_s

    def start(self, stamps: int, certificate: bytes) -> Dialogue:
        """Return the dialogue, with all that it is given."""
        occasion, clock = self.occasion, self.ctx.stack.clock
        began_s = clock.boot_s()
        ask = Ask(
            entropy=os.urandom,
            params=occasion.params,
            secrets=occasion.secrets,
            wall_s=clock.wall_s(),
            elapsed_s=lambda: clock.boot_s() - began_s,
            host=occasion.host,
            port=self.endpoint.port,
            address=self.endpoint.address,
            certificate=certificate,
            roots=self.ctx.stack.trust.pem,
            stamps=stamps,
            deepest=occasion.deepest,
        )
        return occasion.spec.start(ask)

    async def hold(self, stamps: int, certificate: bytes) -> None:
        """Do what the dialogue says until it ends; how it ended is in `failure`."""
        dialogue: Dialogue | None = None
        try:
            dialogue = self.start(stamps, certificate)
            reply = await self._follow(dialogue)
        except UserError as error:
            # A key or a setting that the protocol cannot use: nothing was asked, so nothing was learned.
            self._fail(FailureCode.CREDENTIALS_MISSING, str(error))
        except Lapsed as error:
            self._refused = str(error)
            self._fail(FailureCode.CREDENTIALS_EXPIRED, str(error))
        except Refused as error:
            self._refused = str(error)
            self._fail(FailureCode.REFUSED_BY_PEER, str(error))
        except ProtocolError as error:
            self._fail(FailureCode.UNEXPECTED_ANSWER, str(error))
        except (OSError, EOFError) as error:
            self.failure = build_failure(Stage.DIALOGUE, error)
            if isinstance(error, ssl.SSLCertVerificationError):
                self._verify_code = error.verify_code
        else:
            if reply is None:
                self._fail(FailureCode.EOF if self._ended else FailureCode.TIMEOUT)
            else:
                self._reply = _flatten(reply)
        finally:
            if dialogue is not None:
                dialogue.close()

    async def _follow(self, dialogue: Dialogue) -> msgspec.Struct | None:
        resume: bytes | None = None
        while True:
            try:
                event = dialogue.send(resume)
            except StopIteration as end:
                reply: msgspec.Struct | None = end.value
                return reply
            resume = None
            match event:
                case Send():
                    self._transcript.sent(self.ctx.journal.elapsed_s(), event.data, event.secret_spans)
                    await self._send(event.data)
                case Reached():
                    self._stages.append(StageReached(depth=event.depth, t_s=self._proved_s))
                case Receive():
                    resume = await self._receive(event)
                case _:
                    assert_never(event)

    async def _send(self, data: bytes) -> None:
        if self.stream is not None:
            await self.stream.send(data, self._deadline_s)
        elif self.datagrams is not None:
            self.datagrams.send(data)

    async def _receive(self, wanted: Receive) -> bytes | None:
        now_s = self.ctx.stack.clock.boot_s()
        until_s = min(now_s + wanted.timeout_s, self._deadline_s)
        if until_s <= now_s and now_s >= self._deadline_s:
            raise TimeoutError
        try:
            data = await self._await_data(until_s)
        except TimeoutError as error:
            if error.errno:
                raise
            self._hush()
            return None
        self._proved_s = self.ctx.journal.elapsed_s()
        self._ended = not data and self.stream is not None
        if data:
            self._transcript.received(self._proved_s, data, secret=wanted.secret)
            self._sample(len(data))
        return data

    def _sample(self, size: int) -> None:
        """Keep every n-th moment of what arrives; n doubles when the list is full."""
        self._came_bytes += size
        self._pieces += 1
        if self._pieces % self._stride == 0:
            self._samples.append(BytesAt(t_s=self._proved_s, body_bytes=self._came_bytes))
            if len(self._samples) == _MOST_SAMPLES:
                del self._samples[::2]
                self._stride *= 2

    def _timeline(self) -> tuple[BytesAt, ...]:
        began = any(stage.depth is Depth.DATA for stage in self._stages)
        if self._came_bytes <= _FEW_BYTES and not (began and self.failure is not None):
            return ()
        last = self._samples[-1].body_bytes if self._samples else 0
        rest = () if last == self._came_bytes else (BytesAt(t_s=self._proved_s, body_bytes=self._came_bytes),)
        return (*self._samples, *rest)

    async def _await_data(self, until_s: float) -> bytes:
        if self.stream is not None:
            return await self.stream.receive(_READ_BYTES, until_s)
        if self.datagrams is not None:
            return await self.datagrams.receive(until_s)
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    def _hush(self) -> None:
        """Tell the planner, once, that the protocol's own patience was tried."""
        if self._hushed or self._stages:
            return
        self._hushed = True
        self.ctx.journal.hush(
            Silence(
                transaction=self._transaction,
                since_s=self._started_s,
                layer="vpn",
                endpoint=self.endpoint,
                name=self.occasion.spec.name,
                experiment=self.ctx.experiment,
                hop=self.ctx.hop,
            )
        )

    def _fail(self, code: FailureCode, detail: str = "") -> None:
        self.failure = Failure(stage=Stage.DIALOGUE, code=code, detail=detail)

    def give_up(self, code: FailureCode, detail: str) -> DialogueExchange:
        """Append that nothing was opened, and why."""
        self.begin()
        self._fail(code, detail)
        return self.append()

    def append(self) -> DialogueExchange:
        """Append what was seen; a place that fell silent or broke off after our first bytes is hot now."""
        ending = None if self.failure is None else _ENDINGS.get(self.failure.code)
        exchange = DialogueExchange(
            transaction=self._transaction,
            t0_s=self._started_s,
            t_s=self.ctx.journal.elapsed_s(),
            endpoint=self.endpoint,
            protocol=self.occasion.spec.name,
            transport=self._transport,
            depth=max((stage.depth for stage in self._stages), key=lambda depth: depth.rank, default=Depth.NONE),
            stages=tuple(self._stages),
            messages=tuple(self._transcript.messages),
            sends=self._transcript.sends,
            reply=self._reply,
            refused=self._refused,
            verify_code=self._verify_code,
            ending=ending,
            local_port=self.local_port,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            timeline=self._timeline(),
            failure=self.failure,
            role=self.ctx.role,
            hop=self.ctx.hop,
            experiment=self.ctx.experiment,
            queued_s=self.queued_s,
            hot=self.hot,
            asn=self.ctx.asn_of(self.endpoint.address),
        )
        self.ctx.journal.append(exchange)
        if ending in _HEATING and self._transcript.sends and self.occasion.spec.trigger:
            self.ctx.gate.triggered(self.endpoint, over_udp=self.datagrams is not None)
        return exchange


def _flatten(reply: msgspec.Struct) -> dict[str, str]:
    """Return a reply's fields as words, without those that are empty."""
    fields = msgspec.structs.asdict(reply)
    words = {name: value.hex() if isinstance(value, bytes) else str(value) for name, value in fields.items()}
    return {name: word[:200] for name, word in words.items() if word}
