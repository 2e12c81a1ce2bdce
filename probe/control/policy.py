"""What a control measures for others: no open prober, no way into the network that it stands in.

The gate asks this of every address at the moment it is dialled, so a name that leads elsewhere the second time (DNS
rebinding) and a redirect into a private network are refused like anything else.
"""

import dataclasses
import ipaddress
from collections.abc import Container
from typing import TypeAlias

from probe.model.endpoint import Endpoint
from probe.protocols.special_address import is_special

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = frozenset({80, 443, 500, 853, 1194, 4500})
"""Web, encrypted DNS, and where IKE and OpenVPN are greeted; others are the operator's to name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Where packets may go."""

    ports: Container[int] = PORTS
    networks: tuple[Network, ...] = ()
    """Special networks that are allowed all the same, as in a laboratory."""

    def refuses(self, endpoint: Endpoint) -> str:
        """Return why this may not be dialled; an empty string = it may."""
        if endpoint.port not in self.ports:
            return f"port {endpoint.port} is not measured here"
        return self.refuses_address(endpoint.address)

    def refuses_address(self, address: str) -> str:
        """Return why nothing may go to this address, whatever the port; an empty string = it may."""
        if not (is_special(address) or _hides_special(address)) or self._is_allowed(address):
            return ""
        return f"{address[:64]} is not a public address"

    def _is_allowed(self, address: str) -> bool:
        if not self.networks:
            return False
        try:
            literal = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(literal in network for network in self.networks)


def _hides_special(address: str) -> bool:
    """Tell whether a 6to4 address (RFC 3056) stands for a special IPv4 one: a host with such a tunnel gets there."""
    literal = ipaddress.ip_address(address)
    inner = literal.sixtofour if isinstance(literal, ipaddress.IPv6Address) else None
    return inner is not None and is_special(str(inner))
