"""From a case to a verdict: rules over facts, the fold over paths, and the status table. Pure and repeatable."""

import msgspec

from probe.classify.case import Case
from probe.classify.depth import proven_depth, working
from probe.classify.facts.family_names import find_odd_family
from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.path_facts import PathFacts, build_table, own_checks
from probe.classify.fitness import suspended
from probe.classify.fold import Folded, PathJudgement, fold_paths, one_per_layer, path_confidence
from probe.classify.heat import build_hot_evidence
from probe.classify.judge_paths import find_evidence, judge_elsewhere, judge_path, judge_paths
from probe.classify.plans.trouble import is_over_quic
from probe.classify.rules.name import BESIDE_RULES, NAME_RULES
from probe.classify.status import Usable, decide
from probe.classify.tries import Layer, Outcome, Try
from probe.model.experiment import Design, NameKind
from probe.model.target import CheckName
from probe.model.verdict import (
    RULES_VERSION,
    Cause,
    Confidence,
    Evidence,
    EvidenceFamily,
    EvidenceLevel,
    Status,
    Verdict,
)


def judge(case: Case) -> Verdict:
    """Return the verdict that the case allows; what is still pending is the planner's to add."""
    table = build_table(case)
    checks = own_checks(table)
    hops = sorted({row.hop for row in checks})
    paths = {hop: judge_paths(case, table, hop) for hop in hops}
    folded = _add_http3(case, table, _judge_hops(case, table, paths))
    if case.single_sample:
        folded = _seen_once(folded)
    unfit = suspended(case, folded, table)
    if unfit is not None:
        folded = unfit
    status = decide(folded.usable, folded.cause, folded.confidence)
    return Verdict(
        status=status,
        patterns=folded.patterns,
        cause=_cause(status, folded),
        confidence=folded.confidence,
        depth=proven_depth(checks),
        locus=next((e.locus for e in folded.evidence if e.locus), "unknown"),
        evidence=folded.evidence,
        summary=_summary(status, folded, paths.get(0, ())),
        works=working(table) if status is not Status.OK else (),
        rule_id=folded.evidence[0].rule_id if folded.evidence else "",
        rules_version=RULES_VERSION,
        addresses=count_paths(paths.get(0, ())),
    )


def _add_http3(case: Case, table: tuple[Try, ...], folded: Folded) -> Folded:
    """Add what a deep run found over HTTP/3: a client comes to it by TCP, so it can only take from what works there."""
    rows = [r for r in table if r.experiment is not None and r.experiment.design is Design.HTTP3 and is_over_quic(r)]
    if case.target.check is not CheckName.WEB or folded.usable is Usable.NONE or not rows:
        return folded
    spots = tuple(dict.fromkeys(r.spot for r in rows if r.kind is NameKind.TEST))
    moved = tuple(_as_check(row) for row in table)
    paths = tuple(judge_path(PathFacts(case, moved, 0, spot, frozenset(spots) - {spot})) for spot in spots)
    quic = fold_paths(paths)
    if not paths or quic.usable is Usable.ALL:
        return folded
    evidence = (*folded.evidence, *quic.evidence)
    fine = folded.usable is Usable.ALL
    return Folded(
        usable=Usable.SOME,
        patterns=one_per_layer((*quic.evidence, *folded.evidence) if fine else evidence),
        cause=quic.cause if fine else folded.cause,
        confidence=quic.confidence if fine else folded.confidence,
        evidence=(*quic.evidence, *folded.evidence) if fine else evidence,
    )


def _as_check(row: Try) -> Try:
    """Take the first try over HTTP/3 at a place for the check's own."""
    first = row.experiment is not None and row.experiment.design is Design.HTTP3 and row.kind is NameKind.TEST
    own = first and is_over_quic(row) and row.experiment is not None and row.experiment.cell == 1
    return msgspec.structs.replace(row, experiment=None) if own else row


def _seen_once(folded: Folded) -> Folded:
    """Say that controls were held against a single sample; what the network did is then never more than likely."""
    evidence = tuple(
        msgspec.structs.replace(e, reason=f"{e.reason} (single sample)") if e.family is EvidenceFamily.CONTROL else e
        for e in folded.evidence
    )
    bound = Confidence.C2 if folded.cause is Cause.NETWORK else Confidence.C3
    return msgspec.structs.replace(folded, evidence=evidence, confidence=min(folded.confidence, bound))


def _judge_hops(case: Case, table: tuple[Try, ...], paths: dict[int, tuple[PathJudgement, ...]]) -> Folded:
    """Return what holds for the first hop that fails; else for the first that is interfered with, else for the last."""
    judged: list[Folded] = []
    for hop, found in paths.items():
        folded = judge_hop(case, table, hop, found)
        if folded.usable is Usable.NONE:
            return folded
        judged.append(folded)
    if not judged:
        return Folded(usable=Usable.NONE, confidence=Confidence.C0)
    folded = next((f for f in judged if f.usable is Usable.SOME), judged[-1])
    return _without_page() if folded.usable is Usable.ALL and _page_missing(case, table) else folded


def _page_missing(case: Case, table: tuple[Try, ...]) -> bool:
    """Tell whether a web check ended, with no step failed, before it asked for the page."""
    checks = own_checks(table)
    if case.target.check not in (CheckName.WEB, CheckName.H3) or any(row.outcome is not Outcome.OK for row in checks):
        return False
    return not any(row.layer is Layer.HTTP for row in checks)


def _without_page() -> Folded:
    note = Evidence(
        rule_id="run.page_not_asked",
        family=EvidenceFamily.OBSERVED,
        level=EvidenceLevel.NO_DATA,
        confidence=Confidence.C0,
        reason="The run ended before it asked for the page.",
    )
    return Folded(usable=Usable.NONE, cause=Cause.UNKNOWN, confidence=Confidence.C0, evidence=(note,))


def _cause(status: Status, folded: Folded) -> Cause:
    """Return who did it; below C2 nobody accuses the network (CONTRACT section 1)."""
    if status is Status.OK:
        return Cause.NONE
    weak = folded.cause is Cause.NETWORK and folded.confidence < Confidence.C2
    return Cause.UNKNOWN if weak else folded.cause


def judge_hop(case: Case, table: tuple[Try, ...], hop: int, paths: tuple[PathJudgement, ...]) -> Folded:
    """Judge one hop: the answer to its name first, then every path that the answer opens."""
    names = NameFacts(case, table, hop)
    name_evidence = _judge_name(names, hop)
    if name_evidence:
        return _with_name(name_evidence, paths, judge_elsewhere(case, table, hop))
    if not paths:
        return _without_paths(case, names)
    odd = find_odd_family(names, table)
    forged = _judge_name(odd, hop) if odd is not None else ()
    if odd is not None and forged and any(path.family != odd.family for path in paths):
        rest = judge_hop_paths(tuple(path for path in paths if path.family != odd.family), hop)
        return _with_other_family(forged, rest)
    return judge_hop_paths(paths, hop)


def judge_hop_paths(paths: tuple[PathJudgement, ...], hop: int) -> Folded:
    """Fold the paths of a hop, those aside that say nothing: hot places, and what our own host could not even try."""
    cold = tuple(path for path in paths if not path.heated)
    if not cold:
        withheld = tuple(build_hot_evidence(path.spot, hop) for path in paths)
        return Folded(usable=Usable.NONE, cause=Cause.UNKNOWN, confidence=Confidence.C0, evidence=withheld)
    # What our own host could not even try says nothing, as long as there is a path that it could.
    return fold_paths(tuple(path for path in cold if not _untried(path)) or cold)


def _untried(path: PathJudgement) -> bool:
    return bool(path.evidence) and path.evidence[0].cause is Cause.INSTRUMENT


def _judge_name(names: NameFacts, hop: int) -> tuple[Evidence, ...]:
    """Return what speaks first of the answer, and what other families say to the same effect; empty = nothing."""
    transactions = names.transactions()
    first = find_evidence(NAME_RULES, names, "", hop, transactions)
    if first is None:
        return ()
    beside = (find_evidence(rules, names, "", hop, transactions) for rules in BESIDE_RULES)
    return (first, *(e for e in beside if e is not None and e.rule_id != first.rule_id and e.cause is first.cause))


def _with_name(
    names: tuple[Evidence, ...], paths: tuple[PathJudgement, ...], elsewhere: tuple[Evidence, ...]
) -> Folded:
    """Fold the paths of a name whose own answer is wrong, or in doubt.

    Where that answer is forged no path is usable, and other layers' findings at the real addresses are added. A page at
    the given address that settles the matter by itself says more than an answer that is only in doubt. What an answer
    leads to that exists nowhere is no page of the site's.
    """
    name = names[0]
    loads = any(path.usable and path.evidence == () for path in paths) and name.confidence >= Confidence.C2
    works_anyway = any(path.usable for path in paths) and name.confidence < Confidence.C2
    if works_anyway:
        return fold_paths(paths)
    if name.cause is Cause.UNKNOWN and name.confidence >= Confidence.C2 and paths and not loads:
        folded = fold_paths(paths)
        return msgspec.structs.replace(folded, evidence=(*folded.evidence, *names))
    pages = fold_paths(paths) if paths and name.confidence < Confidence.C2 else None
    if pages is not None and pages.confidence > name.confidence and _settled_by_artefact(pages):
        return msgspec.structs.replace(
            pages, patterns=one_per_layer((*pages.evidence, name)), evidence=(*pages.evidence, *names)
        )
    evidence = (*names, *elsewhere)
    return Folded(
        usable=Usable.SOME if loads and name.cause is not Cause.OUTAGE else Usable.NONE,
        patterns=one_per_layer(evidence),
        cause=name.cause,
        confidence=path_confidence(names),
        evidence=evidence,
    )


def _with_other_family(forged: tuple[Evidence, ...], rest: Folded) -> Folded:
    """Return what holds where the answer for one family is forged, and `rest` of what the other leads to."""
    if rest.usable is Usable.ALL:
        return Folded(
            usable=Usable.SOME,
            patterns=one_per_layer(forged),
            cause=forged[0].cause,
            confidence=path_confidence(forged),
            evidence=forged,
        )
    evidence = (*forged, *rest.evidence)
    return Folded(
        usable=rest.usable,
        patterns=one_per_layer(evidence),
        cause=forged[0].cause if forged[0].cause is rest.cause else Cause.UNKNOWN,
        confidence=min(path_confidence(forged), rest.confidence),
        evidence=evidence,
    )


def _without_paths(case: Case, names: NameFacts) -> Folded:
    """Fold a run that dialled nothing: right for a DNS target, a private redirect or a family that we lack."""
    if case.target.check is CheckName.DNS and names.own_outcome is Outcome.OK:
        return Folded(
            usable=Usable.ALL, confidence=Confidence.C1 if names.agree or not names.encrypted else Confidence.C0
        )
    return Folded(usable=Usable.NONE, cause=Cause.UNKNOWN, confidence=Confidence.C0)


def _settled_by_artefact(folded: Folded) -> bool:
    return bool(folded.evidence) and all(e.family is EvidenceFamily.ARTEFACT for e in folded.evidence)


def count_paths(paths: tuple[PathJudgement, ...]) -> tuple[int, int, int, int]:
    """Return paths tried and usable: v4, v4 ok, v6, v6 ok."""
    v4 = [path for path in paths if path.family == 4]
    v6 = [path for path in paths if path.family == 6]
    return (len(v4), sum(p.usable for p in v4), len(v6), sum(p.usable for p in v6))


def _name_family(status: Status, paths: tuple[PathJudgement, ...]) -> str:
    """Say first which family it is about, where one works everywhere and the other nowhere."""
    harmed = {path.family for path in paths if not path.usable or path.interfered}
    sound = {path.family for path in paths if path.usable and not path.interfered}
    if status is not Status.DEGRADED or len(harmed) != 1 or len(sound) != 1 or harmed == sound:
        return ""
    family, other = next(iter(harmed)), next(iter(sound))
    return f"Over IPv{family} only, while IPv{other} works: "


def _summary(status: Status, folded: Folded, paths: tuple[PathJudgement, ...]) -> str:
    if folded.evidence:
        return _name_family(status, paths) + folded.evidence[0].reason
    return "It works." if status is Status.OK else "Nothing could be measured."
