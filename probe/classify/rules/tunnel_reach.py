"""Rules about the way to a tunnel's own protocol: connections and TLS that others bring about, and we do not.

Whoever probes a private endpoint in other ways may burn it, so nothing is compared there (CONTRACT section 6): the same
handshake from another network, at this moment, is the comparison, and our own once more. They speak only where what was
seen on the spot names nobody.
"""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.tunnel_facts import TunnelFacts
from probe.classify.rules.path import TCP_RULES, TLS_RULES
from probe.classify.rules.rule import Rule, first_rule
from probe.classify.rules.vpn import level_elsewhere
from probe.classify.tries import Layer, Outcome
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, EvidenceFamily

_ON_THE_SPOT = {Layer.TCP: TCP_RULES, Layer.TLS: TLS_RULES}


def _elsewhere(rule_id: str, layer: Layer, outcome: Outcome, pattern: Pattern, seen: str) -> Rule[PathFacts]:
    def when(facts: PathFacts) -> bool:
        if facts.case.target.check is not CheckName.VPN or not facts.failed(layer, outcome):
            return False
        tunnel = TunnelFacts(facts)
        if not tunnel.proofs or not tunnel.rounds_elsewhere():
            return False
        said = first_rule(_ON_THE_SPOT[layer], facts)
        return said is None or said.cause is Cause.UNKNOWN

    return Rule(
        id=rule_id,
        when=when,
        pattern=pattern,
        cause=Cause.NETWORK,
        family=EvidenceFamily.CONTROL,
        level=level_elsewhere,
        reason=f"From another network the tunnel works at this moment; {seen}.",
    )


TUNNEL_TCP_RULES: tuple[Rule[PathFacts], ...] = (
    _elsewhere(
        "ip.silent.elsewhere_ok", Layer.TCP, Outcome.SILENT, Pattern.IP,
        "no connection to it opens from here: a filter, or the server's own firewall",
    ),
)  # fmt: skip
TUNNEL_TLS_RULES: tuple[Rule[PathFacts], ...] = (
    _elsewhere(
        "tls.reset.elsewhere_ok", Layer.TLS, Outcome.RESET, Pattern.TLS_RESET, "from here its TLS handshake is reset"
    ),
    _elsewhere(
        "tls.fin.elsewhere_ok", Layer.TLS, Outcome.FIN, Pattern.TLS_FIN, "from here its TLS handshake is cut off"
    ),
    _elsewhere(
        "tls.timeout.elsewhere_ok", Layer.TLS, Outcome.SILENT, Pattern.TLS_TIMEOUT,
        "from here nothing comes back of its TLS handshake",
    ),
)  # fmt: skip
