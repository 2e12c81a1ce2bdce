"""Resolvers that somebody chose: the well-known public ones, of which many filter at their users' wish.

Source: what their operators publish. Where such a resolver alone denies a name or leads it astray, while others that
are asked in the clear on the same network tell the truth, it is its operator's doing; unless the same server tells the
truth in private, for then somebody on the way answers in its name.
Left out on purpose: those whose operators must answer as the authorities of a country say.
"""

import functools
import ipaddress

from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.name_lookups import LIES
from probe.classify.tries import Outcome

PUBLIC = (
    *("8.8.8.8/32", "8.8.4.4/32", "2001:4860:4860::/48"),  # Google
    *("1.1.1.0/24", "1.0.0.0/24", "2606:4700:4700::/48"),  # Cloudflare
    *("9.9.9.0/24", "149.112.112.0/24", "2620:fe::/48"),  # Quad9
    *("208.67.220.0/24", "208.67.222.0/24", "2620:119:35::/48", "2620:119:53::/48"),  # OpenDNS
    *("94.140.14.0/24", "94.140.15.0/24", "2a10:50c0::/32"),  # AdGuard
    *("185.228.168.0/24", "185.228.169.0/24", "2a0d:2a00:1::/48", "2a0d:2a00:2::/48"),  # CleanBrowsing
    *("76.76.2.0/24", "76.76.10.0/24", "2606:1a40::/32"),  # Control D
    *("45.90.28.0/24", "45.90.30.0/24", "2a07:a8c0::/32", "2a07:a8c1::/32"),  # NextDNS
    *("193.110.81.0/24", "185.253.5.0/24"),  # dns0.eu
    *("194.242.2.0/24", "2a07:e340::/32"),  # Mullvad
    *("64.6.64.0/23", "156.154.70.0/24", "156.154.71.0/24"),  # UltraDNS
)


@functools.cache
def _networks() -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, PUBLIC))


@functools.lru_cache(maxsize=4096)
def is_public_resolver(address: str) -> bool:
    """Tell whether a resolver is one that anybody may choose."""
    try:
        parsed = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    return any(parsed.version == network.version and parsed in network for network in _networks())


def _own_servers(names: NameFacts) -> frozenset[str]:
    endpoints = (lookup.resolver.endpoint for _, lookup in names.own)
    return frozenset(endpoint.address for endpoint in endpoints if endpoint is not None)


def is_operators_word(names: NameFacts) -> bool:
    """Tell whether only our own resolver, a public one, strays from the truth, and nothing shows somebody else did."""
    servers = _own_servers(names)
    if not (names.disputed or names.denied) or not servers or not all(map(is_public_resolver, servers)):
        return False
    return names.others_clean and not names.contradicts_itself and not names.conflicting


def says_so_in_private(names: NameFacts) -> bool:
    """Tell whether our own resolver fails the name in private as well."""
    servers = _own_servers(names)
    private = [
        row
        for row, lookup in names.encrypted_all
        if lookup.resolver.endpoint is not None and lookup.resolver.endpoint.address in servers
    ]
    return bool(private) and all(row.outcome in LIES - {Outcome.SILENT} for row in private)
