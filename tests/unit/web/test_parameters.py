import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from probe.model.verdict import Status
from probe.web.parameters import (
    ParameterError,
    read_limit,
    read_offset,
    read_page,
    read_since,
    read_status,
    read_text,
    refuse_unknown,
)


@given(st.text())
def test_any_text_is_a_value_in_bounds_or_a_parameter_error(text):
    for read, low, high in (
        (lambda query: read_limit(query, 7), 1, 1000),
        (read_offset, 0, 10_000_000),
        (read_page, 1, 1_000_000),
        (read_since, 0, 1e11),
    ):
        with contextlib.suppress(ParameterError):
            assert low <= read({"limit": text, "offset": text, "page": text, "since": text}) <= high


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000", 1.7e9),
        ("1700000000.5", 1.7e9 + 0.5),
        ("2023-11-14T22:13:20Z", 1.7e9),
        ("2023-11-14T22:13:20", 1.7e9),
        ("2023-11-15T06:13:20+08:00", 1.7e9),
        ("2023-11-14", 1699920000),
    ],
)
def test_since_is_seconds_or_an_iso_time_in_utc(text, seconds):
    assert read_since({"since": text}) == seconds


@pytest.mark.parametrize(
    "text", ["", "yesterday", "nan", "inf", "-1", "1e300", "0001-01-01", "9999-12-31T23:59:59-14:00"]
)
def test_since_that_is_no_time_is_refused(text):
    with pytest.raises(ParameterError):
        read_since({"since": text})


@pytest.mark.parametrize("text", ["0", "1001", "-1", "1.5", "٣", "", "99999999999999999999"])
def test_a_limit_out_of_bounds_is_refused(text):
    with pytest.raises(ParameterError):
        read_limit({"limit": text}, 100)


def test_a_status_is_one_of_the_eight_or_none():
    assert read_status({"status": "blocked"}) is Status.BLOCKED
    assert read_status({}) is None
    with pytest.raises(ParameterError, match="likely_blocked"):
        read_status({"status": "BLOCKED"})


def test_a_long_text_is_refused():
    with pytest.raises(ParameterError):
        read_text({"q": "x" * 501}, "q")


def test_a_misspelt_or_doubled_parameter_is_refused():
    with pytest.raises(ParameterError, match="unknown parameter 'limt'"):
        refuse_unknown(MultiDict([("limt", "1")]), ("limit",))
    with pytest.raises(ParameterError, match="twice"):
        refuse_unknown(MultiDict([("limit", "1"), ("limit", "2")]), ("limit",))
