"""Rules about echo requests: the address answers, or it does not. Many hosts are silent to them on purpose."""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.rules.path import OBSERVED, UNKNOWN, repeated
from probe.classify.rules.rule import Rule
from probe.classify.tries import Layer, Outcome
from probe.model.pattern import Pattern

ECHO_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="ip.echo_silent",
        when=lambda f: f.failed(Layer.ICMP, Outcome.SILENT),
        pattern=Pattern.IP,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="No echo comes back; a dead host, a filter and a host that ignores echoes look the same from here.",
    ),
    Rule(
        id="ip.echo_unreachable",
        when=lambda f: f.failed(Layer.ICMP) and f.failing is not None and f.failing.outcome is not Outcome.INSTRUMENT,
        pattern=Pattern.IP,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="There is no way to the address.",
    ),
)
"""One layer of its own."""
