"""A server that took what we sent and kept silent: what that excuses.

Source: RFC 9293 section 3.4 (acknowledgements), RFC 2923 section 2.1 (black holes of path MTU discovery). Who drops a
hello or a request on the way keeps it from the server, and its acknowledgement from us: then the name may be the
reason. Once the server's own kernel has acknowledged it and not a byte comes back, the machine behind it hangs, as
behind a balancer that goes by names, or its answer is too large for the way to us. Who lets some packets of the answer
pass, as slow filters do, is not excused. Where our kernel does not tell, the server may have taken it as well.
"""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.pairs import carried_full_packets
from probe.classify.tries import Layer, Outcome, Try
from probe.model.experiment import Place
from probe.model.observation import HTTPExchange, TLSHandshake

_HERE = (Place.OWN, Place.SIBLING)


def took_it_silently(facts: PathFacts) -> bool:
    """Tell whether the step that broke the path was acknowledged whole, or may have been, and nothing came back."""
    broken = facts.failing
    if broken is None or broken.outcome is not Outcome.SILENT:
        return False
    seen = broken.observation
    if not isinstance(seen, TLSHandshake | HTTPExchange) or seen.bytes_received or not seen.bytes_sent:
        return False  # other people's data does not say what was sent
    return seen.bytes_acked is None or seen.bytes_acked >= seen.bytes_sent


def is_over_quic(row: Try) -> bool:
    """Tell whether a page came over HTTP/3."""
    return isinstance(row.observation, HTTPExchange) and row.observation.over_quic


def may_have_lost_answer(facts: PathFacts) -> bool:
    """Tell whether nothing shows that a large answer of this server's gets as far as to us."""
    if not took_it_silently(facts):
        return False
    layers = (Layer.TLS, Layer.HELLO, Layer.HTTP)
    rows = [row for layer in layers for row in facts.seen(layer, at=_HERE)]
    return not any(carried_full_packets(row) for row in rows if not is_over_quic(row))  # QUIC keeps its packets small
