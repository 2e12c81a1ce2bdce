"""What the gate must remember over a restart: where it is hot, when it shook hands, which counters are spent."""

from typing import Protocol

import msgspec

from probe.model.endpoint import Endpoint


class HotEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a step failed after a name or a signature was sent, less than a cool-down ago."""

    source: str = ""
    """Our address, as the peer sees it from this host's side; empty = whichever the route gives."""
    endpoint: Endpoint
    over_udp: bool = False
    until_wall_s: float
    """Seconds since the epoch: for people, and for a boot other than the one it was noted in."""
    until_boot_s: float
    """On the clock of the running boot. `Ledger.load` has already translated it after a reboot."""


class LedgerState(msgspec.Struct, frozen=True, kw_only=True):
    """All of the gate's memory, as one value."""

    hot: tuple[HotEndpoint, ...] = ()
    handshakes: dict[str, float] = {}
    """Wall time of the last full handshake, by identity (target id, or endpoint in text)."""
    counters: dict[str, int] = {}
    """First number not yet reserved, by counter name (a TAI64N stamp, for one): use none below it after a restart."""


class Ledger(Protocol):
    """Where the gate's memory is kept; the store has one, tests pass a fake."""

    def load(self) -> LedgerState:
        """Return what was last saved, without what has cooled down; an empty state when there is nothing."""
        ...

    def save(self, state: LedgerState) -> None:
        """Keep this state instead of the last one. Returns at once; it is on disk with the next commit."""
        ...
