"""What an accepted reply says, and when it deserves a second look."""

import pytest

from probe.model.failure import FailureCode, Stage
from probe.model.observation import DNSAnswer, DNSReply
from probe.protocols.dns.reply import judge_reply, looks_odd


def reply(*answers: tuple[str, str], rcode: int = 0, flags: int = 0x8180, trailing: int = 0) -> DNSReply:
    records = tuple(DNSAnswer(type=kind, value=value, ttl_s=60) for kind, value in answers)
    return DNSReply(t_s=0.1, rcode=rcode, flags=flags, answers=records, trailing_bytes=trailing)


CLEAN = reply(("CNAME", "cdn.example"), ("A", "93.184.216.34"))


def test_a_clean_answer_is_neither_a_failure_nor_odd() -> None:
    assert judge_reply(CLEAN, "A") is None
    assert not looks_odd(CLEAN, "A")


@pytest.mark.parametrize(
    ("rcode", "code"),
    [
        (1, FailureCode.DNS_MISBEHAVING),
        (2, FailureCode.DNS_SERVFAIL),
        (3, FailureCode.DNS_NXDOMAIN),
        (4, FailureCode.DNS_MISBEHAVING),
        (5, FailureCode.DNS_REFUSED),
        (16, FailureCode.DNS_MISBEHAVING),
    ],
)
def test_each_rcode_is_its_failure_and_odd(rcode: int, code: FailureCode) -> None:
    failure = judge_reply(reply(rcode=rcode), "A")
    assert failure is not None
    assert (failure.stage, failure.code) == (Stage.RESOLVE, code)
    assert looks_odd(reply(rcode=rcode), "A")


@pytest.mark.parametrize("answers", [(), (("CNAME", "cdn.example"),), (("TXT", '"x"'),)])
def test_an_answer_without_the_records_asked_for_is_no_answer(answers: tuple[tuple[str, str], ...]) -> None:
    failure = judge_reply(reply(*answers), "A")
    assert failure is not None
    assert failure.code is FailureCode.DNS_NO_ANSWER
    assert looks_odd(reply(*answers), "A")


def test_an_empty_answer_to_aaaa_is_ordinary_but_a_failure() -> None:
    assert not looks_odd(reply(), "AAAA")
    assert judge_reply(reply(), "AAAA") is not None


@pytest.mark.parametrize(
    ("query_type", "answer"),
    [
        ("A", ("A", "10.10.34.34")),
        ("A", ("A", "127.0.0.1")),
        ("AAAA", ("AAAA", "2001::1234")),
        ("AAAA", ("A", "93.184.216.34")),
        ("TXT", ("A", "93.184.216.34")),
    ],
)
def test_an_address_that_nobody_has_or_nobody_asked_for_is_odd(query_type: str, answer: tuple[str, str]) -> None:
    assert looks_odd(reply(answer), query_type)


def test_bytes_after_the_end_are_odd() -> None:
    assert looks_odd(reply(("A", "93.184.216.34"), trailing=3), "A")


def test_a_truncated_answer_must_be_asked_again_and_is_not_odd() -> None:
    truncated = reply(flags=0x8380)
    failure = judge_reply(truncated, "A")
    assert failure is not None
    assert failure.code is FailureCode.MESSAGE_SIZE
    assert not looks_odd(truncated, "A")
