"""How far a protocol was taken, step by step."""

from enum import StrEnum


class Depth(StrEnum):
    """The deepest step proven to work."""

    NONE = "none"
    RESOLVE = "resolve"
    REACH = "reach"
    HELLO = "hello"
    PROOF = "proof"
    AUTH = "auth"
    DATA = "data"
    VOLUME = "volume"
    PAGE = "page"

    @property
    def rank(self) -> int:
        """Return its place in the order of the steps, from 0."""
        return _ORDER.index(self)


class TunnelDepth(StrEnum):
    """How far a person may ask a tunnel to be taken."""

    HELLO = "hello"
    PROOF = "proof"
    AUTH = "auth"
    DATA = "data"
    VOLUME = "volume"


_ORDER = tuple(Depth)
