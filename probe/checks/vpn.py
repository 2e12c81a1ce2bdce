"""Does the tunnel's server answer in its protocol, and how far does it go with our credentials?

The protocol is a parameter of the target; its dialogue comes from the list in `probe.protocols`.
"""

import asyncio
import dataclasses
from collections.abc import Mapping

from probe.checks.paths import find_paths
from probe.model.control import GREETINGS
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName, Exposure, Target
from probe.net.context import Context, SecretMissing
from probe.net.conversation import Occasion
from probe.net.dialogue import converse
from probe.net.own_addresses import has_address
from probe.net.own_tunnel import is_in_use
from probe.protocols import load_specs
from probe.protocols.dialogue import Udp

STUN = "stun"
_ONE_SESSION = frozenset({"openvpn", "wireguard", "anyconnect", "ikev2", "sstp"})
"""Whose servers know a client by its key: a second session with it takes the first one's place."""
MAX_PATHS = 4
"""A client tries an address or two; sixteen handshakes at once are an attack."""


HARMLESS = Target(
    id=STUN, check=CheckName.VPN, address="stun://", host="", port=0, params={"protocol": STUN},
    exposure=Exposure.PUBLIC,
)  # fmt: skip
"""What is asked of a reference's port in place of its protocol: what every call by browser begins with."""


def goes_by_udp(target: Target) -> bool:
    """Tell whether a tunnel's conversation goes by datagrams."""
    if target.check is not CheckName.VPN:
        return False
    spec = load_specs()[target.params["protocol"]]
    return isinstance(spec.choose_stack(target.params)[0], Udp)


def find_greeting(target: Target) -> str:
    """Return the protocol of a tunnel over UDP whose server answers a first packet without anybody's key; or nothing.

    A control may send that. Keys, or a packet made with them, never leave this host.
    """
    protocol = target.params.get("protocol", "")
    bare = target.params.get("wrap", "none") == "none"
    return protocol if goes_by_udp(target) and protocol in GREETINGS and bare else ""


async def run(target: Target, ctx: Context) -> None:
    """Resolve, then speak with every address at once, each once."""
    endpoints = (await find_paths(target, ctx))[:MAX_PATHS]
    if load_specs()[target.params["protocol"]].takes_over:
        # One key, one session: what answers at one address would end the conversation with another.
        for endpoint in endpoints:
            await speak(target, ctx, endpoint)
        return
    async with asyncio.TaskGroup() as paths:
        for endpoint in endpoints:
            paths.create_task(speak(target, ctx, endpoint))


async def speak(
    target: Target, ctx: Context, endpoint: Endpoint, deepest: Depth | None = None
) -> DialogueExchange | None:
    """Hold one conversation at this address, as deep as told or as the target says; `None` = no channel to it."""
    try:
        occasion = build_occasion(target, ctx)
        if deepest is not None:
            occasion = dataclasses.replace(occasion, deepest=deepest)
    except SecretMissing as error:
        return _not_asked(target, ctx, endpoint, str(error))
    if occasion.spec.takes_over and (inner := _find_own_inner(target)):
        return _not_asked(target, ctx, endpoint, f"this tunnel is up on this host, which has its address {inner}")
    has_user = bool(target.secrets) and target.exposure is not Exposure.PUBLIC
    if has_user and occasion.spec.name in _ONE_SESSION and is_in_use(endpoint):
        return _not_asked(target, ctx, endpoint, "this tunnel is up on this host; a check would disturb it")
    return await converse(ctx, endpoint, occasion)


def _find_own_inner(target: Target) -> str:
    """Return an address inside the tunnel that an interface of this host has: a handshake would cut it off."""
    own = (part.strip() for part in target.params.get("address", "").split(","))
    return next((address for address in own if address and has_address(address)), "")


def build_occasion(target: Target, ctx: Context) -> Occasion:
    """Return what a conversation with the target needs, its secrets read.

    Raises:
        SecretMissing: one of them cannot be had.
    """
    spec = load_specs()[target.params["protocol"]]
    secrets: Mapping[str, bytes] = ctx.secrets_of(target) if target.secrets else {}
    asked = target.params.get("depth", "")
    return Occasion(
        spec=spec,
        host=target.host,
        params=target.params,
        secrets=secrets,
        deepest=Depth(asked) if asked else ctx.manners.deepest,
        spacing_s=_spacing_s(target, ctx),
        patience_s=ctx.manners.patience_s,
    )


def _spacing_s(target: Target, ctx: Context) -> float:
    """Return how far apart handshakes are; a reference, which is there to be asked, needs no distance."""
    match target.exposure:
        case Exposure.PUBLIC:
            return 0.0
        case Exposure.SHARED:
            return ctx.manners.spacing_s
        case Exposure.PRIVATE:
            return max(ctx.manners.spacing_s, ctx.manners.private_spacing_s)


def _not_asked(target: Target, ctx: Context, endpoint: Endpoint, why: str) -> DialogueExchange:
    now_s = ctx.journal.elapsed_s()
    exchange = DialogueExchange(
        transaction=ctx.journal.next_transaction(),
        t0_s=now_s,
        t_s=now_s,
        endpoint=endpoint,
        protocol=target.params["protocol"],
        transport="",
        failure=Failure(stage=Stage.DIALOGUE, code=FailureCode.CREDENTIALS_MISSING, detail=why),
        role=ctx.role,
        hop=ctx.hop,
        experiment=ctx.experiment,
    )
    ctx.journal.append(exchange)
    return exchange
