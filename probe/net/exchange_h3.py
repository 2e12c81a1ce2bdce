"""One request over HTTP/3, and what came back: bounded in time, memory and bytes, as over TCP.

The head of the answer has `timeout_s` from the request on, its body `timeout_s` from the head on.
"""

import hashlib
from typing import TYPE_CHECKING

from probe.model.errors import ProtocolError
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import Ending, HTTPExchange
from probe.net.attempt import build_failure
from probe.net.context import Context
from probe.net.quic import QUICChannel
from probe.protocols.http.content import decode_content, extract_title
from probe.protocols.http.http1 import OutgoingRequest

if TYPE_CHECKING:
    from probe.protocols.engines.h3 import H3Talk


async def exchange_h3(ctx: Context, channel: QUICChannel, request: OutgoingRequest) -> HTTPExchange:
    """Send a request, read the answer, append and return the observation; a failure is inside it."""
    from probe.protocols.engines.h3 import H3Talk

    talk = H3Talk(channel.engine, body_limit_bytes=ctx.body_limit_bytes)
    transaction = ctx.journal.next_transaction()
    started_s = ctx.journal.elapsed_s()
    before = channel.socket.bytes_sent, channel.socket.bytes_received
    failure: Failure | None = None
    ending: Ending | None = None
    first_s: float | None = None
    try:
        talk.ask(request)
        first_s = await _read(ctx, channel, talk)
        if not talk.complete:
            ending, failure = _read_end(channel, talk)
    except ProtocolError as error:
        failure = Failure(stage=Stage.HTTP, code=FailureCode.HTTP_REQUEST_FAILED, detail=str(error))
    except TimeoutError as error:
        ending = Ending.SILENCE
        failure = Failure(stage=Stage.HTTP, code=FailureCode.TIMEOUT, errno=error.errno, detail=_progress(talk))
    except OSError as error:
        ending = Ending.ERROR
        failure = build_failure(Stage.HTTP, error, channel.socket.take_icmp())
    body, truncated = talk.body, talk.truncated
    if body:
        try:
            body, more = decode_content(body, talk.header("content-encoding"), ctx.body_limit_bytes)
            truncated = truncated or more
        except ProtocolError as error:
            failure = failure or Failure(stage=Stage.HTTP, code=FailureCode.HTTP_REQUEST_FAILED, detail=str(error))
    seen = HTTPExchange(
        transaction=transaction,
        t0_s=started_s,
        t_s=ctx.journal.elapsed_s(),
        endpoint=channel.endpoint,
        method=request.method,
        url=request.url,
        secure=True,
        over_quic=True,
        status=talk.status,
        headers=talk.headers,
        title=extract_title(body, talk.header("content-type")) if body else "",
        body=body,
        body_bytes=talk.body_bytes,
        body_sha256=hashlib.sha256(body).hexdigest() if body else "",
        body_truncated=truncated or (bool(talk.status) and not talk.complete),
        first_byte_s=first_s,
        ending=ending,
        bytes_sent=channel.socket.bytes_sent - before[0],
        bytes_received=channel.socket.bytes_received - before[1],
        failure=failure,
        role=ctx.role,
        hop=ctx.hop,
        experiment=ctx.experiment,
    )
    ctx.journal.append(seen)
    return seen


async def _read(ctx: Context, channel: QUICChannel, talk: "H3Talk") -> float | None:
    """Read until the answer is whole or the connection ends; return when its head came.

    Raises:
        ProtocolError: the answer is not HTTP/3.
        TimeoutError: it took too long.
        OSError: an ICMP error came.
    """

    def has_head() -> bool:
        talk.pump()
        return bool(talk.status) or talk.complete or talk.was_reset

    def is_over() -> bool:
        talk.pump()
        return talk.complete or talk.was_reset

    clock = ctx.stack.clock
    await channel.drive(has_head, clock.boot_s() + ctx.timeout_s)
    first_s = ctx.journal.elapsed_s() if talk.status else None
    await channel.drive(is_over, clock.boot_s() + ctx.timeout_s)
    return first_s


def _read_end(channel: QUICChannel, talk: "H3Talk") -> tuple[Ending, Failure]:
    """Return what ended an answer before its end: the server, by stream or connection, or our own engine's dismay."""
    farewell = channel.engine.farewell
    detail = _progress(talk) if farewell is None else f"{_progress(talk)}; {farewell.code:#x} {farewell.reason}".strip()
    if farewell is None or channel.engine.closed_by_peer:
        return Ending.FIN, Failure(stage=Stage.HTTP, code=FailureCode.EOF, detail=detail)
    return Ending.ERROR, Failure(stage=Stage.HTTP, code=FailureCode.HTTP_REQUEST_FAILED, detail=detail)


def _progress(talk: "H3Talk") -> str:
    return f"{talk.body_bytes} bytes of a body" if talk.status else "no byte of an answer"
