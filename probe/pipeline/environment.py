"""What a process brings to its measurements: sockets, gate, settings and what is known beforehand."""

import dataclasses
from collections.abc import Callable, Mapping

from probe.control.client import ControlClient
from probe.model.fingerprint import Reference
from probe.model.observation import Resolver
from probe.model.proof import Proof
from probe.model.settings import Settings
from probe.model.target import Target
from probe.model.vantage import Vantage
from probe.net.context import Gatekeeper, Manners, unknown_asn
from probe.net.stack import Stack
from probe.targets.aliases.veil import Veil
from probe.targets.secret_reading import read_secrets

BODY_BYTES = 65536
CHECK_BODY_BYTES = 524288


def follow_freely(_connections: int) -> bool:
    """Allow every follow-up: for a person's own question."""
    return True


def know_nothing(_target: Target) -> tuple[Proof, ...]:
    """Return nothing: there is no database to ask."""
    return ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Shared by all measurements of a process."""

    stack: Stack
    gate: Gatekeeper
    settings: Settings
    vantage: Vantage
    neutral_names: tuple[str, ...]
    """Host names of the anchors, for the other half of comparisons."""
    resolvers: tuple[Resolver, ...] = ()
    reference: Reference = dataclasses.field(default_factory=Reference)
    asn_of: Callable[[str], int] = unknown_asn
    may_follow_up: Callable[[int], bool] = follow_freely
    """The storm guard: whether so many follow-up connections fit its budget now."""
    controls: ControlClient | None = None
    """Who measures for us from elsewhere; `None` = nobody."""
    environ: dict[str, str] = dataclasses.field(default_factory=dict)
    """The process environment, for the proxy variables."""
    references: tuple[Target, ...] = ()
    """Servers of tunnels' protocols that are known to work."""
    proofs_of: Callable[[Target], tuple[Proof, ...]] = know_nothing
    """What is known of a tunnel's credentials."""
    veil: Veil = dataclasses.field(default_factory=Veil)
    """Knows the addresses of targets that are shown under aliases."""
    manners: Manners = dataclasses.field(default_factory=Manners)
    """How tunnels are spoken with."""
    secrets_of: Callable[[Target], Mapping[str, bytes]] = read_secrets
    """Reads the secrets of a tunnel's target when a conversation begins."""
