"""Rules that hold a path against what controls saw at the same address and port: family B, beside the layers' own."""

from collections.abc import Callable

from probe.classify.control_view import ControlView
from probe.classify.facts import PathFacts
from probe.classify.pages import differ, find_fingerprint, is_challenge
from probe.classify.rule import C1, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design
from probe.model.observation import HTTPExchange, TLSHandshake
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

B = EvidenceFamily.CONTROL
TCP, TLS, HTTP = Layer.TCP, Layer.TLS, Layer.HTTP


def _view(facts: PathFacts) -> ControlView:
    return ControlView(facts.case)


def _level(facts: PathFacts) -> Confidence:
    return _view(facts).confidence


def _name(facts: PathFacts) -> str:
    return facts.handshake.server_name if facts.handshake is not None else ""


def _ports(facts: PathFacts, *outcomes: Outcome) -> bool:
    return bool(facts.seen(TCP, *outcomes, design=Design.PORTS))


def _reached(rule_id: str, pattern: Pattern, when: Callable[[PathFacts], bool], reason: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{rule_id}.control_ok",
        when=lambda f: when(f) and _view(f).connects(f.spot) is True,
        pattern=pattern,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason=reason,
    )


def _shaken(outcome: Outcome, pattern: Pattern, reason: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.{outcome.value}.control_ok",
        when=lambda f: f.failed(TLS, outcome) and _view(f).handshakes(f.spot, _name(f)) is True,
        pattern=pattern,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason=reason,
    )


def _served(outcome: Outcome, pattern: Pattern, reason: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.{outcome.value}.control_page",
        when=lambda f: f.failed(HTTP, outcome) and f.hop == 0 and _view(f).page is not None,
        pattern=pattern,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason=reason,
    )


def _own_leaf(facts: PathFacts) -> bool:
    handshake = facts.handshake
    return handshake is not None and bool(handshake.chain) and handshake.chain[0] in _view(facts).leaves(facts.spot)


def _foreign_leaf(facts: PathFacts) -> bool:
    handshake = facts.handshake
    return (
        facts.failed(TLS, Outcome.UNTRUSTED)
        and isinstance(handshake, TLSHandshake)
        and _view(facts).handshakes(facts.spot, handshake.server_name) is True
        and not _own_leaf(facts)
    )


def _cleartext_page(facts: PathFacts) -> HTTPExchange | None:
    page = facts.exchange
    plain = page is not None and not page.secure and page.status and not page.location and page.failure is None
    return page if plain and facts.hop == 0 else None


def _other_page(facts: PathFacts) -> bool:
    page, theirs = _cleartext_page(facts), _view(facts).page
    return page is not None and theirs is not None and not is_challenge(page) and differ(page, theirs)


def _block_page(facts: PathFacts) -> bool:
    page = _cleartext_page(facts)
    return page is not None and _other_page(facts) and find_fingerprint(page, facts.case.reference) is not None


CONTROL_RULES: tuple[Rule[PathFacts], ...] = (
    _reached(
        "ip.port_drop",
        Pattern.IP_PORT_DROP,
        lambda f: f.failed(TCP, Outcome.SILENT) and _ports(f, Outcome.OK),
        "A control connects to this port, we do not; another port answers us. It may be the server's own firewall.",
    ),
    _reached(
        "ip.drop",
        Pattern.IP_DROP,
        lambda f: f.failed(TCP, Outcome.SILENT) and _ports(f, Outcome.SILENT),
        "A control connects to this address, to us none of its ports answers. It may be the server's own firewall.",
    ),
    _reached(
        "ip.silent",
        Pattern.IP,
        lambda f: f.failed(TCP, Outcome.SILENT),
        "A control connects to this address and port, we do not. It may be the server's own firewall.",
    ),
    _reached(
        "ip.unreachable",
        Pattern.IP_UNREACHABLE,
        lambda f: f.failed(TCP, Outcome.UNREACHABLE),
        "A control connects to this address, a router refuses us.",
    ),
    _reached(
        "tcp.rst_syn",
        Pattern.TCP_RST_SYN,
        lambda f: f.failed(TCP, Outcome.REFUSED),
        "A control connects to this port, we are refused. It may be the server's own firewall.",
    ),
    _shaken(Outcome.RESET, Pattern.TLS_RESET, "A control shakes hands with this name here, we are reset."),
    _shaken(Outcome.FIN, Pattern.TLS_FIN, "A control shakes hands with this name here, we are closed on."),
    _shaken(Outcome.SILENT, Pattern.TLS_TIMEOUT, "A control shakes hands with this name here, we get no answer."),
    Rule(
        id="tls.mitm.untrusted.control_valid",
        when=_foreign_leaf,
        pattern=Pattern.TLS_MITM_UNTRUSTED,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason="A control is shown the site's own certificate at this address, we are shown another.",
    ),
    _served(Outcome.RESET, Pattern.HTTP_RESET, "A control gets the page, we are reset after the request."),
    _served(Outcome.FIN, Pattern.HTTP_FIN, "A control gets the page, we are closed on after the request."),
    _served(Outcome.SILENT, Pattern.HTTP_TIMEOUT, "A control gets the page, we get no answer to the request."),
    Rule(
        id="http.blockpage.fingerprint.control_differs",
        when=_block_page,
        pattern=Pattern.HTTP_BLOCKPAGE,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason="The page reads like a block page, and a control gets another one.",
    ),
    Rule(
        id="http.differs.control",
        when=_other_page,
        pattern=Pattern.HTTP,
        cause=Cause.UNKNOWN,
        family=B,
        level=C1,
        reason="A control gets plainly another page; the server may choose by country, or somebody on the way may.",
    ),
    Rule(
        id="srv.down.control_fails",
        when=lambda f: (
            (f.failed(TCP) and _view(f).connects(f.spot) is False)
            or (
                f.failed(TLS)
                and not f.failed(TLS, Outcome.UNTRUSTED)
                and _view(f).handshakes(f.spot, _name(f)) is False
            )
        ),
        pattern=Pattern.SRV_DOWN,
        cause=Cause.OUTAGE,
        family=B,
        level=_level,
        reason="A control fails at this address and port in the same step.",
    ),
    Rule(
        id="srv.cert_untrusted.control_same",
        when=lambda f: f.failed(TLS, Outcome.UNTRUSTED) and _view(f).handshakes(f.spot, _name(f)) is False,
        pattern=Pattern.SRV_CERT_UNTRUSTED,
        cause=Cause.SERVER,
        family=B,
        level=_level,
        reason="A control refuses the certificate that is shown here as well.",
    ),
)
"""First match speaks. A bare success of a control says who, never more of how than was seen from here."""
