"""A section that is passed over holds back no rule that would have fired."""

import pathlib

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from probe.classify.case import Case
from probe.classify.facts.path_facts import PathFacts, build_table
from probe.classify.rules.layers import LAYERED, OUTSIDE, open_layers
from probe.classify.rules.rule import first_in, first_rule

GOLDEN = sorted((pathlib.Path(__file__).parents[2] / "golden").glob("*/*.json"))
ROUND = 40
"""Cases that are read at once: one test for each would take longer to count than to run."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    case: Case


def read(path: pathlib.Path) -> Case:
    return msgspec.json.decode(path.read_bytes(), type=Recorded).case


def paths_of(case: Case) -> list[PathFacts]:
    table = build_table(case)
    spots = {(row.hop, row.spot) for row in table if row.address}
    return [
        PathFacts(case, table, hop, spot, frozenset(other for at, other in spots if at == hop) - {spot})
        for hop, spot in sorted(spots)
    ]


def assert_nothing_is_held_back(case: Case) -> None:
    for facts in paths_of(case):
        for sections, opened in zip((*LAYERED, OUTSIDE), open_layers(facts), strict=True):
            every = tuple(rule for section in sections for rule in section.rules)
            assert first_in(opened, facts) is first_rule(every, facts)


@pytest.mark.parametrize("first", range(0, len(GOLDEN), ROUND))
def test_the_first_rule_of_all_is_the_first_in_the_open_sections(first):
    for path in GOLDEN[first : first + ROUND]:
        assert_nothing_is_held_back(read(path))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_so_it_is_when_stories_are_mixed(data):
    one, other = (read(data.draw(st.sampled_from(GOLDEN))) for _ in range(2))
    mixed = data.draw(st.permutations((*one.observations, *other.observations)))
    kept = tuple(mixed[: data.draw(st.integers(0, len(mixed)))])
    experiments = {experiment.id: experiment for experiment in (*one.experiments, *other.experiments)}
    controls = one.controls or other.controls
    case = msgspec.structs.replace(
        one, observations=kept, experiments=tuple(experiments.values()), controls=controls, cites=other.cites
    )
    assert_nothing_is_held_back(case)
