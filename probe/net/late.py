"""Waiting for bytes, with a word to the planner once they are late."""

from probe.model.observation import Silence
from probe.net.context import Context
from probe.net.stream import ByteStream


async def receive_or_hush(
    ctx: Context,
    stream: ByteStream,
    limit: int,
    deadline_s: float,
    *,
    transaction: int,
    since_s: float,
    layer: str,
    name: str,
) -> bytes:
    """Return up to `limit` bytes, `b""` at the end; append one `Silence` when max(4 RTT, 250 ms) pass without any.

    Raises:
        TimeoutError: the deadline passed.
        OSError: the connection broke, or TLS did.
    """
    late_s = ctx.journal.clock.boot_s() + ctx.silence_after_s(stream.rtt_s)
    if late_s < deadline_s:
        try:
            return await stream.receive(limit, late_s)
        except TimeoutError as error:
            if error.errno:  # the kernel's own, not ours
                raise
        ctx.journal.hush(
            Silence(
                transaction=transaction,
                since_s=since_s,
                layer=layer,
                endpoint=stream.endpoint,
                name=name,
                experiment=ctx.experiment,
                hop=ctx.hop,
            )
        )
    return await stream.receive(limit, deadline_s)
