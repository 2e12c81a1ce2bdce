"""A rule about connections that come about only when they ask again.

Source: CONTRACT section 1 (`degraded`: usable, and the speed is interfered with; pattern and cause say what and who). A
filter that closes a port for a while, such as for what a neighbour behind our address asked for, looks like this; so
does a server whose queue is full. Nobody is accused.
"""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.resends import is_lost, resends_of
from probe.classify.rules.rule import Rule
from probe.classify.tries import Layer
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, EvidenceFamily


def _connects_late(facts: PathFacts) -> bool:
    if facts.failed(Layer.TCP) or not any(map(is_lost, facts.here)):
        return False
    return resends_of(facts).came_about > 0 and resends_of(facts).is_shown


RESEND_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="ip.port_drop.sometimes_seen",
        when=_connects_late,
        pattern=Pattern.IP_PORT_DROP,
        cause=Cause.UNKNOWN,
        family=EvidenceFamily.DIFFERENTIAL,
        interferes=True,
        reason="First packets to this port are lost again and again, on another port of the same host none is:"
        " something closes the port for seconds at a time, or the server's queue is full.",
    ),
)
