"""OONI's answers in the worlds of its own suite, held against what is so."""

import pytest

from probe.lab.exam.grade import Grade, Said
from probe.lab.exam.ooni_headlines import HEADLINES, Headline, is_right, number_of, render_worlds
from probe.lab.exam.score import Mark
from probe.lab.scenarios import build_scenarios
from probe.lab.scenarios.model import Truth
from probe.lab.world.atlas import build_world
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

WORLDS = {number_of(name): s for name, s in build_scenarios(build_world(0)).items() if number_of(name)}


def test_every_world_has_its_headline_and_counts_are_those_of_the_suite():
    assert sorted(WORLDS) == sorted(HEADLINES) == list(range(1, 51))
    words = [str(headline.blocking) for headline in HEADLINES.values()]
    assert {word: words.count(word) for word in set(words)} == {
        "http-failure": 14, "dns": 12, "http-diff": 2, "tcp_ip": 1, "None": 1, "False": 20,
    }  # fmt: skip
    assert sum(h.accessible is True for h in HEADLINES.values()) == 10


@pytest.mark.parametrize("number", [5, 7, 14, 15, 27, 28, 44, 45])
def test_where_the_headline_is_known_to_err_it_is_called_wrong(number):
    assert not is_right(HEADLINES[number], WORLDS[number].truth)


@pytest.mark.parametrize("number", [2, 6, 10, 11, 18, 19, 33, 40, 42, 46, 48])
def test_where_it_is_right_it_is_called_right(number):
    assert is_right(HEADLINES[number], WORLDS[number].truth)


def test_a_word_for_another_layer_is_wrong():
    truth = Truth(status=Status.BLOCKED, patterns=(Pattern.TCP_RST_SYN,), cause=Cause.NETWORK)
    assert is_right(Headline(blocking="tcp_ip", accessible=False), truth)
    assert not is_right(Headline(blocking="http-failure", accessible=False), truth)


def mark(name, grade):
    said = Said(status=Status.BLOCKED, cause=Cause.NETWORK, patterns=(Pattern.TLS_RESET_SNI,))
    truth = Truth(status=Status.BLOCKED, patterns=(Pattern.TLS_RESET_SNI,), cause=Cause.NETWORK)
    return Mark(scenario=name, truth=truth, said=said, grade=grade, why="", wall_s=1.0)


def test_the_table_counts_both_columns_and_leaves_other_scenarios_out():
    lines = render_worlds(
        (mark("ooni-46-tls", Grade.EXACT), mark("ooni-32-tls", Grade.CAREFUL), mark("x", Grade.EXACT))
    )
    assert lines[-1] == "  right: ours 1 of 2, OONI's headline 2 of 2"
    assert render_worlds((mark("clean", Grade.EXACT),)) == []
