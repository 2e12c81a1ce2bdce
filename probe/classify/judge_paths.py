"""What is said of each path: the rules of every layer over one address, and what controls add."""

import msgspec

from probe.classify.case import Case, judged_families
from probe.classify.facts.page_facts import page_boundary
from probe.classify.facts.path_facts import PathFacts, own_checks
from probe.classify.fold import PathJudgement
from probe.classify.heat import is_heated
from probe.classify.rules.layers import open_layers
from probe.classify.rules.question import name_encrypted
from probe.classify.rules.rule import F, Rule, first_in, first_rule
from probe.classify.rules.trace import located_boundary
from probe.classify.tries import Layer, Outcome, Try
from probe.model.endpoint import AddressFamily
from probe.model.experiment import Place
from probe.model.observation import DialogueExchange, ICMPEcho, QUICHandshake, TCPConnect, TLSHandshake
from probe.model.verdict import Cause, Evidence


def own_spots(table: tuple[Try, ...], hop: int, families: tuple[int, ...]) -> dict[str, AddressFamily]:
    """Return the places the check itself tried in a hop, of the families that the vantage has."""
    tried = {
        row.spot: AddressFamily.V6 if ":" in row.address else AddressFamily.V4
        for row in own_checks(table)
        if isinstance(row.observation, TCPConnect | ICMPEcho | QUICHandshake | DialogueExchange) and row.hop == hop
    }
    return {spot: family for spot, family in tried.items() if family in families}


def judge_paths(case: Case, table: tuple[Try, ...], hop: int) -> tuple[PathJudgement, ...]:
    """Judge each path of a hop for itself."""
    spots = own_spots(table, hop, judged_families(case)) or own_spots(table, hop, (4, 6))
    earlier = {
        row.spot for row in table if row.measurement and row.experiment is None and row.layer in (Layer.TCP, Layer.QUIC)
    }
    judgements, asked = [], set()
    for spot, family in spots.items():
        facts = PathFacts(case, table, hop, spot, frozenset(earlier | set(spots)) - {spot})
        judgement = judge_path(facts, family)
        heated = not judgement.usable and is_heated(facts.failing, facts.here)
        judgements.append(msgspec.structs.replace(judgement, heated=True) if heated else judgement)
        if facts.exchange is not None and facts.failing is None:
            asked.add(spot)
    bad_page = any(path.spot in asked and not path.usable for path in judgements)
    # The page is fetched at one address for all: where it is wrong, the others are left out, not taken for good.
    return tuple(path for path in judgements if not bad_page or path.spot in asked or not path.usable)


def judge_path(facts: PathFacts, family: AddressFamily = AddressFamily.V4) -> PathJudgement:
    """Return what the first rule to fire in each layer says, with what a control adds."""
    evidence: list[Evidence] = []
    usable, interfered = True, False
    transactions = tuple(row.transaction for row in facts.checked if not row.measurement)
    *layers, outside = open_layers(facts)
    for sections in layers:
        rule = first_in(sections, facts)
        if rule is not None:
            pairs = facts.pairs(facts.failing.layer) if facts.failing else None
            cited = (*transactions, *(pairs.transactions if pairs else ()))
            evidence.append(build_evidence(rule, facts, facts.spot, facts.hop, tuple(dict.fromkeys(cited))))
            usable = usable and (rule.usable or rule.interferes)
            interfered = interfered or rule.interferes
    boundary = (located_boundary(facts) or page_boundary(facts)) if evidence else None
    if boundary is not None:
        evidence[0] = msgspec.structs.replace(evidence[0], locus=boundary.locus)
    from_outside = first_in(outside, facts) if facts.case.controls else None
    if from_outside is not None:
        seen = build_evidence(from_outside, facts, facts.spot, facts.hop, transactions)
        # A control says who: where the path alone does not, its word comes first. What fails for it as well is not the
        # network's doing, whatever was compared from here.
        accused = bool(evidence) and evidence[0].cause is Cause.NETWORK
        unsettled = not evidence or evidence[0].cause is Cause.UNKNOWN
        unsettled = unsettled or (accused and seen.cause in (Cause.OUTAGE, Cause.SERVER))
        evidence = [seen, *evidence] if unsettled else [*evidence, seen]
        interfered = interfered or from_outside.interferes
        usable = usable and interfered  # what was shown to work all the same, as for a browser, does
    return PathJudgement(
        spot=facts.spot,
        family=family,
        usable=usable,
        interfered=usable and interfered,
        evidence=name_encrypted(facts, tuple(evidence)),
    )


def judge_elsewhere(case: Case, table: tuple[Try, ...], hop: int) -> tuple[Evidence, ...]:
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
        judgement = judge_path(facts)
        if not judgement.usable:
            found.extend(e for e in judgement.evidence if e.cause is Cause.NETWORK)
    return tuple(found)


def _as_own(row: Try) -> Try:
    first = row.experiment is not None and row.experiment.place is Place.ELSEWHERE and row.experiment.cell == 1
    return msgspec.structs.replace(row, experiment=None) if first else row


def find_evidence(
    rules: tuple[Rule[F], ...], facts: F, path: str, hop: int, transactions: tuple[int, ...]
) -> Evidence | None:
    """Return what the first rule to fire says; `None` = none does."""
    rule = first_rule(rules, facts)
    return None if rule is None else build_evidence(rule, facts, path, hop, transactions)


def build_evidence(rule: Rule[F], facts: F, path: str, hop: int, transactions: tuple[int, ...]) -> Evidence:
    """Return what a rule that fired says of a path (empty = of the whole hop), and what it rests on."""
    return Evidence(
        rule_id=rule.id,
        family=rule.method(facts),
        pattern=rule.pattern,
        cause=rule.cause,
        confidence=rule.confidence(facts),
        reason=rule.explain(facts),
        path=path,
        hop=hop,
        transactions=transactions,
    )
