"""A resolver's socket address, and how near we know it to be."""

import socket

from probe.model.endpoint import Endpoint

_NEAR_S = 0.002
"""Nobody sits between us and a resolver this near."""
_HASTY_SHARE = 0.5
_DRIFT = 1.001
"""The floor rises by this per reply, so that a resolver that moved away is learnt anew."""


class Peer:
    """Where the datagrams of a resolver go to and must come from."""

    __slots__ = ("family", "key", "rtt_floor_s", "sockaddr")

    def __init__(self, endpoint: Endpoint) -> None:
        """Read the literal.

        Raises:
            OSError: it is no address, or names an interface that is not there.
        """
        address, _, zone = endpoint.address.partition("%")
        self.sockaddr: tuple[str, int] | tuple[str, int, int, int]
        if ":" in address:
            self.family = socket.AF_INET6
            address = socket.inet_ntop(self.family, socket.inet_pton(self.family, address))
            scope = 0
            if zone:
                scope = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
            self.sockaddr = (address, endpoint.port, 0, scope)
        else:
            self.family = socket.AF_INET
            socket.inet_pton(self.family, address)
            self.sockaddr = (address, endpoint.port)
        self.key = (address, endpoint.port)
        self.rtt_floor_s: float | None = None
        """The quickest clean reply so far; `None` = none yet."""

    def learn(self, rtt_s: float) -> None:
        """Take the round trip of a clean reply to a question that was sent once."""
        floor_s = self.rtt_floor_s
        self.rtt_floor_s = rtt_s if floor_s is None else min(rtt_s, floor_s * _DRIFT)

    def is_hasty(self, rtt_s: float) -> bool:
        """Tell whether a reply came faster than this resolver can answer: somebody nearer may have."""
        return self.rtt_floor_s is not None and self.rtt_floor_s > _NEAR_S and rtt_s < _HASTY_SHARE * self.rtt_floor_s
