"""How a line of a client's file falls into words."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.protocols.openvpn.words import split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("remote a.test 1194 # udp", ["remote", "a.test", "1194"]),
        ("  auth-user-pass\t'my pass#1.txt' ; here", ["auth-user-pass", "my pass#1.txt"]),
        (r'ca "C:\\Program Files\\vpn\\ca.crt"', ["ca", r"C:\Program Files\vpn\ca.crt"]),
        (r"ca C:\keys\ca.crt", ["ca", r"C:\keys\ca.crt"]),
        (r"ca my\ ca.crt", ["ca", "my ca.crt"]),
        ("setenv NAME Bob's", ["setenv", "NAME", "Bob's"]),
        (r"a 'b\'", ["a", "b" + "\\"]),
        ('a "" b', ["a", "", "b"]),
        ("# it's a comment", []),
    ],
)
def test_words_are_cut_as_openvpn_cuts_them(line: str, words: list[str]) -> None:
    assert split_words(line, 1) == words


@given(st.text(max_size=60))
@example('"')
@example("a '")
def test_any_line_is_words_or_a_quote_that_is_not_closed(line: str) -> None:
    try:
        words = split_words(line, 7)
    except ValueError as error:
        words, said = [], str(error)
    else:
        said = ""
    assert said in ("", "line 7: a quote is not closed")
    assert said or "".join("".join(words).split()) in "".join(line.split()) or set(line) & set("\"'\\#;")
