"""The verdict of a group: any, all, and what a fold of folds may say."""

import msgspec
import pytest

from probe.classify.group import fold_group
from probe.model.depth import Depth
from probe.model.pattern import Pattern
from probe.model.target import GroupMode
from probe.model.verdict import Cause, Confidence, Evidence, EvidenceFamily, Status, Verdict


def word(status, pattern=None, cause=Cause.UNKNOWN, confidence=Confidence.C0, depth=Depth.NONE):
    evidence = ()
    if pattern is not None:
        evidence = (
            Evidence(
                rule_id="r", family=EvidenceFamily.OBSERVED, pattern=pattern, cause=cause, confidence=confidence,
                reason="Because.", path="192.0.2.1:1194", transactions=(1,),
            ),
        )  # fmt: skip
    patterns = (pattern,) if pattern else ()
    return Verdict(status=status, cause=cause, confidence=confidence, evidence=evidence, depth=depth, patterns=patterns)


GOOD = word(Status.OK, cause=Cause.NONE, confidence=Confidence.C2, depth=Depth.PROOF)
LIKELY = word(Status.LIKELY_BLOCKED, Pattern.VPN_HANDSHAKE_DROP, Cause.NETWORK, Confidence.C2)
BLOCKED = word(Status.BLOCKED, Pattern.VPN_HANDSHAKE_DROP, Cause.NETWORK, Confidence.C3)
UNCLEAR = word(Status.INSUFFICIENT, Pattern.VPN)
DOWN = word(Status.DOWN, Pattern.SRV_DOWN, Cause.OUTAGE, Confidence.C2)


@pytest.mark.parametrize(
    ("mode", "members", "status", "summary"),
    [
        (GroupMode.ANY, (GOOD, GOOD), Status.OK, "2 endpoints, all answered"),
        (GroupMode.ALL, (GOOD, GOOD), Status.OK, "2 endpoints, all answered"),
        (GroupMode.ANY, (GOOD, LIKELY, UNCLEAR), Status.DEGRADED, "3 endpoints, 1 answered"),
        (GroupMode.ALL, (GOOD, LIKELY), Status.LIKELY_BLOCKED, "2 endpoints, 1 answered"),
        (GroupMode.ANY, (LIKELY, BLOCKED), Status.LIKELY_BLOCKED, "2 endpoints, none answered"),
        (GroupMode.ANY, (BLOCKED, BLOCKED), Status.BLOCKED, "2 endpoints, none answered"),
        (GroupMode.ANY, (LIKELY, UNCLEAR), Status.INSUFFICIENT, "2 endpoints, none answered"),
        (GroupMode.ANY, (LIKELY, DOWN), Status.IMPAIRED, "2 endpoints, none answered"),
        (GroupMode.ALL, (GOOD, UNCLEAR), Status.INSUFFICIENT, "2 endpoints, 1 answered"),
        (GroupMode.ANY, (DOWN,), Status.DOWN, "the one endpoint does not answer"),
        (GroupMode.ANY, (), Status.INSUFFICIENT, "0 endpoints, all answered"),
    ],
)
def test_a_group_says_no_more_than_its_members_allow(mode, members, status, summary):
    verdict = fold_group(mode, {f"v{n}:1194/udp": member for n, member in enumerate(members)})
    assert verdict.status is status
    assert not members or verdict.summary == summary


def test_a_group_names_the_endpoints_that_are_bad_and_those_that_work():
    verdict = fold_group(GroupMode.ANY, {"a:1/udp": GOOD, "b:2/tcp": LIKELY})
    assert [e.path for e in verdict.evidence] == ["b:2/tcp"]
    assert verdict.works == ("a:1/udp",)
    assert verdict.patterns == (Pattern.VPN_HANDSHAKE_DROP,)
    assert verdict.depth is Depth.PROOF


def test_a_last_word_without_its_evidence_counts_as_much():
    """After a restart only the episode is known."""
    words = {name: Verdict(status=Status.BLOCKED, cause=Cause.NETWORK, confidence=Confidence.C3) for name in "ab"}
    assert fold_group(GroupMode.ANY, words).status is not Status.OK
    words = {name: msgspec.structs.replace(BLOCKED, evidence=()) for name in "ab"}
    assert fold_group(GroupMode.ANY, words).status is Status.BLOCKED


def test_what_differs_between_endpoints_accuses_nobody():
    verdict = fold_group(GroupMode.ANY, {"a": LIKELY, "b": DOWN})
    assert verdict.cause is Cause.UNKNOWN
