"""Rules about conversations with tunnels. Silence with unproven credentials is never more than `insufficient`."""

from collections.abc import Callable

from probe.classify.facts.name_facts import CERTIFICATE_DATES
from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.tunnel_facts import TunnelFacts, clock_tolerance_s
from probe.classify.rules.path import repeated
from probe.classify.rules.rule import C0, C1, C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.depth import Depth
from probe.model.observation import DialogueExchange
from probe.model.pattern import Pattern
from probe.model.vantage import LocalFinding
from probe.model.verdict import Cause, Confidence, EvidenceFamily

OBSERVED = EvidenceFamily.OBSERVED
A, B = EvidenceFamily.DIFFERENTIAL, EvidenceFamily.CONTROL
VPN = Layer.VPN
RESET, FIN, SILENT = Outcome.RESET, Outcome.FIN, Outcome.SILENT


def _tunnel(says: Callable[[TunnelFacts], bool], *outcomes: Outcome) -> Callable[[PathFacts], bool]:
    """Return when a conversation was ended in one of these ways, its credentials are proven, and this holds."""

    def when(facts: PathFacts) -> bool:
        if not facts.failed(VPN, *(outcomes or (RESET, FIN, SILENT))):
            return False
        tunnel = TunnelFacts(facts)
        return bool(tunnel.proofs) and says(tunnel)

    return when


def _clock_is_off(facts: PathFacts) -> bool:
    offset_s = facts.case.baseline.clock_offset_s if facts.case.baseline is not None else None
    if offset_s is None or not facts.failed(VPN, RESET, FIN, SILENT):
        return False
    return abs(offset_s) > clock_tolerance_s(facts.case.target)


def _out_of_date(facts: PathFacts) -> bool:
    """Tell whether nothing but its dates is wrong with a certificate inside the conversation."""
    if not facts.failed(VPN, Outcome.UNTRUSTED) or facts.failing is None:
        return False
    seen = facts.failing.observation
    return isinstance(seen, DialogueExchange) and seen.verify_code in CERTIFICATE_DATES


def _clock_is_wrong(facts: PathFacts) -> bool:
    baseline = facts.case.baseline
    return baseline is not None and LocalFinding.CLOCK_WRONG in baseline.findings


def level_elsewhere(facts: PathFacts) -> Confidence:
    """Return how sure it is: two rounds from another network count, and our own failure must be no accident."""
    rounds = TunnelFacts(facts).rounds_elsewhere()
    return C2 if rounds >= 2 and facts.tries_failed >= 2 else C1


def _late(tunnel: TunnelFacts) -> bool:
    """Tell whether the conversation was ended late: the server had answered in its protocol before."""
    return tunnel.depth.rank >= Depth.HELLO.rank


VPN_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="vpn.not_asked",
        when=lambda f: f.failed(VPN, Outcome.INSTRUMENT),
        pattern=Pattern.INSTRUMENT_FAULT,
        cause=Cause.INSTRUMENT,
        family=OBSERVED,
        level=C0,
        reason="The server was not asked, or not to the end: too soon, or a key, file or setting is in the way.",
    ),
    Rule(
        id="srv.relay_failed.said",
        when=lambda f: f.failed(VPN, Outcome.DENIED) and TunnelFacts(f).depth.rank >= Depth.AUTH.rank,
        pattern=Pattern.SRV,
        cause=Cause.SERVER,
        family=OBSERVED,
        reason="The server lets us in, and does not carry on to where the test goes (relay=HOST:PORT names another).",
    ),
    Rule(
        id="srv.auth_failed.said",
        when=lambda f: f.failed(VPN, Outcome.DENIED),
        pattern=Pattern.SRV_AUTH_FAILED,
        cause=Cause.SERVER,
        family=OBSERVED,
        reason="The server answers in its protocol and refuses.",
    ),
    Rule(
        id="net.clock.tunnel",
        when=_clock_is_off,
        pattern=Pattern.NET_CLOCK,
        cause=Cause.LOCAL,
        family=OBSERVED,
        level=C1,
        reason="This host's clock is wrong by more than the protocol allows: servers take that for a wrong key.",
    ),
    Rule(
        id="net.clock.tunnel_certificate",
        when=lambda f: (_out_of_date(f) or f.failed(VPN, Outcome.LAPSED)) and _clock_is_wrong(f),
        pattern=Pattern.NET_CLOCK,
        cause=Cause.LOCAL,
        family=A,
        level=C2,
        reason="The server's certificate, or ours, is outside its dates by this host's clock, which is wrong.",
    ),
    Rule(
        id="srv.auth_failed.lapsed",
        when=lambda f: f.failed(VPN, Outcome.LAPSED),
        pattern=Pattern.SRV_AUTH_FAILED,
        cause=Cause.SERVER,
        family=OBSERVED,
        level=C1,
        reason="The server answers, and says no more once it is shown our certificate, which is over.",
    ),
    Rule(
        id="srv.cert_expired.tunnel",
        when=_out_of_date,
        pattern=Pattern.SRV_CERT_EXPIRED,
        cause=Cause.SERVER,
        family=OBSERVED,
        level=C2,
        reason="The server's certificate leads to the authority that the tunnel trusts; only its dates are over.",
    ),
    Rule(
        id="ip.proto_drop.udp_lost",
        when=_tunnel(lambda t: t.udp_is_lost, SILENT),
        pattern=Pattern.IP_PROTO_DROP,
        cause=Cause.NETWORK,
        family=A,
        level=C2,
        reason="No datagram gets an answer, connections to the same host open: UDP is dropped here, or by a firewall.",
    ),
    Rule(
        id="vpn.data_drop.reference_too",
        when=_tunnel(lambda t: _late(t) and t.reference_ends(RESET, FIN, SILENT) and t.reference_answers_first),
        pattern=Pattern.VPN_DATA_DROP,
        cause=Cause.NETWORK,
        family=A,
        level=C2,
        reason="The server answers and is then cut off; so is a reference server, whose port carries other bytes.",
    ),
    Rule(
        id="vpn.handshake_drop.reference_too",
        when=_tunnel(lambda t: t.reference_ends(SILENT), SILENT),
        pattern=Pattern.VPN_HANDSHAKE_DROP,
        cause=Cause.NETWORK,
        family=A,
        level=C2,
        reason="The protocol gets no answer from a reference server either, on a port that answers all else.",
    ),
    Rule(
        id="vpn.reset.reference_too",
        when=_tunnel(lambda t: t.reference_ends(RESET, FIN), RESET, FIN),
        pattern=Pattern.VPN_RESET,
        cause=Cause.NETWORK,
        family=A,
        level=C2,
        reason="The protocol is cut off with a reference server as well, on a port that carries all else.",
    ),
    Rule(
        id="vpn.sessions_counted.elsewhere_ok",
        when=_tunnel(lambda t: t.rounds_elsewhere() > 0 and t.counts_sessions, SILENT),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=B,
        level=C1,
        reason="Another network is answered and we are not: a filter, or a server that counts our half-open sessions.",
    ),
    Rule(
        id="vpn.burned.elsewhere_ok",
        when=_tunnel(
            lambda t: (
                t.rounds_elsewhere() > 0
                and t.worked_here
                and not _late(t)
                and (t.sibling is SILENT or t.reference_passes)
            ),
            SILENT,
        ),
        pattern=Pattern.VPN_BURNED,
        cause=Cause.NETWORK,
        family=B,
        level=level_elsewhere,
        reason="It worked from here, and now nothing comes back; from another network it works at this moment.",
    ),
    Rule(
        id="ip.drop.elsewhere_ok",
        when=_tunnel(lambda t: t.rounds_elsewhere() > 0 and t.over_udp and t.sibling is SILENT, SILENT),
        pattern=Pattern.IP_DROP,
        cause=Cause.NETWORK,
        family=B,
        level=level_elsewhere,
        reason="From another network it works at this moment; to us none of the address's ports answers.",
    ),
    Rule(
        id="vpn.data_drop.elsewhere_ok",
        when=_tunnel(lambda t: t.rounds_elsewhere() > 0 and _late(t)),
        pattern=Pattern.VPN_DATA_DROP,
        cause=Cause.NETWORK,
        family=B,
        level=level_elsewhere,
        reason="The server answers and is then cut off; from another network it is not.",
    ),
    Rule(
        id="vpn.endpoint_block.elsewhere_ok",
        when=_tunnel(lambda t: t.rounds_elsewhere() > 0 and t.reference_passes),
        pattern=Pattern.VPN_ENDPOINT_BLOCK,
        cause=Cause.NETWORK,
        family=B,
        level=level_elsewhere,
        reason="From another network this server works at this moment, and from here others of its protocol do.",
    ),
    Rule(
        id="vpn.elsewhere_ok",
        when=_tunnel(lambda t: t.rounds_elsewhere() > 0),
        pattern=Pattern.VPN,
        cause=Cause.NETWORK,
        family=B,
        level=level_elsewhere,
        reason="From another network the same handshake works at this moment, from here it does not.",
    ),
    Rule(
        id="vpn.refused.seen",
        when=lambda f: f.failed(VPN, Outcome.REFUSED, Outcome.UNREACHABLE),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="The port is refused: nobody listens there, or something on the way says so.",
    ),
    Rule(
        id="vpn.changed.reference_ok",
        when=_tunnel(lambda t: t.reference_passes),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C1,
        reason="Its keys worked before, and others of its kind work from here: it is off, changed, or blocked alone.",
    ),
    Rule(
        id="vpn.ended.proven",
        when=_tunnel(lambda t: t.ended),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="Its keys worked before, and now the conversation is cut off or gets no answer.",
    ),
    Rule(
        id="vpn.stopped.let_in",
        when=lambda f: f.failed(VPN, FIN, RESET, SILENT) and TunnelFacts(f).depth.rank >= Depth.AUTH.rank,
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="The server lets us in, and then no more comes: it stops there, or something on the way does.",
    ),
    Rule(
        id="vpn.stopped.unproven",
        when=lambda f: f.failed(VPN, FIN, RESET, SILENT) and _late(TunnelFacts(f)),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="The server answers, and then no more comes: a key or password that is wrong does that, or a filter.",
    ),
    Rule(
        id="vpn.closed.unproven",
        when=lambda f: f.failed(VPN, Outcome.FIN, Outcome.RESET),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="The connection ends once the protocol begins: a wrong key does that, and so does a filter.",
    ),
    Rule(
        id="vpn.silent.unproven",
        when=lambda f: f.failed(VPN, Outcome.SILENT),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="No answer; a healthy server is as silent to a wrong key, and these credentials are not proven.",
    ),
    Rule(
        id="vpn.foreign_certificate.seen",
        when=lambda f: f.failed(VPN, Outcome.UNTRUSTED),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="The server's certificate is not what the file or link expects: those are old, or somebody is between.",
    ),
    Rule(
        id="vpn.broken.seen",
        when=lambda f: f.failed(VPN),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="Something answers, and not as this protocol's server with these keys would.",
    ),
)

VPN_OUTSIDE_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="vpn.reference_too.elsewhere_ok",
        when=_tunnel(lambda t: t.rounds_elsewhere() > 0 and t.reference_ends(RESET, FIN, SILENT)),
        pattern=Pattern.VPN,
        cause=Cause.NETWORK,
        family=B,
        level=level_elsewhere,
        reason="From another network the same handshake works at this moment.",
    ),
)
"""A second method beside the comparison with a reference: the two together settle it."""
