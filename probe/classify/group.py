"""What holds for endpoints together, such as the `remote` lines of a file: the same fold, one place up. Pure."""

from collections.abc import Mapping

import msgspec

from probe.classify.fold import PathJudgement, fold_paths
from probe.classify.status import decide
from probe.model.depth import Depth
from probe.model.target import GroupMode
from probe.model.verdict import RULES_VERSION, Cause, Evidence, EvidenceFamily, Status, Verdict


def fold_group(mode: GroupMode, members: Mapping[str, Verdict]) -> Verdict:
    """Return the verdict of a group; `members` are the last words on its endpoints, by what a reader calls them.

    Any: one usable endpoint makes it usable. All: it is usable while every one is.
    """
    paths = tuple(_as_path(name, verdict) for name, verdict in members.items())
    bad = tuple(path for path in paths if not path.usable)
    folded = fold_paths(bad if mode is GroupMode.ALL and bad else paths)
    status = decide(folded.usable, folded.cause, folded.confidence)
    depths = [verdict.depth for verdict in members.values()]
    best = max if mode is GroupMode.ANY else min
    return Verdict(
        status=status if members else Status.INSUFFICIENT,
        patterns=folded.patterns,
        cause=Cause.NONE if status is Status.OK else folded.cause,
        confidence=folded.confidence,
        depth=best(depths, key=lambda depth: depth.rank, default=Depth.NONE),
        locus=next((e.locus for e in folded.evidence if e.locus), "unknown"),
        evidence=folded.evidence,
        summary=_count(len(paths) - len(bad), len(paths), _unasked(members)),
        works=tuple(name for name, verdict in members.items() if verdict.status.reachable),
        rule_id=folded.evidence[0].rule_id if folded.evidence else "",
        rules_version=RULES_VERSION,
    )


def _as_path(name: str, verdict: Verdict) -> PathJudgement:
    """Take an endpoint for a path: what its own fold found is not found anew."""
    # An endpoint's verdict may be surer, or less sure, than its first evidence alone: that was decided below.
    primary = Evidence(
        rule_id=verdict.rule_id or "group.member",
        family=verdict.evidence[0].family if verdict.evidence else EvidenceFamily.OBSERVED,
        pattern=verdict.patterns[0] if verdict.patterns else None,
        cause=verdict.cause,
        confidence=verdict.confidence,
        reason=verdict.summary,
        path=name,
    )
    others = tuple(msgspec.structs.replace(e, path=name, transactions=()) for e in verdict.evidence[1:])
    usable = verdict.status.reachable
    evidence = () if verdict.status is Status.OK else (primary, *others)
    return PathJudgement(
        spot=name,
        family=4,
        usable=usable,
        interfered=verdict.status is Status.DEGRADED,
        evidence=evidence,
    )


def _unasked(members: Mapping[str, Verdict]) -> int:
    """Return of how many endpoints nothing is known, because we were in our own way."""
    return sum(
        verdict.status is Status.INSUFFICIENT and verdict.cause is Cause.INSTRUMENT for verdict in members.values()
    )


def _count(usable: int, endpoints: int, unasked: int) -> str:
    if endpoints and unasked == endpoints:
        return "the one endpoint was not asked" if endpoints == 1 else f"{endpoints} endpoints, none was asked"
    if endpoints == 1:
        return "the one endpoint answers" if usable else "the one endpoint does not answer"
    answered = {0: "none answered", endpoints: "all answered"}.get(usable, f"{usable} answered")
    return f"{endpoints} endpoints, {answered}" + (f", {unasked} not asked" if unasked else "")
