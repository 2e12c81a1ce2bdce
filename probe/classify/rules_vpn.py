"""Rules about conversations with tunnels. Silence with unproven credentials is never more than `insufficient`."""

from probe.classify.facts import PathFacts
from probe.classify.rule import C0, C1, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

OBSERVED = EvidenceFamily.OBSERVED
VPN = Layer.VPN


def _repeated(facts: PathFacts) -> Confidence:
    return C1 if facts.tries_failed >= 2 else C0


VPN_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="vpn.not_asked",
        when=lambda f: f.failed(VPN, Outcome.INSTRUMENT),
        pattern=Pattern.INSTRUMENT_FAULT,
        cause=Cause.INSTRUMENT,
        family=OBSERVED,
        level=C0,
        reason="The server was not asked: too soon after the last time, or a key or file is missing.",
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
        id="vpn.refused.seen",
        when=lambda f: f.failed(VPN, Outcome.REFUSED, Outcome.UNREACHABLE),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=_repeated,
        reason="The port is refused: nobody listens there, or something on the way says so.",
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
        id="vpn.broken.seen",
        when=lambda f: f.failed(VPN),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="Something answers, and not as this protocol's server with these keys would.",
    ),
)
