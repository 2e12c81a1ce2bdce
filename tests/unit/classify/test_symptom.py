from probe.classify.facts.symptom import find_symptom, inherits
from probe.model.failure import FailureCode
from tests.unit.classify.cases import OWN, REAL, Story

CLEAR = {"secure": False, "port": 80, "address": "http://www.site.example"}


def symptom(story):
    return find_symptom(tuple(story.observations))


def leans(own, cited):
    return inherits(tuple(own.observations), tuple(cited.observations))


def test_a_good_run_has_no_symptom():
    assert symptom(Story().dns(OWN).tcp().tls().http()) == ()


def test_a_symptom_is_hop_step_and_code():
    assert symptom(Story().dns(OWN).tcp("silent")) == ((0, "tcpconnect", FailureCode.TIMEOUT.value),)


def test_experiments_are_no_part_of_it():
    assert symptom(Story().dns(OWN).tcp().tls("reset").pair(1, "fin", "silent")) == symptom(
        Story().dns(OWN).tcp().tls("reset")
    )


def test_a_second_reply_and_a_refusal_are_symptoms():
    assert symptom(Story().dns(OWN, REAL)) == ((0, "dns", "several_replies"),)
    assert symptom(Story().dns(OWN).tcp().tls().http(status=403)) == ((0, "http", "403:"),)


def test_a_page_in_the_clear_is_known_by_its_title():
    assert symptom(Story(**CLEAR).dns(OWN).tcp().http(title="Denied")) != symptom(
        Story(**CLEAR).dns(OWN).tcp().http(title="Welcome")
    )


def test_the_same_or_less_may_lean_on_an_earlier_run():
    first = Story().dns(OWN).tcp().tls("reset")
    assert leans(Story().dns(REAL).tcp(address=REAL).tls("reset", address=REAL), first)
    assert leans(Story().dns(OWN), first)


def test_another_step_or_code_may_not():
    first = Story().dns(OWN).tcp().tls("reset")
    assert not leans(Story().dns(OWN).tcp().tls("silent"), first)
    assert not leans(Story().dns(OWN).tcp("refused"), first)
