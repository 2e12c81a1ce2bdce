import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.classify.facts.required_text import find_required_text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("blocked by order", "blocked by order"),
        (r"<title>(Blocked|Denied) 7[^<]*</title>", "</title>"),
        (r"^no\. 149\-FZ of .+ law$", "no. 149-FZ of "),
        ("colou?rs of all", "rs of all"),
        ("ab+cdef", "cdef"),
        ("abcd+ef", "abcd"),
        ("abc{2,3}de{", "ab"),
        ("(?:warning page )here", "here"),
        ("[]abc]de", "de"),
        (r"[^]\]x]de", "de"),
        (r"\d\d of May", " of May"),
        ("one text|another text", ""),
        ("one text{a|b}", ""),
        ("(?i)blocked", ""),
        ("blocked(?=here)", ""),
        (r"block\x41ge", ""),
        ("", ""),
    ],
)
def test_what_any_match_must_hold_is_read_off_an_expression(expression, text):
    assert find_required_text(expression) == text


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(
    st.lists(st.sampled_from([*"ab|()[]^{}?*+.,1-$", "\\.", "\\d", "(?:", "{1,2}", "{,1}", "[^"]), max_size=12),
    st.data(),
)
@settings(deadline=None)
def test_every_match_holds_it(parts, data):
    expression = "".join(parts)
    try:
        compiled = re.compile(expression)
    except re.error:
        return
    required = find_required_text(expression)
    text = data.draw(st.from_regex(compiled))
    assert required in text
