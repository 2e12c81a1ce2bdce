"""Denials that our resolver remembers: the name did not exist when its zone was asked, and has come into being since.

Source: RFC 2308 section 5. Who denies a name on his own authority says so with the same TTL each time, or without the
zone's SOA record; an honest memory counts down. One's own resolver may be the only one that remembers, for hours.
"""

from probe.classify.facts.name_facts import NameFacts
from probe.classify.tries import Outcome
from probe.protocols.dns.negative import read_negative

LATER_S = 1.3
"""When our resolver is asked again: TTLs are counted in seconds."""
_DENIED = (Outcome.NO_SUCH_NAME, Outcome.NO_ANSWER)


def is_zones_word(names: NameFacts) -> bool:
    """Tell whether our resolver denies the name with the SOA of a zone that the name lies in."""
    return names.own_outcome in _DENIED and bool(_ttls(names))


def is_remembered(names: NameFacts) -> bool:
    """Tell whether such a denial runs out: its TTL falls from one answer to the next, and never rises."""
    ttls = _ttls(names)
    falls = len(ttls) >= 2 and ttls == sorted(ttls, reverse=True) and ttls[-1] < ttls[0]
    return falls and names.own_outcome in _DENIED and names.denied and names.others_clean


def _ttls(names: NameFacts) -> list[int]:
    """Return how long each denial of our resolver's was to be remembered still, in the order of the answers."""
    found: list[int] = []
    for row, lookup in sorted(names.at_own(), key=lambda pair: pair[1].t_s):
        reply = lookup.accepted
        if reply is None or not reply.raw or row.outcome not in _DENIED or row.measurement:
            continue  # of an answer that is nothing unusual for its family the message is not kept
        negative = read_negative(reply.raw)
        if negative is None or not _is_within(lookup.name, negative.zone):
            return []
        found.append(negative.ttl_s)
    return found


def _is_within(name: str, zone: str) -> bool:
    name = name.lower().rstrip(".")
    return not zone or name == zone or name.endswith(f".{zone}")
