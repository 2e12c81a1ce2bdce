"""Addresses that no public site has: an answer that names one deserves a second look.

Source: the IANA special-purpose registries (RFC 6890), as `ipaddress` knows them; 2001::/32 is Teredo (RFC 4380),
long retired and the range of forged AAAA answers seen in the wild.
"""

import functools
import ipaddress

_TEREDO = ipaddress.IPv6Network("2001::/32")
_BENCHMARK = ipaddress.IPv4Network("198.18.0.0/15")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@functools.lru_cache(maxsize=4096)
def is_special(address: str) -> bool:
    """Tell whether the literal is private, loopback, reserved, multicast, Teredo or no address at all.

    A NAT64 address (RFC 6052) is as special as the IPv4 address inside it. Site-local addresses (RFC 3879) are retired
    and still routed inside some networks; one with a zone (RFC 4007) names a link of this host.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return True
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in _NAT64:
            return is_special(str(ipaddress.IPv4Address(parsed.packed[12:])))
        if parsed in _TEREDO or parsed.is_site_local or parsed.scope_id is not None:
            return True
    elif parsed in _BENCHMARK:
        return True
    return not parsed.is_global or parsed.is_multicast or parsed.is_reserved
