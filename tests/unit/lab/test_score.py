import msgspec

from probe.lab.exam.grade import Said, grade
from probe.lab.exam.score import COOL_DOWN_LONGER_S, ROUND_LONGER_S, Mark, Score
from probe.lab.scenarios.parts import FINE, blocked, gone, hidden, named, own_doing, partly
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

SNI = named(Pattern.TLS_RESET_SNI)


def answer(name, truth, status, cause=Cause.NONE, *patterns, runtime_s=1.0):
    said = Said(status=status, cause=cause, patterns=patterns, runtime_s=runtime_s)
    mark, why = grade(truth, said)
    return Mark(scenario=name, truth=truth, said=said, grade=mark, why=why, wall_s=runtime_s)


def count(*marks):
    return Score(seed=1, marks=marks).figures


def test_nothing_examined_gives_no_ratios():
    figures = count()
    assert (figures.scenarios, figures.exact_ratio, figures.pattern_precision) == (0, None, None)
    assert (figures.first_median_s, figures.final_worst_s, figures.field_worst_s) == (None, None, None)


def test_grades_are_counted_and_add_up():
    figures = count(
        answer("a", FINE, Status.OK),
        answer("b", SNI, Status.IMPAIRED, Cause.UNKNOWN, Pattern.TLS_RESET),
        answer("c", partly(Pattern.FLOW_THROTTLE), Status.OK),
        answer("d", FINE, Status.BLOCKED, Cause.NETWORK, Pattern.IP_DROP),
    )
    assert (figures.exact, figures.careful, figures.missed, figures.wrong) == (1, 1, 1, 1)
    assert figures.exact_ratio == 0.25


def test_degraded_by_the_network_is_a_false_accusation_too():
    innocents = (FINE, own_doing(Pattern.SRV_HTTP_ERROR), gone(Pattern.SRV_DOWN))
    for status in (Status.BLOCKED, Status.LIKELY_BLOCKED, Status.DEGRADED):
        for truth in innocents:
            figures = count(answer("x", truth, status, Cause.NETWORK, Pattern.IP_DROP))
            assert (figures.false_accusations, figures.wrong) == (1, 1)


def test_degraded_by_the_server_accuses_nobody():
    truth = partly(Pattern.SRV_HTTP_ERROR, cause=Cause.SERVER)
    assert count(answer("x", truth, Status.DEGRADED, Cause.SERVER, Pattern.SRV_HTTP_ERROR)).false_accusations == 0


def test_accusing_a_censor_is_no_false_accusation():
    assert count(answer("x", SNI, Status.BLOCKED, Cause.NETWORK, Pattern.TLS_RESET_SNI)).false_accusations == 0


def test_care_is_counted_apart_where_nothing_is_wrong():
    figures = count(
        answer("a", FINE, Status.INSUFFICIENT, Cause.UNKNOWN),
        answer("b", SNI, Status.IMPAIRED, Cause.UNKNOWN),
    )
    assert (figures.careful, figures.careful_on_clean) == (2, 1)


def test_status_accuracy_asks_for_what_can_be_told_from_here():
    marks = (answer("a", hidden(Pattern.IP_DROP), Status.IMPAIRED, Cause.UNKNOWN, Pattern.IP),)
    assert Score(seed=1, marks=marks).figures.status_accuracy == 1.0
    assert Score(seed=1, marks=marks, outside=True).figures.status_accuracy == 0.0


def test_cause_accuracy_is_of_those_that_name_one():
    figures = count(
        answer("a", SNI, Status.LIKELY_BLOCKED, Cause.NETWORK, Pattern.TLS_RESET_SNI),
        answer("b", SNI, Status.SERVER_SIDE, Cause.SERVER, Pattern.SRV_TLS_REFUSED),
        answer("c", SNI, Status.IMPAIRED, Cause.UNKNOWN),
    )
    assert figures.cause_accuracy == 0.5


def test_precision_is_of_what_is_named_and_recall_of_what_is_so():
    figures = count(
        answer("a", SNI, Status.LIKELY_BLOCKED, Cause.NETWORK, Pattern.TLS_RESET_SNI),
        answer("b", blocked(Pattern.DNS_NXDOMAIN), Status.IMPAIRED, Cause.UNKNOWN),
    )
    assert (figures.pattern_precision, figures.pattern_recall) == (1.0, 3 / 5)


def test_seconds_have_a_median_and_a_worst():
    marks = [answer("x", FINE, Status.OK, runtime_s=seconds) for seconds in (0.2, 9.0, 1.0)]
    figures = count(*marks)
    assert (figures.first_median_s, figures.first_worst_s) == (1.0, 9.0)
    assert (figures.final_median_s, figures.final_worst_s, figures.field_worst_s) == (1.0, 9.0, 9.0)


def test_the_final_verdict_counts_the_first_run_and_the_wait_as_well():
    record = {"status": "blocked", "cause": "network", "patterns": [], "runtime_s": 2.0}
    earlier = [{"measurement": "1", "age_s": 10.0, "runtime_s": 6.0}, {"measurement": "2", "age_s": 3.0}]
    said = msgspec.convert(record | {"cites": earlier}, type=Said, strict=False)
    assert (said.first_s, said.final_s) == (6.0, 12.0)
    mark = Mark(scenario="x", truth=SNI, said=said, grade=grade(SNI, said)[0], why="", wall_s=0.0)
    figures = count(mark)
    assert (figures.first_worst_s, figures.final_worst_s) == (6.0, 12.0)
    assert figures.field_worst_s == 12.0 + COOL_DOWN_LONGER_S + 3 * ROUND_LONGER_S


def test_the_confusion_table_says_what_was_called_what():
    marks = (
        answer("a", FINE, Status.OK),
        answer("b", FINE, Status.OK),
        answer("c", SNI, Status.IMPAIRED, Cause.UNKNOWN),
    )
    table = [(tally.true, tally.said, tally.times) for tally in Score(seed=1, marks=marks).confusion]
    assert table == [(Status.OK, Status.OK, 2), (Status.BLOCKED, Status.IMPAIRED, 1)]


def test_misses_come_with_the_worst_first():
    marks = (
        answer("careful", SNI, Status.IMPAIRED, Cause.UNKNOWN),
        answer("fine", FINE, Status.OK),
        answer("wrong", FINE, Status.BLOCKED, Cause.NETWORK, Pattern.IP_DROP),
        answer("missed", partly(Pattern.FLOW_THROTTLE), Status.OK),
    )
    assert [mark.scenario for mark in Score(seed=1, marks=marks).misses] == ["wrong", "missed", "careful"]
