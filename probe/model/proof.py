"""That a tunnel's credentials were good: an earlier handshake with them, or what its user says."""

from enum import StrEnum

import msgspec


class ProofSource(StrEnum):
    """Who knows."""

    HISTORY = "history"
    """A handshake of ours that succeeded, from whatever network."""
    USER = "user"
    """The user says so; nobody saw it here."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One moment at which the credentials worked."""

    source: ProofSource
    age_s: float
    """How long before the run that leans on it."""
    elsewhere: bool = False
    """From another network than the one that is judged: then it is a control as well."""
    references: tuple[str, ...] = ()
    """Places of reference servers that answered in the same run: so they were good as well."""
    greeted: tuple[str, ...] = ()
    """Places of reference servers that answered something harmless by datagrams in the same run."""
    carried_bytes: int = 0
    """What came through the tunnel in that run, where its volume was tried and carried."""
    rate: float = 0.0
    """How fast, in bytes per second."""
    carriers: tuple[str, ...] = ()
    """Places of reference servers that carried a volume in the same run."""
    measurement: str = ""
    """Of history: which."""
