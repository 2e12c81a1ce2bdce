"""Rules that hold a path against what controls saw at the same address and port: family B, beside the layers' own.

A bare success of a control says who, never more of how than was seen from here.
"""

from collections.abc import Callable

from probe.classify.case import Case
from probe.classify.facts.control_view import SERVER_ERROR, UNANSWERED, ControlView
from probe.classify.facts.pages import differ, fingerprint_of, is_challenge
from probe.classify.facts.path_facts import OWN, SIBLING, TEST, PathFacts
from probe.classify.facts.taken import may_have_lost_answer
from probe.classify.facts.tunnel_facts import TunnelFacts
from probe.classify.pairs import SPOKE
from probe.classify.rules.control_page import (
    gets_another_page,
    got_same_address,
    is_sent_away,
    is_sent_elsewhere,
    stays_for_control,
)
from probe.classify.rules.path import is_refused_at_home, is_refused_on_the_way
from probe.classify.rules.rule import C0, C1, C2, Rule
from probe.classify.tries import ENCRYPTED, Layer, Outcome
from probe.model.experiment import Design
from probe.model.observation import DNSLookup, HTTPExchange, Transport
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, Confidence, EvidenceFamily

B = EvidenceFamily.CONTROL
TCP, TLS, HTTP, QUIC = Layer.TCP, Layer.TLS, Layer.HTTP, Layer.QUIC
DATES = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
REFUSAL = 400
"""First status of the classes that refuse (RFC 9110 section 15)."""


_When = Callable[[PathFacts], bool]
_Says = Callable[[PathFacts, ControlView], bool]


def _compared(
    rule_id: str, when: _When, says: _Says, pattern: Pattern, reason: str, *, cause: Cause = Cause.NETWORK
) -> Rule[PathFacts]:
    return Rule(
        id=rule_id,
        when=lambda f: when(f) and says(f, ControlView.of(f.case)),
        pattern=pattern,
        cause=cause,
        family=B,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: says(f, view)),
        level=lambda f: min(ControlView.of(f.case).level(lambda view: says(f, view)), _own_share(f, cause)),
        reason=reason,
    )


def _own_share(facts: PathFacts, cause: Cause) -> Confidence:
    """C0 while our own step failed once only: a packet lost here is no difference to what a control sees.

    Where nobody is accused, the same failure at the name's other addresses is the second. A server that took what we
    sent, and whose answer may be too large for the way to us, is no more than a suspicion; nor is a failure that
    another control shares.
    """
    failed, broken = facts.tries_failed, facts.failing
    if broken is not None and cause is not Cause.NETWORK:
        failed = len(facts.seen(broken.layer, broken.outcome, name=TEST, at=(OWN, SIBLING)))
    if failed == 1 and not facts.case.single_sample:
        return C0
    return C1 if cause is Cause.NETWORK and (may_have_lost_answer(facts) or _is_contested(facts)) else C2


def _is_contested(facts: PathFacts) -> bool:
    view = ControlView.of(facts.case)
    return view.contested(lambda one: _fails_too(facts, one) or _unanswered_too(facts, one))


def _name(facts: PathFacts) -> str:
    return facts.handshake.server_name if facts.handshake is not None else ""


def _ports(facts: PathFacts, *outcomes: Outcome) -> bool:
    return bool(facts.seen(TCP, *outcomes, design=Design.PORTS))


def _connects(facts: PathFacts, view: ControlView) -> bool:
    return view.connects(facts.spot) is True


def _greeted(facts: PathFacts, view: ControlView) -> bool:
    return view.greeted(facts.spot, _name(facts)) is True


def _greeted_by_quic(facts: PathFacts, view: ControlView) -> bool:
    broken = facts.failing
    return broken is not None and view.greeted_by_quic(facts.spot, broken.name)


def _has_quic(facts: PathFacts) -> bool:
    """Tell whether QUIC gets anywhere from here: a box of one's own may drop all of it."""
    return any(row.layer is QUIC and row.outcome in SPOKE for row in facts.table)


def _fails_too(facts: PathFacts, view: ControlView) -> bool:
    if not _is_the_names(facts, view):
        return False
    if facts.failed(TCP):
        return view.connects(facts.spot) is False
    return view.greeted(facts.spot, _name(facts)) is False


def _unanswered_too(facts: PathFacts, view: ControlView) -> bool:
    return _is_the_names(facts, view) and view.answers(facts.spot) is False and view.page is None


def _is_the_names(facts: PathFacts, view: ControlView) -> bool:
    """Tell whether somebody the network cannot rewrite gives this address too, or nobody knows another one.

    At an address that a forged answer leads to nobody may be, while the site lives elsewhere: that it fails for
    controls as well says nothing of the site.
    """
    address = facts.failing.address if facts.failing is not None else ""
    given = _givers(facts.case).get(address, frozenset())
    confirmed = address in view.given or bool(given & ENCRYPTED)
    return confirmed or not given or not view.given


def _givers(case: Case) -> dict[str, frozenset[Transport]]:
    """Return how each address was given by resolvers, in this run and those it cites."""
    givers: dict[str, frozenset[Transport]] | None = case.derived.get("givers")
    if givers is None:
        givers = case.derived["givers"] = {}
        seen = (*case.observations, *(o for citation in case.cites for o in citation.observations))
        for lookup in (o for o in seen if isinstance(o, DNSLookup)):
            for address in lookup.addresses:
                givers[address] = givers.get(address, frozenset()) | {lookup.resolver.transport}
    return givers


def _served(facts: PathFacts, view: ControlView) -> bool:
    """Tell whether a control gets the page, and reaches this very place; a fault that the server reports is none."""
    if facts.hop:
        return got_same_address(facts, view) and _connects(facts, view)
    return view.page is not None and view.page.status < SERVER_ERROR and _connects(facts, view)


def _silent(facts: PathFacts) -> bool:
    return facts.failed(TCP, Outcome.SILENT) and not facts.passes_all_routers


def _silent_beyond(facts: PathFacts) -> bool:
    return facts.failed(TCP, Outcome.SILENT) and facts.passes_all_routers


def _reached(rule_id: str, pattern: Pattern, when: _When, reason: str) -> Rule[PathFacts]:
    return _compared(f"{rule_id}.control_ok", when, _connects, pattern, reason)


def _shaken(outcome: Outcome, pattern: Pattern, reason: str) -> Rule[PathFacts]:
    rule_id = f"{pattern.value}.{outcome.value}.control_ok"
    return _compared(rule_id, lambda f: f.failed(TLS, outcome), _greeted, pattern, reason)


def _exchanged(outcome: Outcome, pattern: Pattern, reason: str) -> Rule[PathFacts]:
    rule_id = f"{pattern.value}.{outcome.value}.control_page"
    return _compared(rule_id, lambda f: f.failed(HTTP, outcome), _served, pattern, reason)


def _untrusted(facts: PathFacts) -> bool:
    """Tell whether a certificate is no good for another reason than its dates: a clock may be wrong."""
    handshake = facts.handshake
    return facts.failed(TLS, Outcome.UNTRUSTED) and handshake is not None and handshake.verify_code not in DATES


def _same_leaf(facts: PathFacts, view: ControlView) -> bool | None:
    """Tell whether controls are shown the certificate that we are; `None` = theirs was not kept."""
    chain = facts.handshake.chain if facts.handshake is not None else ()
    leaves = view.leaves(facts.spot)
    return chain[0] in leaves if chain and leaves else None


def _foreign_leaf(facts: PathFacts, view: ControlView) -> bool:
    return view.trusts(facts.spot, _name(facts)) is True and _same_leaf(facts, view) is not True


def _distrusted_too(facts: PathFacts, view: ControlView) -> bool:
    return view.trusts(facts.spot, _name(facts)) is False and _same_leaf(facts, view) is not False


def _cleartext_page(facts: PathFacts) -> HTTPExchange | None:
    """Return the page that came in the clear, unless the site's own https page is the same."""
    page, encrypted = facts.exchange, facts.encrypted_page
    if page is None or page.secure or not page.status or page.location or page.failure is not None or facts.hop:
        return None
    return None if is_challenge(page) or (encrypted is not None and not differ(page, encrypted)) else page


def _other_page(facts: PathFacts, view: ControlView) -> bool:
    """Tell whether a control gets another page than we do.

    A refusal is no page to compare with: many sites refuse machines in data centres, where controls stand.
    """
    page, theirs = _cleartext_page(facts), view.page
    return page is not None and theirs is not None and theirs.status < REFUSAL and differ(page, theirs)


def _block_page(facts: PathFacts) -> bool:
    page = _cleartext_page(facts)
    return page is not None and fingerprint_of(facts.case, page) is not None


def _their_own(facts: PathFacts, view: ControlView) -> bool:
    """Tell whether a control gets another page, and none that reads like a block page: a site's own does so to both."""
    return _other_page(facts, view) and view.page is not None and not fingerprint_of(facts.case, view.page)


def _burned(facts: PathFacts) -> bool:
    """Tell whether a tunnel's port, with which we shook hands from here before, lets no connection in."""
    return facts.case.target.check is CheckName.VPN and _silent(facts) and TunnelFacts(facts).worked_here


CONNECT_RULES: tuple[Rule[PathFacts], ...] = (
    _reached(
        "vpn.burned",
        Pattern.VPN_BURNED,
        _burned,
        "The tunnel worked from here, and now its port is silent to us; a control connects.",
    ),
    Rule(
        id="ip.silent.routers_passed.control_ok",
        when=lambda f: _silent_beyond(f) and _connects(f, ControlView.of(f.case)),
        pattern=Pattern.IP,
        cause=Cause.UNKNOWN,
        family=B,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: _connects(f, view)),
        level=C1,
        reason="A control connects; our packets pass every router that can be seen on the way, as a neighbour's do, and"
        " get no answer: the server's own firewall, or a filter close to it.",
    ),
    _reached(
        "ip.port_drop",
        Pattern.IP_PORT_DROP,
        lambda f: _silent(f) and _ports(f, Outcome.OK),
        "A control connects to this port, we do not; another port answers us. It may be the server's own firewall.",
    ),
    _reached(
        "ip.drop",
        Pattern.IP_DROP,
        lambda f: _silent(f) and _ports(f, Outcome.SILENT),
        "A control connects to this address, to us none of its ports answers. It may be the server's own firewall.",
    ),
    _reached(
        "ip.silent",
        Pattern.IP,
        _silent,
        "A control connects to this address and port, we do not. It may be the server's own firewall.",
    ),
    _reached(
        "ip.unreachable",
        Pattern.IP_UNREACHABLE,
        lambda f: f.failed(TCP, Outcome.UNREACHABLE) and is_refused_on_the_way(f),
        "A control connects to this address, a router refuses us.",
    ),
    _reached(
        "tcp.rst_synack",
        Pattern.TCP_RST_SYNACK,
        lambda f: f.failed(TCP, Outcome.RESET),
        "A control connects to this port, we are reset while connecting. It may be the server's own firewall.",
    ),
    _reached(
        "tcp.rst_syn",
        Pattern.TCP_RST_SYN,
        lambda f: f.failed(TCP, Outcome.REFUSED) and not is_refused_at_home(f),
        "A control connects to this port, we are refused. It may be the server's own firewall.",
    ),
)
HANDSHAKE_RULES: tuple[Rule[PathFacts], ...] = (
    _shaken(Outcome.RESET, Pattern.TLS_RESET, "A control shakes hands with this name here, we are reset."),
    _shaken(Outcome.FIN, Pattern.TLS_FIN, "A control shakes hands with this name here, we are closed on."),
    _shaken(Outcome.SILENT, Pattern.TLS_TIMEOUT, "A control shakes hands with this name here, we get no answer."),
    _compared(
        "tls.mitm.untrusted.control_valid",
        _untrusted,
        _foreign_leaf,
        Pattern.TLS_MITM_UNTRUSTED,
        "A control is shown the site's own certificate at this address, we are shown another.",
    ),
)
QUIC_CONTROL_RULES: tuple[Rule[PathFacts], ...] = (
    _compared(
        "quic.silent.control_ok",
        lambda f: f.failed(QUIC, Outcome.SILENT) and _has_quic(f),
        _greeted_by_quic,
        Pattern.QUIC,
        "A control shakes hands by QUIC with this name here, we get no answer. It may be the server's own firewall.",
    ),
)
EXCHANGE_RULES: tuple[Rule[PathFacts], ...] = (
    _exchanged(Outcome.RESET, Pattern.HTTP_RESET, "A control gets the page, we are reset after the request."),
    _exchanged(Outcome.FIN, Pattern.HTTP_FIN, "A control gets the page, we are closed on after the request."),
    _exchanged(Outcome.SILENT, Pattern.HTTP_TIMEOUT, "A control gets the page, we get no answer to the request."),
)
PAGE_RULES: tuple[Rule[PathFacts], ...] = (
    _compared(
        "http.redirect.to_block_page.control_differs",
        is_sent_elsewhere,
        lambda f, view: stays_for_control(f, view) and (f.encrypted_page is not None or gets_another_page(f, view)),
        Pattern.HTTP_REDIRECT,
        "In the clear we are led to what reads like a block page; a control is not.",
    ),
    Rule(
        id="http.redirect.control_differs",
        when=lambda f: is_sent_away(f) and gets_another_page(f, ControlView.of(f.case)),
        pattern=Pattern.HTTP_REDIRECT,
        cause=Cause.UNKNOWN,
        family=B,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: gets_another_page(f, view)),
        level=C1,
        reason="In the clear we are led to another site's page, a control gets plainly another one without being led;"
        " the server may choose by country, or somebody on the way may.",
    ),
    _compared(
        "http.blockpage.fingerprint.control_differs",
        _block_page,
        _their_own,
        Pattern.HTTP_BLOCKPAGE,
        "The page reads like a block page, and a control gets another one.",
    ),
    Rule(
        id="http.differs.control",
        when=lambda f: _other_page(f, ControlView.of(f.case)),
        pattern=Pattern.HTTP,
        cause=Cause.UNKNOWN,
        family=B,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: _other_page(f, view)),
        level=C1,
        reason="A control gets plainly another page; the server may choose by country, or somebody on the way may.",
    ),
)
DOWN_RULES: tuple[Rule[PathFacts], ...] = (
    _compared(
        "srv.down.control_fails",
        lambda f: f.failed(TCP) or (f.failed(TLS) and not f.failed(TLS, Outcome.UNTRUSTED)),
        _fails_too,
        Pattern.SRV_DOWN,
        "A control fails at this address and port in the same step.",
        cause=Cause.OUTAGE,
    ),
    _compared(
        "srv.down.control_unanswered",
        lambda f: f.failed(HTTP, *UNANSWERED) and f.hop == 0,
        _unanswered_too,
        Pattern.SRV_DOWN,
        "A control's request gets no answer at this address either.",
        cause=Cause.OUTAGE,
    ),
    _compared(
        "srv.cert_untrusted.control_same",
        lambda f: f.failed(TLS, Outcome.UNTRUSTED),
        _distrusted_too,
        Pattern.SRV_CERT_UNTRUSTED,
        "A control refuses the certificate that is shown here as well.",
        cause=Cause.SERVER,
    ),
)
