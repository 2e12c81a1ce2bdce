import itertools

import pytest

from probe.classify.fold import PathJudgement, fold_paths, one_per_layer, path_confidence
from probe.classify.status import Usable, decide
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Evidence, EvidenceFamily, Status

C0, C1, C2, C3 = Confidence
A, B, D = EvidenceFamily.DIFFERENTIAL, EvidenceFamily.CONTROL, EvidenceFamily.OTHER_ROUTE


def evidence(pattern, confidence=C1, cause=Cause.NETWORK, family=A):
    return Evidence(rule_id="r", family=family, pattern=pattern, cause=cause, confidence=confidence)


def path(*found, spot="a", usable=False):
    return PathJudgement(spot=spot, family=4, usable=usable, evidence=found)


def test_all_bad_in_the_same_way_is_that_way_with_the_lowest_confidence():
    folded = fold_paths((path(evidence(Pattern.TLS_RESET_SNI, C2)), path(evidence(Pattern.TLS_RESET_SNI, C1))))
    assert (folded.usable, folded.patterns, folded.cause) == (Usable.NONE, (Pattern.TLS_RESET_SNI,), Cause.NETWORK)
    assert folded.confidence is C1


def test_all_bad_under_one_ancestor_is_the_ancestor():
    folded = fold_paths((path(evidence(Pattern.TLS_RESET_SNI, C2)), path(evidence(Pattern.TLS_RESET_ENDPOINT, C2))))
    assert folded.patterns == (Pattern.TLS_RESET,)
    wider = fold_paths((path(evidence(Pattern.TLS_RESET_SNI, C2)), path(evidence(Pattern.TLS_TIMEOUT_SNI, C2))))
    assert wider.patterns == (Pattern.TLS,)


def test_all_bad_in_unlike_ways_is_all_of_them_with_no_known_cause():
    folded = fold_paths((path(evidence(Pattern.TLS_RESET_SNI, C3)), path(evidence(Pattern.IP, C1, Cause.UNKNOWN))))
    assert (folded.patterns, folded.cause) == ((Pattern.TLS_RESET_SNI, Pattern.IP), Cause.UNKNOWN)
    assert decide(folded.usable, folded.cause, folded.confidence) is Status.IMPAIRED


def test_unlike_ways_have_no_known_cause_even_when_each_has_the_same():
    folded = fold_paths((path(evidence(Pattern.TLS_RESET_SNI, C3)), path(evidence(Pattern.IP_DROP, C3))))
    assert folded.cause is Cause.UNKNOWN


def test_some_bad_names_the_bad_ones():
    folded = fold_paths((path(evidence(Pattern.IP, C2)), path(usable=True, spot="b")))
    assert (folded.usable, folded.patterns, folded.cause) == (Usable.SOME, (Pattern.IP,), Cause.NETWORK)
    assert decide(folded.usable, folded.cause, folded.confidence) is Status.DEGRADED


def test_a_usable_finding_is_kept_beside_ok():
    note = evidence(Pattern.SRV_CHALLENGE, C2, Cause.SERVER)
    folded = fold_paths((path(note, usable=True), path(usable=True)))
    assert (folded.usable, folded.patterns) == (Usable.ALL, (Pattern.SRV_CHALLENGE,))


def test_a_bad_path_without_evidence_leaves_nothing_sure():
    folded = fold_paths((path(), path(evidence(Pattern.IP, C2))))
    assert folded.confidence is C0


def test_one_pattern_a_layer_and_the_deepest_of_it():
    found = (evidence(Pattern.TLS), evidence(Pattern.TLS_RESET_SNI), evidence(Pattern.IP), evidence(Pattern.TLS_FIN))
    assert one_per_layer(found) == (Pattern.TLS_RESET_SNI, Pattern.IP)


def test_a_deeper_node_of_another_branch_does_not_replace_the_first():
    assert one_per_layer((evidence(Pattern.TLS_FIN), evidence(Pattern.TLS_RESET_SNI))) == (Pattern.TLS_FIN,)


def test_two_families_settle_when_one_is_a_differential():
    pair = (evidence(Pattern.TLS_RESET_SNI, C2, family=A), evidence(Pattern.TLS_RESET, C2, family=B))
    assert path_confidence(pair) is C3
    assert path_confidence((pair[1], evidence(Pattern.TLS_RESET, C2, family=D))) is C2
    assert path_confidence((pair[0], evidence(Pattern.TLS_RESET, C1, family=B))) is C2
    assert path_confidence((pair[0], evidence(Pattern.TLS_FIN, C2, family=B))) is C2


def test_two_families_do_not_settle_that_an_address_is_out_of_reach():
    pair = (evidence(Pattern.IP_DROP, C2, family=A), evidence(Pattern.IP_DROP, C2, family=B))
    assert path_confidence(pair) is C2


@pytest.mark.parametrize("paths", list(itertools.permutations(range(3))))
def test_the_order_of_paths_does_not_change_status_cause_or_confidence(paths):
    three = (path(evidence(Pattern.TLS_RESET_SNI, C2)), path(evidence(Pattern.TLS_RESET, C1)), path(usable=True))
    folded = fold_paths(tuple(three[n] for n in paths))
    assert (folded.usable, folded.patterns, folded.confidence) == (Usable.SOME, (Pattern.TLS_RESET,), C1)
