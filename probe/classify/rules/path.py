"""Rules about one path: reaching an address, shaking hands there. First match in a layer speaks."""

from probe.classify.facts.path_facts import NEUTRAL, PathFacts
from probe.classify.facts.taken import took_it_silently
from probe.classify.pairs import PAIRS
from probe.classify.rules.rule import C0, C1, C2, Rule
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, is_private
from probe.model.experiment import Design, NameKind
from probe.model.failure import IcmpError
from probe.model.observation import TLSHandshake
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

NET, SERVER, LOCAL, UNKNOWN = Cause.NETWORK, Cause.SERVER, Cause.LOCAL, Cause.UNKNOWN
A, D, ARTEFACT, OBSERVED = (
    EvidenceFamily.DIFFERENTIAL,
    EvidenceFamily.OTHER_ROUTE,
    EvidenceFamily.ARTEFACT,
    EvidenceFamily.OBSERVED,
)
TCP, TLS, HTTP = Layer.TCP, Layer.TLS, Layer.HTTP

OUT_OF_THE_HOUSE_S = 0.0005
"""Light goes 50 km and back in that time; access lines alone take longer, busy hosts count more, never less."""
UNRECOGNIZED_NAME = 112
"""Alert description of RFC 6066 section 3."""


def repeated(facts: PathFacts) -> Confidence:
    """C1 once it failed twice in the same way, C0 before."""
    return C1 if facts.tries_failed >= 2 else C0


def paired(facts: PathFacts, layer: Layer) -> Confidence:
    """C2 from five counted failures against five good controls (Fisher exact, two-sided p = 0.008); C1 below."""
    pairs = facts.pairs(layer)
    return C2 if pairs.tests >= PAIRS and pairs.controls >= PAIRS else C1


def icmp_error(facts: PathFacts) -> IcmpError | None:
    """Return the ICMP error that broke the path, if one did."""
    broken = facts.failing
    return None if broken is None or broken.observation.failure is None else broken.observation.failure.icmp


def is_offender_target(facts: PathFacts) -> bool:
    """Tell whether the target itself sent the ICMP error that broke the path."""
    icmp, broken = icmp_error(facts), facts.failing
    return icmp is not None and broken is not None and icmp.offender == broken.address


def is_offender_local(facts: PathFacts) -> bool:
    """Tell whether a device of our own network sent it."""
    icmp, broken = icmp_error(facts), facts.failing
    return icmp is not None and broken is not None and is_private(icmp.offender) and not is_private(broken.address)


def is_refused_on_the_way(facts: PathFacts) -> bool:
    """Tell whether a router outside our own network said so: without one, this host's own routing or firewall may."""
    return icmp_error(facts) is not None and not is_offender_local(facts)


def is_refused_at_home(facts: PathFacts) -> bool:
    """Tell whether a refusal came sooner than anything outside could send it: this host's firewall, or the router's."""
    tries = facts.seen(TCP, Outcome.REFUSED, Outcome.UNREACHABLE, name=NameKind.TEST)
    return any(0.0 < row.ended_s - row.started_s < OUT_OF_THE_HOUSE_S for row in tries)  # others' data has no times


def _family_broken(facts: PathFacts) -> bool:
    """Tell whether the path is IPv6, and every IPv6 anchor failed as well."""
    baseline, broken = facts.case.baseline, facts.failing
    if baseline is None or not baseline.families or broken is None or ":" not in broken.address:
        return False
    return 6 not in baseline.families and broken.outcome in (Outcome.SILENT, Outcome.UNREACHABLE)


def _sibling_port_ok(facts: PathFacts) -> bool:
    return bool(facts.seen(TCP, Outcome.OK, design=Design.PORTS))


TCP_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="tcp.instrument",
        when=lambda f: (
            f.failing is not None and f.failing.outcome is Outcome.INSTRUMENT and f.failing.layer is not Layer.VPN
        ),
        pattern=Pattern.INSTRUMENT_FAULT,
        cause=Cause.INSTRUMENT,
        family=OBSERVED,
        level=C0,
        reason="This host could not open the connection.",
    ),
    Rule(
        id="net.ipv6_broken.anchors_too",
        when=_family_broken,
        pattern=Pattern.NET_IPV6_BROKEN,
        cause=LOCAL,
        family=A,
        level=C2,
        reason="IPv6 does not work from here at all; neutral places fail over it too.",
    ),
    Rule(
        id="local.firewall.icmp",
        when=lambda f: f.failed(TCP, Outcome.REFUSED, Outcome.UNREACHABLE) and is_offender_local(f),
        pattern=Pattern.LOCAL_FIREWALL,
        cause=LOCAL,
        family=OBSERVED,
        level=repeated,
        reason="A device in one's own network forbids the connection and says so by ICMP.",
    ),
    Rule(
        id="srv.filtered.icmp",
        when=lambda f: f.failed(TCP, Outcome.REFUSED, Outcome.UNREACHABLE) and is_offender_target(f),
        pattern=Pattern.SRV_FILTERED,
        cause=SERVER,
        family=OBSERVED,
        level=repeated,
        reason="The host itself forbids the connection by ICMP.",
    ),
    Rule(
        id="ip.unreachable.icmp",
        when=lambda f: f.failed(TCP, Outcome.REFUSED, Outcome.UNREACHABLE) and icmp_error(f) is not None,
        pattern=Pattern.IP_UNREACHABLE,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="A router on the way refuses by ICMP; whose it is, is not known.",
    ),
    Rule(
        id="tcp.rst_syn.seen",
        when=lambda f: f.failed(TCP, Outcome.REFUSED),
        pattern=Pattern.TCP_RST_SYN,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="The connection is refused by a reset; a closed port and a filter look the same from here.",
    ),
    Rule(
        id="tcp.rst_synack.seen",
        when=lambda f: f.failed(TCP, Outcome.RESET),
        pattern=Pattern.TCP_RST_SYNACK,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="The connection is reset before anything was sent.",
    ),
    Rule(
        id="ip.port_drop.sibling_port_ok",
        when=lambda f: f.failed(TCP, Outcome.SILENT) and _sibling_port_ok(f),
        pattern=Pattern.IP_PORT_DROP,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="This port does not answer, another port of the same host does.",
    ),
    Rule(
        id="ip.silent",
        when=lambda f: f.failed(TCP, Outcome.SILENT),
        pattern=Pattern.IP,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="The address does not answer; a dead host and a dropped route look the same from here.",
    ),
    Rule(
        id="ip.unreachable.seen",
        when=lambda f: f.failed(TCP),
        pattern=Pattern.IP,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="There is no way to the address.",
    ),
)


def unasked(layer: Layer) -> tuple[Rule[PathFacts], ...]:
    """Return the rules for a peer that hangs up before it was told anything."""
    return (
        Rule(
            id=f"tcp.rst_synack.idle_too.{layer.value}",
            when=lambda f: f.failed(layer, Outcome.RESET) and f.hung_up_unasked(Outcome.RESET),
            pattern=Pattern.TCP_RST_SYNACK,
            cause=UNKNOWN,
            family=OBSERVED,
            reason="The connection is reset even when nothing is sent on it.",
        ),
        Rule(
            id=f"tcp.fin.idle_too.{layer.value}",
            when=lambda f: f.failed(layer, Outcome.FIN, Outcome.RESET) and f.hung_up_unasked(Outcome.FIN),
            pattern=Pattern.TCP,
            cause=UNKNOWN,
            family=OBSERVED,
            reason="The connection is closed even when nothing is sent on it.",
        ),
    )


def named(layer: Layer, outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    """Return the rule for a step that fails with the name and not with a neutral one, at the same addresses."""
    return Rule(
        id=f"{pattern.value}.neutral_ok",
        when=lambda f: (
            f.failed(layer, outcome) and f.names_somebody and f.kin_spoke(layer) and f.pairs(layer).controls > 0
        ),
        pattern=pattern,
        cause=NET,
        family=A,
        level=lambda f: min(
            repeated(f) if f.pairs(layer).tests < PAIRS else C2, paired(f, layer), C1 if took_it_silently(f) else C2
        ),
        reason=f"{what} a neutral name at the same address goes through.",
    )


def unnamed(layer: Layer, outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    """Return the rule for a step that fails, with nothing to hold it against."""
    return Rule(
        id=f"{pattern.value}.{outcome.value}.seen",
        when=lambda f: f.failed(layer, outcome),
        pattern=pattern,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason=what,
    )


def unexplained(layer: Layer, pattern: Pattern, what: str) -> Rule[PathFacts]:
    """Return the last rule of a layer: whatever else broke it, the path does not work."""
    others = frozenset(Outcome) - {Outcome.OK, Outcome.INSTRUMENT, Outcome.UNTRUSTED}
    return Rule(
        id=f"{pattern.value}.broken.seen",
        when=lambda f: f.failed(layer, *others),
        pattern=pattern,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason=what,
    )


def _endpoint_too(facts: PathFacts) -> bool:
    """Tell whether a neutral name failed alike while the place was cold: then the name is not the trigger."""
    controls = facts.seen(TLS, *TRIGGERABLE, name=NEUTRAL)
    tests = (
        [r for r in facts.seen(TLS, *TRIGGERABLE, name=facts.failing.kind) if not r.measurement]
        if facts.failing
        else []
    )
    first_test_s = min((r.started_s for r in tests), default=0.0)
    return bool(controls) and facts.case.cold_start and any(c.ended_s <= first_test_s or not tests for c in controls)


TLS_RULES: tuple[Rule[PathFacts], ...] = (
    *unasked(TLS),
    named(TLS, Outcome.RESET, Pattern.TLS_RESET_SNI, "The connection is reset as soon as the name is sent;"),
    named(TLS, Outcome.FIN, Pattern.TLS_FIN_SNI, "The connection is closed as soon as the name is sent;"),
    named(TLS, Outcome.SILENT, Pattern.TLS_TIMEOUT_SNI, "Nothing comes back once the name is sent;"),
    Rule(
        id="tls.reset.endpoint.cold_neutral_too",
        when=lambda f: f.failed(TLS, Outcome.RESET) and _endpoint_too(f),
        pattern=Pattern.TLS_RESET_ENDPOINT,
        cause=UNKNOWN,
        family=A,
        reason="A neutral name is reset there too, after the place was left alone: the name is not the trigger.",
    ),
    Rule(
        id="srv.sni_rejected.alert_112",
        when=lambda f: f.failed(TLS, Outcome.ALERT) and _alert(f) == UNRECOGNIZED_NAME,
        pattern=Pattern.SRV_SNI_REJECTED,
        cause=SERVER,
        family=OBSERVED,
        reason="The server says that it does not know this name (alert unrecognized_name).",
    ),
    Rule(
        id="srv.tls_refused.neutral_too",
        when=lambda f: f.failed(TLS, Outcome.ALERT) and bool(f.seen(TLS, Outcome.ALERT, name=NEUTRAL)),
        pattern=Pattern.SRV_TLS_REFUSED,
        cause=SERVER,
        family=A,
        reason="The server refuses the handshake with an alert, whatever name is sent.",
    ),
    unnamed(TLS, Outcome.ALERT, Pattern.TLS, "The handshake is refused with an alert."),
    unnamed(TLS, Outcome.RESET, Pattern.TLS_RESET, "The connection is reset during the handshake."),
    unnamed(TLS, Outcome.FIN, Pattern.TLS_FIN, "The connection is closed during the handshake."),
    unnamed(TLS, Outcome.SILENT, Pattern.TLS_TIMEOUT, "Nothing comes back during the handshake."),
    unnamed(TLS, Outcome.GARBAGE, Pattern.TLS, "What comes back is not TLS."),
    unexplained(TLS, Pattern.TLS, "The handshake fails in a way that tells nothing of its cause."),
)


def _alert(facts: PathFacts) -> int:
    broken = facts.failing
    if broken is None or not isinstance(broken.observation, TLSHandshake) or broken.observation.alert is None:
        return -1
    return broken.observation.alert[1]
