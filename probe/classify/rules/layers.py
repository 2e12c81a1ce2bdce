"""The rules of a path in their order, in sections that are passed over whole where none of their rules can fire.

Most paths work, and one that does not breaks in one layer; so most of some two hundred rules never need to be asked.
"""

from collections.abc import Callable

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.shares import share_of
from probe.classify.rules.control import CONNECT_RULES, DOWN_RULES, HANDSHAKE_RULES, QUIC_CONTROL_RULES
from probe.classify.rules.control import EXCHANGE_RULES as CONTROL_EXCHANGE_RULES
from probe.classify.rules.control import PAGE_RULES as CONTROL_PAGE_RULES
from probe.classify.rules.cross import CROSS_HTTP_RULES, CROSS_QUIC_RULES, CROSS_TLS_RULES
from probe.classify.rules.ech import ECH_RULES
from probe.classify.rules.echo import ECHO_RULES
from probe.classify.rules.entropy import ENTROPY_OUTSIDE_RULES, ENTROPY_RULES
from probe.classify.rules.floor import FLOOR_HTTP_RULES, FLOOR_TLS_RULES
from probe.classify.rules.flow import FLOW_CONTROL_RULES, FLOW_NOTES
from probe.classify.rules.greeting import GREETING_RULES
from probe.classify.rules.page import EXCHANGE_RULES, FOREIGN_PAGE_RULES, PAGE_RULES
from probe.classify.rules.path import TCP_RULES, TLS_RULES
from probe.classify.rules.prohibition import PROHIBITION_TCP_RULES
from probe.classify.rules.question import QUESTION_RULES
from probe.classify.rules.quic import QUIC_RULES
from probe.classify.rules.resend import RESEND_RULES
from probe.classify.rules.residual import RESIDUAL_HTTP_RULES, RESIDUAL_NOTES, RESIDUAL_TLS_RULES
from probe.classify.rules.route import ROUTE_RULES
from probe.classify.rules.rule import Rule, Section
from probe.classify.rules.shape import DEEP_NOTES, DEEP_RULES, SHAPE_NOTES, SHAPE_TLS_RULES, UNNAMED_TLS_RULES
from probe.classify.rules.share import SHARE_RULES
from probe.classify.rules.trace import TRACED_HTTP_RULES, TRACED_TCP_RULES, TRACED_TLS_RULES
from probe.classify.rules.trust import TRUST_RULES
from probe.classify.rules.tunnel_flow import TUNNEL_FLOW_RULES
from probe.classify.rules.tunnel_reach import TUNNEL_TCP_RULES, TUNNEL_TLS_RULES
from probe.classify.rules.vpn import VPN_OUTSIDE_RULES, VPN_RULES
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design
from probe.model.target import CheckName

_Rules = tuple[Rule[PathFacts], ...]


def _broken_at(
    layer: Layer, *, tried: Layer | None = None, design: Design | None = None
) -> Callable[[PathFacts], bool]:
    """Return when a path broke at a layer, and something of another layer or of a design was tried in its hop."""

    def given(facts: PathFacts) -> bool:
        if facts.failing is None or facts.failing.layer is not layer:
            return False
        return (tried is None or tried in facts.rows.by_layer) and (design is None or design in facts.rows.designs)

    return given


def _broken(facts: PathFacts) -> bool:
    return facts.failing is not None


def _beside_tried(facts: PathFacts) -> bool:
    return not facts.failed(Layer.TCP) and bool(facts.rows.designs & {Design.PORTS, Design.CONNECT})


def _works_with_hellos(facts: PathFacts) -> bool:
    return facts.failing is None and Layer.HELLO in facts.rows.by_layer


def _mixed(facts: PathFacts) -> bool:
    return not facts.failed(Layer.TLS) and share_of(facts).is_mixed


def _tunnel_flows(facts: PathFacts) -> bool:
    return facts.failed(Layer.VPN) or (facts.case.target.check is CheckName.VPN and facts.failing is None)


def _page_came(facts: PathFacts) -> bool:
    return facts.exchange is not None


def _page_or_wish(facts: PathFacts) -> bool:
    return facts.exchange is not None or facts.case.target.expect is not None


_VPN, _TCP, _TLS, _QUIC, _HTTP = (
    _broken_at(layer) for layer in (Layer.VPN, Layer.TCP, Layer.TLS, Layer.QUIC, Layer.HTTP)
)
_TLS_AND_HELLOS = _broken_at(Layer.TLS, tried=Layer.HELLO)

LAYERED: tuple[tuple[Section[PathFacts], ...], ...] = (
    # First: what was not asked at all says so in its own words.
    (
        Section(_tunnel_flows, TUNNEL_FLOW_RULES),
        Section(_broken_at(Layer.VPN, design=Design.ENTROPY), ENTROPY_RULES),
        Section(_VPN, VPN_RULES),
    ),
    (
        Section(_broken_at(Layer.VPN, design=Design.ENTROPY), ENTROPY_OUTSIDE_RULES),
        Section(_VPN, VPN_OUTSIDE_RULES),
    ),
    (Section(_broken_at(Layer.ICMP), ECHO_RULES),),
    (
        Section(_broken_at(Layer.TCP), PROHIBITION_TCP_RULES),
        Section(_broken_at(Layer.TCP, tried=Layer.TRACE), TRACED_TCP_RULES),
        Section(_TCP, TUNNEL_TCP_RULES),
        Section(_broken, TCP_RULES),
        Section(_beside_tried, RESEND_RULES),
    ),
    (
        Section(_TLS_AND_HELLOS, SHAPE_TLS_RULES),
        Section(_broken_at(Layer.TLS, tried=Layer.TRACE), TRACED_TLS_RULES),
        Section(_broken_at(Layer.TLS, design=Design.RESIDUAL), RESIDUAL_TLS_RULES),
        Section(_broken_at(Layer.TLS, design=Design.CROSS), CROSS_TLS_RULES),
        Section(_TLS_AND_HELLOS, UNNAMED_TLS_RULES),
        Section(_mixed, SHARE_RULES),
        Section(_TLS, TUNNEL_TLS_RULES),
        Section(_TLS, TLS_RULES),
        Section(lambda f: f.failed(Layer.TLS, Outcome.UNTRUSTED), TRUST_RULES),
        Section(_works_with_hellos, DEEP_RULES),
        Section(_works_with_hellos, ECH_RULES),
    ),
    (Section(_broken_at(Layer.TLS, tried=Layer.QUIC), ROUTE_RULES),),
    (Section(_broken_at(Layer.TLS, design=Design.MIN_TTL), FLOOR_TLS_RULES),),
    (Section(_TLS_AND_HELLOS, SHAPE_NOTES), Section(_works_with_hellos, DEEP_NOTES)),
    (Section(_broken_at(Layer.QUIC, design=Design.CROSS), CROSS_QUIC_RULES), Section(_QUIC, QUIC_RULES)),
    (
        Section(_broken_at(Layer.HTTP, tried=Layer.TRACE), TRACED_HTTP_RULES),
        Section(_broken_at(Layer.HTTP, design=Design.RESIDUAL), RESIDUAL_HTTP_RULES),
        Section(_broken_at(Layer.HTTP, design=Design.CROSS), CROSS_HTTP_RULES),
        Section(_page_came, FOREIGN_PAGE_RULES),
        Section(_HTTP, EXCHANGE_RULES),
        Section(_page_or_wish, PAGE_RULES),
    ),
    (Section(lambda f: Design.VOLUME in f.rows.designs, FLOW_NOTES),),
    (Section(lambda f: Design.RESIDUAL in f.rows.designs, RESIDUAL_NOTES),),
    (Section(_broken_at(Layer.HTTP, design=Design.MIN_TTL), FLOOR_HTTP_RULES),),
    (Section(lambda f: bool(f.questions), QUESTION_RULES),),
)
"""A tuple for each layer; in each the first rule that fires speaks."""

OUTSIDE: tuple[Section[PathFacts], ...] = (
    Section(_page_came, FLOW_CONTROL_RULES),
    Section(_VPN, GREETING_RULES),
    Section(_TCP, CONNECT_RULES),
    Section(_TLS, HANDSHAKE_RULES),
    Section(_QUIC, QUIC_CONTROL_RULES),
    Section(_HTTP, CONTROL_EXCHANGE_RULES),
    Section(_page_came, CONTROL_PAGE_RULES),
    Section(_broken, DOWN_RULES),
)
"""What a control adds; of these as well the first that fires speaks."""

PATH_RULES: _Rules = tuple(rule for layer in (*LAYERED, OUTSIDE) for section in layer for rule in section.rules)
