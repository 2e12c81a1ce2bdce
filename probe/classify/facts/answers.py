"""Comparing answers: which belong together, which exclude each other, and which cannot be compared at all.

Source: RFC 6052 section 2.2 for addresses that a NAT64 makes from IPv4 ones.
"""

import ipaddress

from probe.model.observation import DNSLookup, DNSReply, ReplyFit, Transport

TRUNCATED = 0x0200
"""Header bit TC (RFC 1035 section 4.1.1): the answer did not fit, and says nothing."""
_ADDRESSES = ("A", "AAAA")
_SAYS_NOTHING_THERE = (0, 3)
"""NOERROR without an answer, and NXDOMAIN."""


def values_of(lookup: DNSLookup) -> tuple[str, ...]:
    """Return what the accepted reply gave of what was asked for."""
    if lookup.query_type in _ADDRESSES:
        return lookup.addresses
    reply = lookup.accepted
    return () if reply is None else tuple(a.value for a in reply.answers if a.type == lookup.query_type)


def replied(lookup: DNSLookup) -> bool:
    """Tell whether any reply fits the question."""
    return any(reply.fit is ReplyFit.OURS for reply in lookup.replies)


def agrees(given: frozenset[str], truth: frozenset[str]) -> bool:
    """Tell whether an answer shares something with the truth; a NAT64 address is the IPv4 address inside it."""
    return bool(given & truth) or bool({_inner(g) for g in given} & truth - {""})


def comparable(given: frozenset[str], others: frozenset[str]) -> bool:
    """Tell whether both have addresses of one family: A records say nothing of AAAA ones."""
    return any(
        any((":" in g) is six for g in given) and any((":" in o) is six for o in others) for six in (True, False)
    )


def contradict(lookup: DNSLookup) -> bool:
    """Tell whether one question, sent once over UDP, got answers that exclude each other."""
    if lookup.sends != 1 or lookup.resolver.transport is not Transport.UDP:
        return False
    sets = [_addresses(reply) for reply in lookup.replies if reply.fit is ReplyFit.OURS and _says_something(reply)]
    return any(not (first & later) and (first or later) for i, first in enumerate(sets) for later in sets[i + 1 :])


def _addresses(reply: DNSReply) -> frozenset[str]:
    return frozenset(a.value for a in reply.answers if a.type in _ADDRESSES)


def _says_something(reply: DNSReply) -> bool:
    """Tell whether a reply is an answer: a failure, or one cut short, excludes nothing."""
    return bool(_addresses(reply)) or (reply.rcode in _SAYS_NOTHING_THERE and not reply.flags & TRUNCATED)


def _inner(address: str) -> str:
    """Return the IPv4 address in the last 32 bits of an IPv6 one, else an empty string."""
    if ":" not in address:
        return ""
    try:
        return str(ipaddress.IPv4Address(ipaddress.IPv6Address(address).packed[12:]))
    except ValueError:
        return ""
