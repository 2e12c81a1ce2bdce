"""Fakes that tests pass in: a gate that grants everything and a clock that moves when told."""

import itertools
from typing import TYPE_CHECKING, Any

from probe.model.endpoint import Endpoint
from probe.model.experiment import Grant, Traffic
from probe.net.clock import SystemClock
from probe.net.context import Context, Journal

if TYPE_CHECKING:
    from probe.net.stack import Stack


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, wall_s: float = 1_700_000_000.0, boot_s: float = 1000.0) -> None:
        self._wall_s = wall_s
        self._boot_s = boot_s

    def wall_s(self) -> float:
        return self._wall_s

    def boot_s(self) -> float:
        return self._boot_s

    def advance(self, seconds: float) -> None:
        """Let both clocks run."""
        self._wall_s += seconds
        self._boot_s += seconds

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock alone, as an operator or NTP would."""
        self._wall_s += seconds


class OpenGate:
    """Grants everything at once and remembers what was asked."""

    def __init__(self) -> None:
        self._serials = itertools.count(1)
        self.asked: list[Grant] = []
        self.released: list[Grant] = []
        self.hot: list[Endpoint] = []
        self.claimed: list[str] = []
        self.reserved: list[str] = []

    async def ask(self, traffic: Traffic, endpoint: Endpoint | None, holder: str) -> Grant:
        grant = Grant(serial=next(self._serials), traffic=traffic, endpoint=endpoint)
        self.asked.append(grant)
        return grant

    def release(self, grant: Grant, *, bytes_sent: int = 0, bytes_received: int = 0) -> None:
        self.released.append(grant)

    def triggered(self, endpoint: Endpoint, *, over_udp: bool = False) -> None:
        self.hot.append(endpoint)

    async def claim_handshake(self, identity: str, spacing_s: float, patience_s: float) -> None:
        self.claimed.append(identity)

    async def reserve(self, counter: str, at_least: int, count: int) -> int:
        self.reserved.append(counter)
        return at_least


def make_context(stack: "Stack", **fields: Any) -> Context:
    """Return a context on the real clock with an open gate; fields override."""
    given: dict[str, Any] = {
        "stack": stack,
        "gate": OpenGate(),
        "journal": Journal(SystemClock()),
        "holder": "test",
        "timeout_s": 2.0,
    }
    return Context(**(given | fields))
