"""A question to a place whether it speaks QUIC at all, before any name is said.

Source: RFC 9000 section 6: whoever asks for a version that nobody has is told which there are. No filter can read a
name in it, so an answer here beside silence there accuses the name, and silence here the place.
"""

import os

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.model.experiment import Grant, Traffic
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import QUICStage
from probe.net.attempt import build_failure
from probe.net.context import Context
from probe.net.datagrams import Datagrams
from probe.net.quic import build_seen, hush
from probe.protocols.quic_ping import ID_BYTES, build_ping, parse_versions

_AGAIN_S = (0.6, 1.8)
"""When the question is sent again, in seconds after the first."""
_FIRST_BYTES = 64


async def ping_quic(ctx: Context, endpoint: Endpoint) -> bool:
    """Ask, and append one `QUICHandshake`; True = it answered as QUIC does."""
    transaction = ctx.journal.next_transaction()
    started_s = ctx.journal.elapsed_s()
    grant: Grant | None = None
    socket: Datagrams | None = None
    versions: tuple[int, ...] = ()
    strange = b""
    failure: Failure | None = None
    try:
        grant = await ctx.gate.ask(Traffic.DATAGRAM, endpoint, ctx.holder)
        socket = Datagrams(endpoint, ctx.stack.capabilities, ctx.stack.clock, ctx.stack.tunnel)
        started_s = ctx.journal.elapsed_s()
        versions, strange = await _ask(ctx, socket, transaction, started_s)
        if not versions:
            failure = Failure(stage=Stage.QUIC, code=FailureCode.UNEXPECTED_ANSWER)
    except OSError as error:
        failure = build_failure(Stage.QUIC, error, socket.take_icmp() if socket is not None else None)
    finally:
        if socket is not None:
            socket.close()
        if grant is not None:
            sent, received = (socket.bytes_sent, socket.bytes_received) if socket is not None else (0, 0)
            ctx.gate.release(grant, bytes_sent=sent, bytes_received=received)
    stage = QUICStage.VERSIONS if versions else QUICStage.GARBAGE if strange else QUICStage.NOTHING
    seen = build_seen(ctx, endpoint, grant, socket, transaction, started_s, failure)
    ctx.journal.append(msgspec.structs.replace(seen, ping=True, stage=stage, versions=versions, first_bytes=strange))
    return failure is None


async def _ask(ctx: Context, socket: Datagrams, transaction: int, started_s: float) -> tuple[tuple[int, ...], bytes]:
    """Return the versions offered, or none and the first bytes of what came instead; ask again when nothing comes.

    Raises:
        TimeoutError: nothing came.
        OSError: an ICMP error did, or there is no way there.
    """
    theirs, ours = os.urandom(ID_BYTES), os.urandom(ID_BYTES)
    ping = build_ping(theirs, ours)
    began_s = ctx.stack.clock.boot_s()
    deadline_s = began_s + ctx.timeout_s
    rounds = [began_s + after_s for after_s in _AGAIN_S if after_s < ctx.timeout_s]
    hushed = False
    strange = b""
    socket.send(ping)
    while True:
        try:
            data = await socket.receive(rounds[0] if rounds else deadline_s)
        except TimeoutError as error:
            if error.errno or not (rounds or strange):
                raise
            if not rounds:
                return (), strange
            rounds.pop(0)
            if not hushed:
                hushed = True
                hush(ctx, transaction, started_s, socket.endpoint, "")
            socket.send(ping)
            continue
        try:
            return parse_versions(data, theirs, ours), b""
        except ProtocolError:
            strange = strange or data[:_FIRST_BYTES]
