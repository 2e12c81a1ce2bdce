import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.units import parse_duration, parse_size, render_duration, render_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("5m", 300), ("1h30m", 5400), ("90d", 7776000), ("1.5h", 5400), ("2 w", 1209600)],
)
def test_a_duration_is_a_number_with_its_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 years", "5S", "1e3s", "99999d", "٣s", "5s5"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"duration|ten years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2_000_000_000), ("500 MB", 500_000_000), ("64KiB", 65536), ("0.5kB", 500), ("7B", 7)]
)
def test_a_size_is_a_number_with_its_unit(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2", "GB", "2gb", "2 XB", "-2GB", "9999999TB", "kiB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r"size|exbibyte"):
        parse_size(text)


def test_figures_are_written_as_people_read_them():
    assert [render_duration(s) for s in (300, 3600, 90, 86400, 0.5, 5400)] == [
        "5 m",
        "1 h",
        "90 s",
        "1 d",
        "0.5 s",
        "90 m",
    ]
    assert [render_size(b) for b in (4.104e9, 640e6, 999, 15e12)] == ["4.1 GB", "640 MB", "999 B", "15 TB"]


@given(st.integers(min_value=1, max_value=10**8))
def test_a_rendered_duration_reads_back(seconds):
    assert parse_duration(render_duration(seconds)) == pytest.approx(seconds, rel=1e-5)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text):
    for parse in (parse_duration, parse_size):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0
