from probe.lab.exam.grade import Grade, Said, compare_patterns, grade
from probe.lab.scenarios.parts import FINE, blocked, gone, hidden, named, own_doing, partly
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

SNI = named(Pattern.TLS_RESET_SNI)


def say(status, cause=Cause.NONE, *patterns):
    return Said(status=status, cause=cause, patterns=patterns)


def test_the_truth_is_exact():
    assert grade(FINE, say(Status.OK))[0] is Grade.EXACT
    assert grade(SNI, say(Status.LIKELY_BLOCKED, Cause.NETWORK, Pattern.TLS_RESET_SNI))[0] is Grade.EXACT
    assert grade(SNI, say(Status.BLOCKED, Cause.NETWORK, Pattern.TLS_RESET))[0] is Grade.EXACT


def test_with_an_outside_view_more_is_wanted():
    said = say(Status.LIKELY_BLOCKED, Cause.NETWORK, Pattern.TLS_RESET_SNI)
    assert grade(SNI, said, outside=True)[0] is Grade.CAREFUL


def test_what_a_control_alone_says_is_likely_at_most():
    said = say(Status.LIKELY_BLOCKED, Cause.NETWORK, Pattern.IP_DROP)
    assert grade(hidden(Pattern.IP_DROP), said, outside=True)[0] is Grade.EXACT
    assert grade(hidden(Pattern.IP_DROP), say(Status.IMPAIRED), outside=True)[0] is Grade.CAREFUL


def test_accusing_the_network_of_what_is_not_its_doing_is_wrong():
    for truth in (FINE, own_doing(Pattern.SRV_CERT_EXPIRED), gone(Pattern.SRV_DOWN)):
        for status in (Status.BLOCKED, Status.LIKELY_BLOCKED, Status.DEGRADED):
            assert grade(truth, say(status, Cause.NETWORK, Pattern.IP_DROP))[0] is Grade.WRONG


def test_blaming_a_blocked_sites_server_is_wrong_and_calling_it_ok_a_miss():
    assert grade(SNI, say(Status.OK))[0] is Grade.MISSED
    assert grade(SNI, say(Status.SERVER_SIDE, Cause.SERVER, Pattern.SRV_TLS_REFUSED))[0] is Grade.WRONG
    assert grade(SNI, say(Status.DOWN, Cause.OUTAGE, Pattern.SRV_DOWN))[0] is Grade.WRONG


def test_saying_less_is_careful():
    assert grade(SNI, say(Status.IMPAIRED, Cause.UNKNOWN, Pattern.TLS_RESET))[0] is Grade.CAREFUL
    assert grade(FINE, say(Status.INSUFFICIENT, Cause.UNKNOWN))[0] is Grade.CAREFUL


def test_another_pattern_of_the_right_status_is_not_exact():
    said = say(Status.BLOCKED, Cause.NETWORK, Pattern.DNS_INJECTION_RACE)
    assert grade(blocked(Pattern.DNS_NXDOMAIN), said)[0] is Grade.CAREFUL


def test_what_cannot_be_told_from_here_is_exact_when_it_is_left_open():
    assert grade(hidden(Pattern.IP_DROP), say(Status.IMPAIRED, Cause.UNKNOWN, Pattern.IP))[0] is Grade.EXACT


def test_unseen_throttling_is_missed():
    assert grade(partly(Pattern.FLOW_THROTTLE), say(Status.OK))[0] is Grade.MISSED


def test_patterns_are_compared_over_their_ancestors():
    exact = (SNI, say(Status.BLOCKED, Cause.NETWORK, Pattern.TLS_RESET_SNI))
    shallow = (SNI, say(Status.BLOCKED, Cause.NETWORK, Pattern.TLS_RESET))
    other = (SNI, say(Status.BLOCKED, Cause.NETWORK, Pattern.TLS_TIMEOUT_SNI))
    assert compare_patterns([exact]).precision == 1.0
    assert (compare_patterns([shallow]).precision, compare_patterns([shallow]).recall) == (1.0, 2 / 3)
    assert compare_patterns([other]).precision == 1 / 3
    assert compare_patterns([(FINE, say(Status.OK))]).precision is None
