"""From paths to one answer: what holds for every path a client of this network would take, and what only for some.

Source: CONTRACT section 1, "the fold". Addresses from other resolvers and neighbours are experiments, never paths.
"""

import msgspec

from probe.classify.status import Usable
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Evidence, EvidenceFamily


class PathJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """One path: usable or not, and the evidence that spoke, one for each layer, primary first."""

    spot: str
    family: int
    usable: bool
    evidence: tuple[Evidence, ...] = ()
    interfered: bool = False
    """It works, and something is done to it all the same: the target is degraded, not fine."""
    heated: bool = False
    """It failed where another measurement had triggered something: no data, see `heat.py`."""


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """One answer over all paths."""

    usable: Usable
    patterns: tuple[Pattern, ...] = ()
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    evidence: tuple[Evidence, ...] = ()


def fold_paths(paths: tuple[PathJudgement, ...]) -> Folded:
    """Fold the paths of one hop.

    All bad: one pattern, or one common ancestor, that explains every path, with the lowest confidence among them;
    else all listed with cause unknown. Some bad: the bad ones named.
    """
    bad = [path for path in paths if not path.usable]
    good = [path for path in paths if path.usable]
    if not bad:
        return _fold_good(good)
    evidence = tuple(e for path in bad for e in path.evidence)
    common = _common_pattern(bad)
    causes = {path.evidence[0].cause for path in bad if path.evidence}
    return Folded(
        usable=Usable.SOME if good else Usable.NONE,
        patterns=(common, *_beside(common, bad)) if common else one_per_layer(evidence),
        cause=causes.pop() if len(causes) == 1 and (common or good) else Cause.UNKNOWN,
        confidence=min((path_confidence(path.evidence) for path in bad), default=Confidence.C0),
        evidence=evidence,
    )


def _fold_good(good: list[PathJudgement]) -> Folded:
    """Fold paths that all work; what is done to some of them all the same comes first."""
    harmed = [path for path in good if path.interfered]
    notes = tuple(e for path in (*harmed, *(p for p in good if not p.interfered)) for e in path.evidence)
    if not harmed:
        return Folded(
            usable=Usable.ALL,
            patterns=one_per_layer(notes),
            confidence=max((e.confidence for e in notes), default=Confidence.C2),
            evidence=notes,
        )
    causes = {path.evidence[0].cause for path in harmed}
    return Folded(
        usable=Usable.SOME,
        patterns=one_per_layer(notes),
        cause=causes.pop() if len(causes) == 1 else Cause.UNKNOWN,
        confidence=min(path_confidence(path.evidence) for path in harmed),
        evidence=notes,
    )


def path_confidence(evidence: tuple[Evidence, ...]) -> Confidence:
    """Return how sure the primary pattern is: its own level, or C3 from two families at C2 of which one is A.

    An address out of reach may be behind the server's own firewall: two families do not settle `ip.*`, only what
    locates the hop does, and that rule says so itself. An empty answer may be what the name's own servers have for this
    country, whoever is compared with.
    """
    if not evidence:
        return Confidence.C0
    primary = evidence[0]
    agreeing = (e for e in evidence if e.pattern is not None and e.cause is primary.cause)
    named = primary.pattern.ancestors if primary.pattern is not None else ()
    same = [e for e in agreeing if e.pattern in named and e.confidence >= Confidence.C2]
    families = {e.family for e in same}
    may_settle = primary.pattern is None or (
        primary.pattern.layer != "ip" and primary.pattern is not Pattern.DNS_NO_ANSWER
    )
    if len(families) >= 2 and EvidenceFamily.DIFFERENTIAL in families and may_settle:
        return Confidence.C3
    return max((e.confidence for e in same), default=primary.confidence)


def one_per_layer(evidence: tuple[Evidence, ...]) -> tuple[Pattern, ...]:
    """Return the patterns in order, at most one for each layer, the deepest of a layer winning."""
    chosen: dict[str, Pattern] = {}
    for item in evidence:
        if item.pattern is None:
            continue
        known = chosen.get(item.pattern.layer)
        if known is None or known.value in item.pattern.ancestors[1:]:
            chosen[item.pattern.layer] = item.pattern
    return tuple(chosen.values())


def _beside(common: Pattern, bad: list[PathJudgement]) -> tuple[Pattern, ...]:
    """Return what artefacts show at every bad path besides, in other layers."""
    shown = [{e.pattern for e in path.evidence[1:] if e.family is EvidenceFamily.ARTEFACT} for path in bad]
    shared = set.intersection(*shown)
    return tuple(sorted(p for p in shared if p is not None and p.layer != common.layer))


def _common_pattern(bad: list[PathJudgement]) -> Pattern | None:
    primaries = [path.evidence[0].pattern for path in bad if path.evidence]
    if not primaries or len(primaries) != len(bad) or any(pattern is None for pattern in primaries):
        return None
    named = [pattern for pattern in primaries if pattern is not None]
    for candidate in named[0].ancestors:
        if all(candidate in pattern.ancestors for pattern in named) and candidate in Pattern._value2member_map_:
            return Pattern(candidate)
    return None
