"""Follow-ups by QUIC: handshakes, pages, and questions for versions that name nobody."""

import dataclasses

from probe.checks.quic_anchor import ask_anchor
from probe.model.endpoint import Endpoint
from probe.model.experiment import Experiment, HelloShape, NameKind, Place, Step
from probe.net.context import Context
from probe.net.exchange_h3 import exchange_h3
from probe.net.quic import quic
from probe.net.quic_versions import ping_quic
from probe.protocols.http.http1 import OutgoingRequest

_TIMEOUT_S = 5.0
"""Of a follow-up: by then a first flight was sent five times, and another would tell no more."""


async def run_quic_step(experiment: Experiment, ctx: Context) -> None:
    """Make the one step.

    Raises:
        ValueError: the plan named no endpoint; our own mistake.
    """
    ctx = dataclasses.replace(ctx, timeout_s=min(ctx.timeout_s, _TIMEOUT_S))
    if experiment.step is Step.QUIC_ANCHOR:
        await ask_anchor(ctx, experiment.name)
        return
    if experiment.endpoint is None:
        raise ValueError(f"{experiment.id} says nowhere to go")
    if experiment.step is Step.QUIC_PING:
        await ping_quic(ctx, experiment.endpoint)
        return
    await _connect(experiment, ctx, experiment.endpoint)


async def _connect(experiment: Experiment, ctx: Context, endpoint: Endpoint) -> None:
    name = "" if experiment.name_kind is NameKind.NONE else experiment.name
    verify = experiment.name_kind is NameKind.TEST and experiment.place is not Place.UNRELATED
    large = experiment.shape is HelloShape.BROWSER
    async with quic(
        ctx, endpoint, server_name=name, verify=verify, low_port=experiment.low_port, large=large
    ) as channel:
        if channel is not None and experiment.step is Step.FETCH_H3:
            request = OutgoingRequest(host=name, port=endpoint.port, secure=True, path=experiment.path)
            await exchange_h3(ctx, channel, request)
