from probe.classify.taxonomy import TAXONOMY
from probe.model.pattern import Pattern


def test_every_pattern_says_what_it_means_and_needs():
    assert set(TAXONOMY) == set(Pattern)


def test_every_pattern_has_its_ancestors_in_the_taxonomy_or_starts_a_branch():
    known = {pattern.value for pattern in Pattern}
    roots = {pattern.layer for pattern in Pattern}
    missing = {a for pattern in Pattern for a in pattern.ancestors[1:] if a not in known and a not in roots}
    assert missing <= {"dns.encrypted", "http.timeout", "quic.timeout"}
