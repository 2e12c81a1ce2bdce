"""From a case to a verdict: rules over facts, the fold over paths, and the status table. Pure and repeatable."""

import msgspec

from probe.classify.case import Case
from probe.classify.depth import proven_depth, working
from probe.classify.facts import PathFacts, build_table
from probe.classify.fitness import suspended
from probe.classify.fold import Folded, PathJudgement, fold_paths, one_per_layer, path_confidence
from probe.classify.heat import build_hot_evidence, is_heated
from probe.classify.name_facts import NameFacts
from probe.classify.rule import F, Rule
from probe.classify.rules_name import NAME_RULES
from probe.classify.rules_page import HTTP_RULES
from probe.classify.rules_path import TCP_RULES, TLS_RULES
from probe.classify.rules_trust import TRUST_RULES
from probe.classify.status import Usable, decide
from probe.classify.tries import Layer, Outcome, Try
from probe.model.endpoint import AddressFamily
from probe.model.experiment import Place
from probe.model.observation import TCPConnect, TLSHandshake
from probe.model.target import CheckName
from probe.model.verdict import RULES_VERSION, Cause, Confidence, Depth, Evidence, Status, Verdict

LAYERED = (TCP_RULES, (*TLS_RULES, *TRUST_RULES), HTTP_RULES)
"""The rules of a path, a tuple for each layer; in each the first that fires speaks."""


def judge(case: Case) -> Verdict:
    """Return the verdict that the case allows; what is still pending is the planner's to add."""
    table = build_table(case)
    hops = sorted({row.hop for row in table if row.experiment is None})
    folded, hop = Folded(usable=Usable.NONE), 0
    for hop in hops:
        folded = judge_hop(case, table, hop)
        if folded.usable is not Usable.ALL:
            break
    unfit = suspended(case, folded, table)
    if unfit is not None:
        folded = unfit
    if not hops:
        folded = Folded(usable=Usable.NONE, confidence=Confidence.C0)
    status = decide(folded.usable, folded.cause, folded.confidence)
    return Verdict(
        status=status,
        patterns=folded.patterns,
        cause=folded.cause if status is not Status.OK else Cause.NONE,
        confidence=folded.confidence,
        depth=proven_depth(table) if hops else Depth.NONE,
        evidence=folded.evidence,
        summary=_summary(status, folded),
        works=working(table) if status is not Status.OK else (),
        rule_id=folded.evidence[0].rule_id if folded.evidence else "",
        rules_version=RULES_VERSION,
        addresses=count_paths(case, table),
    )


def judge_hop(case: Case, table: tuple[Try, ...], hop: int) -> Folded:
    """Judge one hop: the answer to its name first, then every path that the answer opens."""
    names = NameFacts(case, table, hop)
    name_evidence = _first(NAME_RULES, names, "", hop, names.transactions())
    paths = judge_paths(case, table, hop)
    if name_evidence is not None:
        return _with_name(name_evidence, paths, _elsewhere(case, table, hop))
    if not paths:
        return _without_paths(case, names)
    cold = tuple(path for path in paths if not path.heated)
    if not cold:
        withheld = tuple(build_hot_evidence(path.spot, hop) for path in paths)
        return Folded(usable=Usable.NONE, cause=Cause.UNKNOWN, confidence=Confidence.C0, evidence=withheld)
    return fold_paths(cold)


def _with_name(name: Evidence, paths: tuple[PathJudgement, ...], elsewhere: tuple[Evidence, ...]) -> Folded:
    """A name whose own answer is forged has no usable path; other layers' findings at its real addresses are added."""
    loads = any(path.usable and path.evidence == () for path in paths) and name.confidence >= Confidence.C2
    works_anyway = any(path.usable for path in paths) and name.confidence < Confidence.C2
    if works_anyway:
        return fold_paths(paths)
    evidence = (name, *elsewhere)
    return Folded(
        usable=Usable.SOME if loads else Usable.NONE,
        patterns=one_per_layer(evidence),
        cause=name.cause,
        confidence=path_confidence((name,)),
        evidence=evidence,
    )


def _without_paths(case: Case, names: NameFacts) -> Folded:
    """Nothing was dialled: right for a DNS target, a private redirect or a family that the vantage lacks."""
    if case.target.check is CheckName.DNS and names.own_outcome is Outcome.OK:
        return Folded(
            usable=Usable.ALL, confidence=Confidence.C1 if names.agree or not names.encrypted else Confidence.C0
        )
    if case.target.check is CheckName.ICMP:
        return _fold_echo(case)
    return Folded(usable=Usable.NONE, cause=Cause.UNKNOWN, confidence=Confidence.C0)


def _fold_echo(case: Case) -> Folded:
    echoes = [row for row in build_table(case) if row.layer is Layer.ICMP]
    if any(row.outcome is Outcome.OK for row in echoes):
        return Folded(usable=Usable.ALL, confidence=Confidence.C1)
    level = Confidence.C1 if len(echoes) >= 2 else Confidence.C0
    if any(row.outcome is Outcome.INSTRUMENT for row in echoes):
        return Folded(usable=Usable.NONE, cause=Cause.INSTRUMENT)
    return Folded(usable=Usable.NONE, cause=Cause.UNKNOWN, confidence=level)


def own_spots(table: tuple[Try, ...], hop: int, families: tuple[int, ...]) -> dict[str, AddressFamily]:
    """Return the places the check itself dialled in a hop, of the families that the vantage has."""
    return {
        row.spot: row.observation.endpoint.family
        for row in table
        if isinstance(row.observation, TCPConnect) and row.experiment is None and row.hop == hop
        and row.observation.endpoint.family in families
    }  # fmt: skip


def judge_paths(case: Case, table: tuple[Try, ...], hop: int) -> tuple[PathJudgement, ...]:
    """Judge each path of a hop for itself."""
    families = case.baseline.families if case.baseline and case.baseline.families else case.vantage.families
    if case.target.family is not None:
        families = (case.target.family,)
    spots = own_spots(table, hop, tuple(families)) or own_spots(table, hop, (4, 6))
    judgements, asked = [], set()
    for spot, family in spots.items():
        facts = PathFacts(case, table, hop, spot, frozenset(spots) - {spot})
        evidence, usable = _judge_path(facts)
        heated = not usable and is_heated(facts.failing, facts.table)
        judgements.append(PathJudgement(spot=spot, family=family, usable=usable, evidence=evidence, heated=heated))
        if facts.exchange is not None and facts.failing is None:
            asked.add(spot)
    bad_page = any(path.spot in asked and not path.usable for path in judgements)
    # One address fetches the page for all: what is wrong with the page is not right at those that were not asked.
    return tuple(path for path in judgements if not bad_page or path.spot in asked or not path.usable)


def _judge_path(facts: PathFacts) -> tuple[tuple[Evidence, ...], bool]:
    evidence: list[Evidence] = []
    usable = True
    transactions = tuple(row.transaction for row in facts.checked if not row.measurement)
    for rules in LAYERED:
        rule = next((rule for rule in rules if rule.when(facts)), None)
        if rule is not None:
            pairs = facts.pairs(facts.failing.layer) if facts.failing else None
            cited = (*transactions, *(pairs.transactions if pairs else ()))
            evidence.append(_evidence(rule, facts, facts.spot, facts.hop, tuple(dict.fromkeys(cited))))
            usable = usable and rule.usable
    return tuple(evidence), usable


def _elsewhere(case: Case, table: tuple[Try, ...], hop: int) -> tuple[Evidence, ...]:
    """Look at the name's real addresses, which our resolver did not give: is it blocked there as well?"""
    spots = {
        row.spot
        for row in table
        if row.hop == hop and row.experiment is not None and row.experiment.place is Place.ELSEWHERE
        and isinstance(row.observation, TLSHandshake) and row.outcome is not Outcome.OK
    }  # fmt: skip
    found: list[Evidence] = []
    for spot in sorted(spots):
        moved = tuple(_as_own(row) for row in table if row.spot == spot)
        facts = PathFacts(case, moved, hop, spot, frozenset())
        evidence, usable = _judge_path(facts)
        if not usable:
            found.extend(e for e in evidence if e.cause is Cause.NETWORK)
    return tuple(found)


def _as_own(row: Try) -> Try:
    first = row.experiment is not None and row.experiment.place is Place.ELSEWHERE and row.experiment.cell == 1
    return msgspec.structs.replace(row, experiment=None) if first else row


def _first(rules: tuple[Rule[F], ...], facts: F, path: str, hop: int, transactions: tuple[int, ...]) -> Evidence | None:
    rule = next((rule for rule in rules if rule.when(facts)), None)
    return None if rule is None else _evidence(rule, facts, path, hop, transactions)


def _evidence(rule: Rule[F], facts: F, path: str, hop: int, transactions: tuple[int, ...]) -> Evidence:
    return Evidence(
        rule_id=rule.id,
        family=rule.family,
        pattern=rule.pattern,
        cause=rule.cause,
        confidence=rule.confidence(facts),
        reason=rule.reason,
        path=path,
        hop=hop,
        transactions=transactions,
    )


def count_paths(case: Case, table: tuple[Try, ...]) -> tuple[int, int, int, int]:
    """Return paths tried and usable: v4, v4 ok, v6, v6 ok, of the first hop."""
    paths = judge_paths(case, table, 0)
    v4 = [path for path in paths if path.family == 4]
    v6 = [path for path in paths if path.family == 6]
    return (len(v4), sum(p.usable for p in v4), len(v6), sum(p.usable for p in v6))


def _summary(status: Status, folded: Folded) -> str:
    if folded.evidence:
        return folded.evidence[0].reason
    return "It works." if status is Status.OK else "Nothing could be measured."
