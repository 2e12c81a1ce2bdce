from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from probe.export.metrics.labels import escape_value, render_labels, sanitize_name

ANY_TEXT = st.text(st.characters(codec="utf-8"))


@given(ANY_TEXT)
def test_both_parsers_read_any_value_back(value):
    page = f'x{{a="{escape_value(value)}"}} 1\n'
    [text] = read_text(f"# TYPE x gauge\n{page}")
    [openmetrics] = read_openmetrics(f"# TYPE x gauge\n{page}# EOF\n")
    assert text.samples[0].labels == openmetrics.samples[0].labels == {"a": value}


@given(st.text())
def test_any_value_is_one_line_of_utf_8(value):
    escaped = escape_value(value)
    assert "\n" not in escaped
    escaped.encode()


@given(st.text())
def test_any_name_becomes_a_valid_one_that_is_not_reserved(name):
    clean = sanitize_name(name)
    assert clean.isascii()
    assert clean.isidentifier()
    assert not clean.startswith("__")


def test_a_name_of_ours_is_not_overwritten():
    assert sanitize_name("target", ["target"]) == "label_target"


def test_labels_are_joined_by_commas():
    assert render_labels({"a": "x", "b": 'y"'}) == 'a="x",b="y\\""'
