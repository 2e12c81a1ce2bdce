import pytest

from probe.cli.commands.lab_score import choose_scenarios, render_mark, render_score
from probe.lab.exam.grade import Said, grade
from probe.lab.exam.score import Mark, Score
from probe.lab.scenarios.parts import FINE, named
from probe.model.errors import UserError
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status


def answer(name, truth, said, reasons=()):
    mark, why = grade(truth, said)
    return Mark(scenario=name, truth=truth, said=said, grade=mark, why=why, wall_s=1.0, reasons=reasons)


RIGHT = answer("clean", FINE, Said(status=Status.OK, cause=Cause.NONE, runtime_s=0.2))
CAREFUL = answer(
    "sni-reset",
    named(Pattern.TLS_RESET_SNI),
    Said(status=Status.IMPAIRED, cause=Cause.UNKNOWN, patterns=(Pattern.TLS_RESET,), runtime_s=2.0),
    ("The connection is reset.",),
)


def test_without_names_all_scenarios_are_chosen_and_each_name_once():
    assert {"clean", "sni-reset"} < set(choose_scenarios((), 0))
    assert choose_scenarios(("clean", "blackhole", "clean"), 0) == ("clean", "blackhole")


def test_an_unknown_scenario_is_the_users_error():
    with pytest.raises(UserError, match="there is no scenario 'nowhere'"):
        choose_scenarios(("clean", "nowhere"), 0)


def test_an_exact_answer_is_one_line_and_a_miss_shows_why_and_on_what_evidence():
    assert len(render_mark(RIGHT)) == 1
    head, why, evidence = render_mark(CAREFUL)
    assert head.startswith("~ sni-reset")
    assert why == "    careful: says impaired; likely_blocked could be said"
    assert evidence == "    evidence: The connection is reset."


def test_the_summary_names_seed_counts_and_misses():
    text = "\n".join(render_score(Score(seed=77, marks=(RIGHT, CAREFUL))))
    assert "2 scenarios, seed 77: 1 exact, 1 careful, 0 missed, 0 wrong" in text
    assert "careful: sni-reset" in text
    assert "median 1.1, worst 2.0" in text


def test_two_scores_stand_side_by_side():
    alone, controlled = Score(seed=7, marks=(RIGHT, CAREFUL)), Score(seed=7, marks=(RIGHT,), outside=True)
    text = "\n".join(render_score(alone, controlled))
    assert "from here alone   with a control" in text
    assert f"  {'exact':20} {'0.500':>15}  {'1.000':>15}" in text
    assert "1 scenarios, seed 7, with a control: 1 exact" in text


def test_a_summary_of_nothing_says_so():
    assert "nothing to count" in "\n".join(render_score(Score(seed=1, marks=())))
