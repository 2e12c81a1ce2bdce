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
from probe.classify.rules.flow import COMING_RULES, FLOW_CONTROL_RULES, FLOW_NOTES, FLOW_RULES
from probe.classify.rules.greeting import GREETING_RULES
from probe.classify.rules.injected import INJECTED_RULES, MOVED_RULES
from probe.classify.rules.page import BLOCKPAGE_RULES, EXCHANGE_RULES, PAGE_RULES
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
from probe.classify.tries import TRIGGERABLE, Layer, Outcome
from probe.model.experiment import Design
from probe.model.target import CheckName

_Rules = tuple[Rule[PathFacts], ...]


def _of_hop(given: Callable[[PathFacts], bool], rules: _Rules) -> Section[PathFacts]:
    return Section(given, rules, of_hop=True)


def _broken_at(
    layer: Layer, rules: _Rules, *, tried: Layer | None = None, design: Design | None = None
) -> Section[PathFacts]:
    """Return rules for paths that broke at a layer, if another layer or a design was tried in the hop as well."""

    def given(facts: PathFacts) -> bool:
        if facts.failing is None or facts.failing.layer is not layer:
            return False
        return (tried is None or tried in facts.rows.by_layer) and (design is None or design in facts.rows.designs)

    return _of_hop(given, rules)


def _broken(facts: PathFacts) -> bool:
    return facts.failing is not None


def _beside_tried(facts: PathFacts) -> bool:
    return not facts.failed(Layer.TCP) and bool(facts.rows.designs & {Design.PORTS, Design.CONNECT})


def _works_with_hellos(facts: PathFacts) -> bool:
    return facts.failing is None and Layer.HELLO in facts.rows.by_layer


def _mixed(facts: PathFacts) -> bool:
    came = facts.rows.handshakes
    if Outcome.OK not in came or came.isdisjoint(TRIGGERABLE) or facts.failed(Layer.TLS):
        return False
    return share_of(facts).is_mixed


def _tunnel_flows(facts: PathFacts) -> bool:
    return facts.failed(Layer.VPN) or (facts.case.target.check is CheckName.VPN and facts.failing is None)


def _page_came(facts: PathFacts) -> bool:
    return facts.exchange is not None


def _page_and_traces(facts: PathFacts) -> bool:
    return facts.exchange is not None and Layer.TRACE in facts.rows.by_layer


def _page_and_volumes(facts: PathFacts) -> bool:
    return facts.exchange is not None and Design.VOLUME in facts.rows.designs


def _page_or_wish(facts: PathFacts) -> bool:
    return facts.exchange is not None or facts.case.target.expect is not None


_VPN, _TCP, _TLS, _QUIC, _HTTP = Layer.VPN, Layer.TCP, Layer.TLS, Layer.QUIC, Layer.HTTP

LAYERED: tuple[tuple[Section[PathFacts], ...], ...] = (
    # Tunnels first: their rules also say what was not asked at all, and why.
    (
        _of_hop(_tunnel_flows, TUNNEL_FLOW_RULES),
        _broken_at(_VPN, ENTROPY_RULES, design=Design.ENTROPY),
        _broken_at(_VPN, VPN_RULES),
    ),
    (
        _broken_at(_VPN, ENTROPY_OUTSIDE_RULES, design=Design.ENTROPY),
        _broken_at(_VPN, VPN_OUTSIDE_RULES),
    ),
    (_broken_at(Layer.ICMP, ECHO_RULES),),
    (
        _broken_at(_TCP, PROHIBITION_TCP_RULES),
        _broken_at(_TCP, TRACED_TCP_RULES, tried=Layer.TRACE),
        _broken_at(_TCP, TUNNEL_TCP_RULES),
        _of_hop(_broken, TCP_RULES),
        _of_hop(_beside_tried, RESEND_RULES),
    ),
    (
        _broken_at(_TLS, SHAPE_TLS_RULES, tried=Layer.HELLO),
        _broken_at(_TLS, TRACED_TLS_RULES, tried=Layer.TRACE),
        _broken_at(_TLS, RESIDUAL_TLS_RULES, design=Design.RESIDUAL),
        _broken_at(_TLS, CROSS_TLS_RULES, design=Design.CROSS),
        _broken_at(_TLS, UNNAMED_TLS_RULES, tried=Layer.HELLO),
        Section(_mixed, SHARE_RULES),
        _broken_at(_TLS, TUNNEL_TLS_RULES),
        _broken_at(_TLS, TLS_RULES),
        Section(lambda f: f.failed(Layer.TLS, Outcome.UNTRUSTED), TRUST_RULES),
        _of_hop(_works_with_hellos, DEEP_RULES),
        _of_hop(_works_with_hellos, ECH_RULES),
    ),
    (_broken_at(_TLS, ROUTE_RULES, tried=_QUIC),),
    (_broken_at(_TLS, FLOOR_TLS_RULES, design=Design.MIN_TTL),),
    (_broken_at(_TLS, SHAPE_NOTES, tried=Layer.HELLO), _of_hop(_works_with_hellos, DEEP_NOTES)),
    (_broken_at(_QUIC, CROSS_QUIC_RULES, design=Design.CROSS), _broken_at(_QUIC, QUIC_RULES)),
    (
        _broken_at(_HTTP, TRACED_HTTP_RULES, tried=Layer.TRACE),
        _broken_at(_HTTP, RESIDUAL_HTTP_RULES, design=Design.RESIDUAL),
        _broken_at(_HTTP, CROSS_HTTP_RULES, design=Design.CROSS),
        # A page that came may still be none of the site's, or may come too slowly to be of use.
        Section(_page_and_traces, INJECTED_RULES),
        Section(_page_came, MOVED_RULES),
        Section(_page_came, BLOCKPAGE_RULES),
        Section(_page_and_volumes, FLOW_RULES),
        Section(_page_came, COMING_RULES),
        _broken_at(_HTTP, EXCHANGE_RULES),
        Section(_page_or_wish, PAGE_RULES),
    ),
    (_of_hop(lambda f: Design.VOLUME in f.rows.designs, FLOW_NOTES),),
    (_of_hop(lambda f: Design.RESIDUAL in f.rows.designs, RESIDUAL_NOTES),),
    (_broken_at(_HTTP, FLOOR_HTTP_RULES, design=Design.MIN_TTL),),
    (Section(lambda f: bool(f.questions), QUESTION_RULES),),
)
"""A tuple for each layer; in each the first rule that fires speaks."""

OUTSIDE: tuple[Section[PathFacts], ...] = (
    Section(_page_and_volumes, FLOW_CONTROL_RULES),
    _broken_at(_VPN, GREETING_RULES),
    _broken_at(_TCP, CONNECT_RULES),
    _broken_at(_TLS, HANDSHAKE_RULES),
    _broken_at(_QUIC, QUIC_CONTROL_RULES),
    _broken_at(_HTTP, CONTROL_EXCHANGE_RULES),
    Section(_page_came, CONTROL_PAGE_RULES),
    _of_hop(_broken, DOWN_RULES),
)
"""What a control adds; of these as well the first that fires speaks."""


def open_layers(facts: PathFacts) -> tuple[tuple[Section[PathFacts], ...], ...]:
    """Return what of each layer can fire on the paths of this hop that broke in the same one, `OUTSIDE` last."""
    key = ("open layers", facts.failing and facts.failing.layer)
    found: tuple[tuple[Section[PathFacts], ...], ...] | None = facts.rows.derived.get(key)
    if found is None:
        every = (*LAYERED, OUTSIDE)
        found = tuple(tuple(s for s in layer if not s.of_hop or s.given(facts)) for layer in every)
        facts.rows.derived[key] = found
    return found


PATH_RULES: _Rules = tuple(rule for layer in (*LAYERED, OUTSIDE) for section in layer for rule in section.rules)
