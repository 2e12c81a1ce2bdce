"""Whether a verdict is settled while follow-ups are under way: nothing that they find could change it any more."""

from collections.abc import Collection

from probe.classify.case import Case
from probe.classify.facts.path_facts import build_table, own_checks
from probe.classify.judge import judge
from probe.classify.pairs import SPOKE
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design, Experiment, HelloShape, Step
from probe.model.observation import DNSLookup
from probe.model.pattern import Pattern
from probe.model.verdict import Confidence, Status

_SERVES = (Layer.TLS, Layer.HTTP)


def is_settled(case: Case, under_way: Collection[Experiment]) -> bool:
    """Tell whether the run may end now; `under_way` are the follow-ups in flight, and those that are wanted next."""
    verdict = judge(case)
    if verdict.status is not Status.BLOCKED or verdict.confidence is not Confidence.C3:
        return False
    layer = verdict.patterns[0].layer if verdict.patterns else ""
    of_answer = layer == Layer.DNS.value
    # The other resolvers tell a lying resolver from a lying network, and a forged answer leads to whatever else
    # was settled: both are soon there.
    awaited = any(e.design is Design.RESOLVERS if of_answer else _is_of_answer(e) for e in under_way)
    # A question of the check's own that listens on may have an answer that says more of the forger.
    awaited = awaited or (of_answer and _is_asking(case))
    if awaited and Pattern.DNS_INJECTION_RACE not in verdict.patterns:
        return False
    if of_answer and _may_be_served(case):
        return False
    # Where a browser's hello passes the site is not blocked, whoever stops ours: so that answer is awaited.
    return not (layer == Layer.TLS.value and any(_is_browsers_hello(e) for e in under_way))


def _is_of_answer(experiment: Experiment) -> bool:
    """Tell whether a follow-up is about the answer to the name, not about what it led to."""
    return experiment.step is Step.LOOKUP or experiment.design in (Design.ADDRESSES, Design.PROXY)


def _is_asking(case: Case) -> bool:
    """Tell whether a question of the check's own, to which nothing or something odd came, is still open."""
    done = {observation.transaction for observation in case.observations}
    return any(s.layer == Layer.DNS.value and not s.experiment and s.transaction not in done for s in case.silences)


def _may_be_served(case: Case) -> bool:
    """Tell whether an address that we were given serves others while the check's own try there is still under way.

    Where a forged answer leads to a proxy the site may well come through it: interfered with, and not blocked.
    """
    table = build_table(case)
    serving = {
        row.address for row in table if row.experiment is not None and row.layer in _SERVES and row.outcome in SPOKE
    }
    own = [row for row in own_checks(table) if not row.hop]
    given = {address for row in own if isinstance(row.observation, DNSLookup) for address in row.observation.addresses}
    told = {
        row.address for row in own if row.layer in _SERVES or (row.layer is Layer.TCP and row.outcome is not Outcome.OK)
    }
    return bool((given & serving) - told)


def _is_browsers_hello(experiment: Experiment) -> bool:
    return experiment.design is Design.HELLO and experiment.shape is HelloShape.BROWSER
