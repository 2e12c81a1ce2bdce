"""How deep the target was proven to work, and what else works from here."""

from probe.classify.tries import Layer, Outcome, Try
from probe.model.experiment import Design, NameKind
from probe.model.observation import DialogueExchange, HTTPExchange, QUICHandshake, TLSHandshake
from probe.model.verdict import Depth

_ORDER = tuple(Depth)
_AT_A_CONTROL = (Design.CROSS, Design.FLOW)
"""What answers there is none of the target's."""


def proven_depth(table: tuple[Try, ...]) -> Depth:
    """Return the deepest step that the check itself completed."""
    reached = Depth.NONE
    # Below a conversation TLS is a carrier: whose certificate that is, the conversation knows.
    carried = any(row.layer is Layer.VPN and row.experiment is None for row in table)
    for row in table:
        # A conversation that broke off late still proved the stages before that.
        if row.experiment is not None or (row.outcome is not Outcome.OK and row.layer is not Layer.VPN):
            continue
        depth = Depth.REACH if carried and row.layer is Layer.TLS else _depth_of(row)
        if _ORDER.index(depth) > _ORDER.index(reached):
            reached = depth
    return reached


def _depth_of(row: Try) -> Depth:
    match row.layer:
        case Layer.DNS:
            return Depth.RESOLVE
        case Layer.TCP | Layer.ICMP:
            return Depth.REACH
        case Layer.TLS:
            proven = isinstance(row.observation, TLSHandshake) and row.observation.verified
            return Depth.PROOF if proven else Depth.HELLO
        case Layer.HTTP:
            return Depth.PAGE
        case Layer.QUIC:
            proven = isinstance(row.observation, QUICHandshake) and row.observation.verified
            return Depth.PROOF if proven else Depth.HELLO
        case Layer.HELLO | Layer.QUIC_LOW | Layer.QUIC_LARGE:
            return Depth.HELLO
        case Layer.TRACE:
            return Depth.NONE
        case Layer.VPN:
            return row.observation.depth if isinstance(row.observation, DialogueExchange) else Depth.NONE


def working(table: tuple[Try, ...]) -> tuple[str, ...]:
    """Return what succeeded with the target's own name, in few words each."""
    found: dict[str, None] = {}
    for row in table:
        if row.kind is not NameKind.TEST or row.outcome is not Outcome.OK:
            continue
        if row.experiment is not None and row.experiment.design in _AT_A_CONTROL:
            continue
        if isinstance(row.observation, TLSHandshake) and row.observation.verified:
            where = "the right address" if row.experiment is not None else "one address"
            found[f"HTTPS at {where} ({row.address})"] = None
        elif isinstance(row.observation, HTTPExchange) and row.observation.secure and row.experiment is not None:
            found["HTTP/3" if row.observation.over_quic else "HTTPS"] = None
    return tuple(found)[:3]
