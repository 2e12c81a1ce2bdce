"""One TLS handshake with a server on loopback, for the tests that ask how it went."""

from probe.model.failure import FailureCode, Stage
from probe.model.observation import TLSHandshake
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.secure import secure
from tests.fakes import OpenGate
from tests.unit.net.misbehaving import (
    NAME,
    Behaviour,
    serving,
)


async def shake(ctx: Context, behaviour: Behaviour, **arguments: object) -> TLSHandshake:
    """Make one handshake and return its observation."""
    given = {"server_name": NAME} | arguments
    with serving(behaviour) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, **given)  # type: ignore[arg-type]
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, TLSHandshake)
    assert (stream is None) == (seen.failure is not None)
    assert seen.endpoint == endpoint
    assert seen.t0_s <= seen.t_s
    return seen


def code_of(seen: TLSHandshake) -> FailureCode:
    assert seen.failure is not None
    assert seen.failure.stage is Stage.TLS
    return seen.failure.code


def is_hot(ctx: Context) -> bool:
    assert isinstance(ctx.gate, OpenGate)
    return bool(ctx.gate.hot)
