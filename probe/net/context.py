"""What every step is handed: the clock, the gate, the list to append to, and the limits in force."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.experiment import Grant, Traffic
from probe.model.observation import Observation, Role, Silence
from probe.model.target import Target
from probe.net.clock import Clock

if TYPE_CHECKING:
    from probe.net.stack import Stack


class TooSoon(Exception):  # noqa: N818 - a state that the step puts into its observation
    """The endpoint was shaken hands with a moment ago; `wait_s` says when it may be again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too soon after the last time; again in {math.ceil(wait_s)} s")
        self.wait_s = wait_s


class Gatekeeper(Protocol):
    """The gate as the steps see it: nothing is opened without its `Grant`."""

    async def ask(self, traffic: Traffic, endpoint: Endpoint | None, holder: str) -> Grant:
        """Wait until the budgets, and the endpoint's other holders, allow one operation.

        Raises:
            PermissionError: a policy forbids it; a connection then fails with `permission_denied`.
        """
        ...

    def release(self, grant: Grant, *, bytes_sent: int = 0, bytes_received: int = 0) -> None:
        """Tell that the operation's socket is closed, and what it carried."""
        ...

    def triggered(self, endpoint: Endpoint, *, over_udp: bool = False) -> None:
        """Tell that a step failed there after a name or a protocol signature was sent: it is hot now, by this way."""
        ...

    async def claim_handshake(self, identity: str, spacing_s: float, patience_s: float) -> None:
        """Note that a full handshake with this endpoint begins now, waiting until it may, across processes.

        Raises:
            TooSoon: it would be longer than `patience_s` until it may.
        """
        ...

    async def reserve(self, counter: str, at_least: int, count: int) -> int:
        """Return the first of `count` numbers that no process was ever given; they are on disk as spent.

        Raises:
            OSError: it could not be written.
        """
        ...


class Journal:
    """The one list of a measurement; the check and its experiments append to it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.started_boot_s = clock.boot_s()
        self.started_at = clock.wall_s()
        self.observations: list[Observation] = []
        self.silences: list[Silence] = []
        self.on_append: Callable[[], None] | None = None
        """Called after each append; the pipeline plans in it."""
        self._transactions = 0

    def elapsed_s(self) -> float:
        """Return seconds since the measurement started."""
        return self.clock.boot_s() - self.started_boot_s

    def next_transaction(self) -> int:
        """Return a number that no other observation of this measurement has."""
        self._transactions += 1
        return self._transactions

    def append(self, observation: Observation) -> None:
        """Keep a finished observation."""
        self.observations.append(observation)
        if self.on_append is not None:
            self.on_append()

    def replace(self, observation: Observation) -> None:
        """Put a fuller observation in the place of the one with its transaction: a late reply came to it."""
        for index, earlier in enumerate(self.observations):
            if earlier.transaction == observation.transaction:
                self.observations[index] = observation
                if self.on_append is not None:
                    self.on_append()
                return

    def hush(self, silence: Silence) -> None:
        """Note that a step is waiting longer than it should."""
        self.silences.append(silence)
        if self.on_append is not None:
            self.on_append()


def unknown_asn(_address: str) -> int:
    """Return 0: no AS data at hand."""
    return 0


class SecretMissing(Exception):  # noqa: N818 - a state that the step puts into its observation
    """A secret cannot be had; the message names the place, never the value."""


def no_secrets(target: Target) -> Mapping[str, bytes]:
    """Return nothing, for targets that have none.

    Raises:
        SecretMissing: the target has some, and nobody here can read them.
    """
    if target.secrets:
        raise SecretMissing(f"nobody here reads {', '.join(target.secrets)}")
    return {}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How tunnels are spoken with in this run (CONTRACT section 6)."""

    deepest: Depth = Depth.PROOF
    """Go no further; a password is sent only beyond `proof`."""
    spacing_s: float = 60.0
    """Between two handshakes with any endpoint."""
    private_spacing_s: float = 60.0
    """Between two handshakes with an endpoint of exposure `private`; all others have a minute."""
    patience_s: float = 0.0
    """How long a handshake waits for its spacing before it is given up as too soon."""


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """Handed to every step; derive one for a redirect hop or an experiment with `dataclasses.replace`."""

    stack: "Stack"
    gate: Gatekeeper
    journal: Journal
    holder: str
    """Measurement id: the gate lets one holder at a time into an address and port."""
    timeout_s: float = 10.0
    """Per step."""
    hold_s: float = 2.0
    """How long a suspicious DNS question keeps listening."""
    families: tuple[int, ...] = (4, 6)
    body_limit_bytes: int = 65536
    role: Role = Role.TARGET
    hop: int = 0
    experiment: str = ""
    asn_of: Callable[[str], int] = unknown_asn
    confirms: bool = False
    """The target was fine when last looked at: a quicker TLS library may say that it still is."""

    secrets_of: Callable[[Target], Mapping[str, bytes]] = no_secrets
    """Reads the secrets of a vpn target when they are needed; raises `SecretMissing`."""
    manners: Manners = dataclasses.field(default_factory=Manners)
    references: Mapping[str, Target] = dataclasses.field(default_factory=dict)
    """Other servers by target id, with which experiments may speak."""

    def silence_after_s(self, rtt_s: float | None) -> float:
        """Return after how long a step that still waits appends a `Silence`: max(4 RTT, 250 ms)."""
        return max(0.25, 4 * rtt_s) if rtt_s is not None else 0.25
