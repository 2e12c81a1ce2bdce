"""One HTTP request on an open stream, and what came back: bounded in time, memory and bytes whatever the peer does.

The head of the answer has `timeout_s` from the request on, its body `timeout_s` from the head on, however slowly
either drips. What there is of an answer is kept also when the step failed.
"""

import errno
import hashlib
import ssl

from probe.model.errors import ProtocolError
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import BytesAt, Ending, HTTPExchange
from probe.net.attempt import build_failure
from probe.net.context import Context
from probe.net.late import receive_or_hush
from probe.net.stream import ByteStream
from probe.protocols.http.content import decode_content, extract_title
from probe.protocols.http.http1 import OutgoingRequest, ResponseReader, build_request
from probe.protocols.http.redirect import REDIRECTS, WebAddress, parse_location

MAX_REDIRECTS = 10
"""The 11th is a failure of the exchange that asks for it."""

_READ_BYTES = 16384
"""A TLS record's worth: memory for more is taken and given back at each read, and never filled."""
_MAX_SAMPLES = 32
_STALLED_SHARE = 0.5
"""When no byte came for this share of `timeout_s`, the peer fell silent; otherwise it was only slow."""
_RESETS = frozenset({errno.ECONNRESET, errno.EPIPE})


async def exchange(ctx: Context, stream: ByteStream, request: OutgoingRequest) -> HTTPExchange:
    """Send a request, read the answer, append and return the observation; a failure is inside it."""
    talk = _Talk(ctx, stream, request)
    failure: Failure | None = None
    ending: Ending | None = None
    try:
        await talk.run()
    except ProtocolError as error:
        failure = Failure(stage=Stage.HTTP, code=FailureCode.HTTP_REQUEST_FAILED, detail=str(error))
    except (EOFError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        ending = Ending.FIN
        failure = Failure(stage=Stage.HTTP, code=FailureCode.EOF, detail=talk.describe_progress())
    except TimeoutError as error:
        ending = Ending.SILENCE if error.errno or talk.stalled() else None
        failure = Failure(
            stage=Stage.HTTP, code=FailureCode.TIMEOUT, errno=error.errno, detail=talk.describe_progress()
        )
    except OSError as error:
        ending = Ending.RESET if error.errno in _RESETS else Ending.ERROR
        failure = build_failure(Stage.HTTP, error)
    if ending is not None and ending is not Ending.ERROR:
        ctx.gate.triggered(stream.endpoint)
    observation = talk.build_observation(failure, ending)
    ctx.journal.append(observation)
    return observation


class _Talk:
    """The state of one exchange."""

    __slots__ = (
        "_ctx", "_last_byte_s", "_pieces", "_received_before", "_request", "_samples", "_sent_before", "_stream",
        "_stride", "first_byte_s", "reader", "t0_s", "transaction",
    )  # fmt: skip

    def __init__(self, ctx: Context, stream: ByteStream, request: OutgoingRequest) -> None:
        self._ctx = ctx
        self._stream = stream
        self._request = request
        self._samples: list[BytesAt] = []
        self._pieces = 0
        self._stride = 1
        self._sent_before = stream.bytes_sent
        self._received_before = stream.bytes_received
        self.reader = ResponseReader(method=request.method, body_limit_bytes=ctx.body_limit_bytes)
        self.transaction = ctx.journal.next_transaction()
        self.t0_s = self._last_byte_s = ctx.journal.elapsed_s()
        self.first_byte_s: float | None = None

    async def run(self) -> None:
        """Send and read until the response is complete or its limit is reached.

        Raises:
            ProtocolError: the answer is not HTTP.
            EOFError: the peer closed before the end.
            TimeoutError: it took too long.
            OSError: the connection broke.
        """
        reader, journal, timeout_s = self.reader, self._ctx.journal, self._ctx.timeout_s
        deadline_s = journal.started_boot_s + self.t0_s + timeout_s
        await self._stream.send(build_request(self._request), deadline_s)
        data = await receive_or_hush(
            self._ctx,
            self._stream,
            _READ_BYTES,
            deadline_s,
            transaction=self.transaction,
            since_s=self.t0_s,
            layer="http",
            name=self._request.host,
        )
        body_began = False
        while True:
            if not data:
                if reader.end():
                    return
                raise EOFError
            now_s = self._last_byte_s = journal.elapsed_s()
            if self.first_byte_s is None:
                self.first_byte_s = now_s
            reader.feed(data)
            if reader.body_bytes:
                self._sample(now_s)
            if reader.complete:
                return
            if reader.status and not body_began:
                body_began = True
                deadline_s = journal.started_boot_s + now_s + timeout_s
            # Looked at here: a stream that has bytes at hand gives them without a look at the clock.
            if journal.started_boot_s + now_s >= deadline_s:
                raise TimeoutError
            data = await self._stream.receive(_READ_BYTES, deadline_s)

    def _sample(self, now_s: float) -> None:
        """Keep every n-th moment of the body's arrival; n doubles when the list is full."""
        self._pieces += 1
        if self._pieces % self._stride == 0:
            self._samples.append(BytesAt(t_s=now_s, body_bytes=self.reader.body_bytes))
            if len(self._samples) == _MAX_SAMPLES:
                del self._samples[::2]
                self._stride *= 2

    def stalled(self) -> bool:
        """Tell whether the peer had fallen silent rather than being slow."""
        return self._ctx.journal.elapsed_s() - self._last_byte_s >= _STALLED_SHARE * self._ctx.timeout_s

    def describe_progress(self) -> str:
        """Say for a reader how far the answer had come."""
        if self.first_byte_s is None:
            return "no byte of an answer"
        if not self.reader.status:
            return f"{len(self.reader.head)} bytes of a response head"
        return f"{self.reader.body_bytes} bytes of a body"

    def build_observation(self, failure: Failure | None, ending: Ending | None) -> HTTPExchange:
        """Return what was seen, decoded as far as it can be."""
        ctx, reader, request, stream = self._ctx, self.reader, self._request, self._stream
        t_s = ctx.journal.elapsed_s() if failure is not None else self._last_byte_s
        reader.close()
        if reader.body_bytes and (not self._samples or self._samples[-1].body_bytes != reader.body_bytes):
            self._samples.append(BytesAt(t_s=self._last_byte_s, body_bytes=reader.body_bytes))
        arrivals = stream.arrivals() if ctx.experiment else None
        body, truncated, trouble = _decode(reader, ctx.body_limit_bytes)
        if failure is None:
            failure = trouble
        if failure is None and reader.status in REDIRECTS:
            failure = _judge_redirect(request, reader.header("location"), ctx.hop)
        return HTTPExchange(
            transaction=self.transaction,
            t0_s=self.t0_s,
            t_s=t_s,
            endpoint=stream.endpoint,
            method=request.method,
            url=request.url,
            secure=request.secure,
            status=reader.status,
            reason=reader.reason,
            headers=reader.headers,
            head=reader.head,
            title=extract_title(body, reader.header("content-type")) if body else "",
            body=body,
            body_bytes=reader.body_bytes,
            body_sha256=hashlib.sha256(body).hexdigest() if body else "",
            body_truncated=truncated or (bool(reader.status) and not reader.complete),
            timeline=tuple(self._samples),
            first_byte_s=self.first_byte_s,
            ending=ending,
            bytes_sent=stream.bytes_sent - self._sent_before,
            bytes_received=stream.bytes_received - self._received_before,
            bytes_acked=stream.acked_bytes() if failure is not None else None,
            segments=arrivals.segments if arrivals is not None else None,
            early_segments=arrivals.early if arrivals is not None else None,
            failure=failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
        )


def _decode(reader: ResponseReader, limit_bytes: int) -> tuple[bytes, bool, Failure | None]:
    """Return the body without its content coding, or as it came when the coding is a lie."""
    body = reader.body
    if not body:
        return b"", reader.truncated, None
    try:
        plain, more = decode_content(body, reader.header("content-encoding"), limit_bytes)
    except ProtocolError as error:
        return (
            body,
            reader.truncated,
            Failure(stage=Stage.HTTP, code=FailureCode.HTTP_REQUEST_FAILED, detail=str(error)),
        )
    return plain, more or reader.truncated, None


def _judge_redirect(request: OutgoingRequest, location: str, hop: int) -> Failure | None:
    """Return what is wrong with a redirect: it leads nowhere, or it is one too many."""
    here = WebAddress(secure=request.secure, host=request.host, port=request.port, path=request.path)
    try:
        parse_location(here, location)
    except ProtocolError as error:
        return Failure(stage=Stage.HTTP, code=FailureCode.HTTP_INVALID_REDIRECT, detail=str(error))
    if hop >= MAX_REDIRECTS:
        detail = f"redirect {hop + 1} leads to {location}"
        return Failure(stage=Stage.HTTP, code=FailureCode.TOO_MANY_REDIRECTS, detail=detail[:300])
    return None
