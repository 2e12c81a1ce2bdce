"""DNS over a connection: TCP, TLS or HTTPS. The connection's own steps leave their own observations.

Source: RFC 1035 section 4.2.2 and RFC 7766 (TCP), RFC 7858 (TLS, ALPN `dot`), RFC 8484 (HTTPS, POST, id 0).
"""

import secrets
from typing import assert_never

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import (
    DNSLookup,
    DNSReply,
    Observation,
    ReplyFit,
    Resolver,
    TCPConnect,
    TLSHandshake,
    Transport,
)
from probe.model.target import Header
from probe.net.attempt import build_failure
from probe.net.connect import connect
from probe.net.context import Context, unknown_asn
from probe.net.exchange import exchange
from probe.net.late import receive_or_hush
from probe.net.secure import secure
from probe.net.stream import ByteStream
from probe.protocols.dns.codec import BadNameError
from probe.protocols.dns.message import build_message, parse_reply, take_message
from probe.protocols.dns.reply import judge_reply
from probe.protocols.http.http1 import OutgoingRequest

_MEDIA_TYPE = "application/dns-message"
_HEADERS = (Header(name="Accept", value=_MEDIA_TYPE), Header(name="Content-Type", value=_MEDIA_TYPE))
_READ_BYTES = 16384


async def ask_stream(ctx: Context, resolver: Resolver, name: str, query_type: str) -> DNSLookup:
    """Ask one question over a connection of its own; append and return the outcome.

    A connection that failed leaves its failure here too, so that rules see why this resolver gave nothing.
    """
    question = _Question(ctx, resolver, name, query_type)
    try:
        question.query = build_message(_pick_id(resolver.transport), name, query_type)
    except BadNameError as error:
        question.failure = Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_NON_RECOVERABLE, detail=str(error))
    else:
        await question.run()
    observation = question.observe()
    ctx.journal.append(observation)
    return observation


def _pick_id(transport: Transport) -> int:
    """Return a random id; over HTTPS 0, so that caches can work (RFC 8484 section 4.1)."""
    return 0 if transport is Transport.DOH else secrets.randbits(16)


class _Question:
    """One question between its connection and its observation."""

    __slots__ = ("_ctx", "_name", "_query_type", "_replies", "_resolver", "_t0_s", "_transaction", "failure", "query")

    def __init__(self, ctx: Context, resolver: Resolver, name: str, query_type: str) -> None:
        self.query = b""
        self.failure: Failure | None = None
        self._ctx = ctx
        self._resolver = resolver
        self._name = name
        self._query_type = query_type
        self._replies: list[DNSReply] = []
        self._transaction = ctx.journal.next_transaction()
        self._t0_s = ctx.journal.elapsed_s()

    async def run(self) -> None:
        """Connect, ask and read one message; what goes wrong becomes the failure.

        Raises:
            ValueError: the resolver has no address; our own mistake.
        """
        ctx, endpoint = self._ctx, self._resolver.endpoint
        if endpoint is None:
            raise ValueError(f"{self._resolver} has no address to connect to")
        async with connect(ctx, endpoint) as channel:
            if channel is None:
                self.failure = self._find_failure(TCPConnect, endpoint)
                return
            match self._resolver.transport:
                case Transport.TCP | Transport.UDP | Transport.GETADDRINFO:
                    await self._converse(channel, encrypted=False)
                case Transport.DOT | Transport.DOH as transport:
                    alpn = ("dot",) if transport is Transport.DOT else ("http/1.1",)
                    secured = await secure(
                        ctx, channel, server_name=self._resolver.server_name, alpn=alpn, request_follows=True
                    )
                    if secured is None:
                        self.failure = self._find_failure(TLSHandshake, endpoint)
                    elif transport is Transport.DOT:
                        await self._converse(secured, encrypted=True)
                    else:
                        await self._post(secured, endpoint)
                case _ as never:
                    assert_never(never)

    def _find_failure(self, kind: type[Observation], endpoint: Endpoint) -> Failure | None:
        """Return why the sub-step failed that was appended last for this question."""
        for seen in reversed(self._ctx.journal.observations):
            if (
                isinstance(seen, TCPConnect | TLSHandshake)
                and isinstance(seen, kind)
                and seen.transaction > self._transaction
                and seen.endpoint == endpoint
                and seen.experiment == self._ctx.experiment
            ):
                return seen.failure
        return None

    async def _converse(self, stream: ByteStream, *, encrypted: bool) -> None:
        """Send the question and read the answer, each behind its length."""
        ctx = self._ctx
        received = bytearray()
        deadline_s = ctx.stack.clock.boot_s() + ctx.timeout_s
        try:
            await stream.send(len(self.query).to_bytes(2, "big") + self.query, deadline_s)
            while (message := take_message(received)) is None:
                data = await receive_or_hush(
                    ctx,
                    stream,
                    _READ_BYTES,
                    deadline_s,
                    transaction=self._transaction,
                    since_s=self._t0_s,
                    layer="dns",
                    name=self._name,
                )
                if not data:
                    raise EOFError
                received += data
        except (OSError, EOFError) as error:
            self.failure = build_failure(Stage.RESOLVE, error)
            if received:
                self._replies.append(parse_reply(bytes(received[2:]), self.query, t_s=ctx.journal.elapsed_s()))
            if not encrypted:
                ctx.gate.triggered(stream.endpoint)
        else:
            self._take(message)

    async def _post(self, stream: ByteStream, endpoint: Endpoint) -> None:
        """Ask by HTTP POST; whatever is not 200 with a DNS message in it is a failure."""
        request = OutgoingRequest(
            method="POST",
            host=self._resolver.server_name or endpoint.address,
            port=endpoint.port,
            secure=True,
            path=self._resolver.path,
            headers=_HEADERS,
            body=self.query,
        )
        seen = await exchange(self._ctx, stream, request)
        kind = next((value for name, value in seen.headers if name.lower() == "content-type"), "")
        if seen.status and seen.status != 200:
            code = FailureCode.HTTP_UNEXPECTED_STATUS
            self.failure = Failure(stage=Stage.HTTP, code=code, detail=f"status {seen.status}")
        elif seen.failure is not None:
            self.failure = seen.failure
        elif kind.partition(";")[0].strip().lower() != _MEDIA_TYPE:
            code = FailureCode.HTTP_UNEXPECTED_CONTENT
            self.failure = Failure(stage=Stage.HTTP, code=code, detail=f"content type {kind[:64]!r}")
        else:
            self._take(seen.body)

    def _take(self, message: bytes) -> None:
        reply = parse_reply(message, self.query, t_s=self._ctx.journal.elapsed_s())
        if reply.fit is ReplyFit.OURS:
            self.failure = judge_reply(reply, self._query_type)
        else:
            self.failure = Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_MISBEHAVING, detail=reply.fit.value)
        if self.failure is None and not reply.trailing_bytes:
            reply = msgspec.structs.replace(reply, raw=b"")
        self._replies.append(reply)

    def observe(self) -> DNSLookup:
        """Return what came of it."""
        ctx = self._ctx
        observation = DNSLookup(
            transaction=self._transaction,
            t0_s=self._t0_s,
            t_s=ctx.journal.elapsed_s(),
            resolver=self._resolver,
            name=self._name,
            query_type=self._query_type,
            replies=tuple(self._replies),
            failure=self.failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
        )
        if ctx.asn_of is unknown_asn or not observation.addresses:
            return observation
        return msgspec.structs.replace(observation, asns=tuple(map(ctx.asn_of, observation.addresses)))
