"""What a negative answer carries of the zone that it speaks for: its SOA record, and how long it is still remembered.

Source: RFC 2308 section 3 (the SOA in the authority section, its TTL the lower one of its own and of MINIMUM) and
section 5 (a resolver that answers from its memory counts that TTL down).
"""

import functools

import msgspec


class Negative(msgspec.Struct, frozen=True, kw_only=True):
    """The SOA record of a negative answer."""

    zone: str
    """In small letters, without the last dot; empty = the root."""
    ttl_s: int


@functools.lru_cache(maxsize=256)  # the same message is looked at by the planner and by the rules, again and again
def read_negative(data: bytes) -> Negative | None:
    """Read the SOA of a DNS message's authority section; `None` = there is none, or the message is none."""
    # Imported where it is needed: what judges and never asks hardly ever meets such a message.
    import dns.exception
    import dns.message
    import dns.rdatatype

    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    record = next((rrset for rrset in message.authority if rrset.rdtype == dns.rdatatype.SOA), None)
    if record is None:
        return None
    return Negative(zone=record.name.to_text(omit_final_dot=True).lower().removesuffix("."), ttl_s=record.ttl)
