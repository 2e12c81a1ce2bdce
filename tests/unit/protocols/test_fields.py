from enum import StrEnum

import pytest

from probe.model.errors import UserError
from probe.protocols.written.fields import Fields
from probe.protocols.written.marked_yaml import read_yaml


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def open_fields(text: str) -> Fields:
    return Fields(read_yaml(text, "f.yml"), "f.yml", [])


def test_each_value_is_read_as_the_type_it_is_asked_for():
    fields = open_fields(
        "t: x\nd: 1h30m\ns: 2GB\ni: 7\nf: 0.5\nb: Yes\nc: red\nl: [a, b]\no: alone\nw: {k: v}\nm: {n: 1}\n"
    )
    assert fields.text("t") == "x"
    assert fields.duration("d", 0) == 5400.0
    assert fields.size("s", 0) == 2_000_000_000
    assert fields.integer("i", 0) == 7
    assert fields.decimal("f", 0, low=0, high=1) == 0.5
    assert fields.truth("b", False) is True
    assert fields.choice("c", Colour, Colour.GREEN) is Colour.RED
    assert fields.texts("l") == ("a", "b")
    assert fields.texts("o") == ("alone",)
    assert fields.words("w") == {"k": "v"}
    inner = fields.mapping("m")
    assert inner is not None
    assert inner.integer("n", 0) == 1
    inner.finish()
    fields.finish()
    assert fields.errors == []


def test_what_is_not_there_has_its_default():
    fields = open_fields("empty:\n")
    assert fields.text("empty", "d") == "d"
    assert fields.duration("x", 5.0) == 5.0
    assert fields.choice("x", Colour, Colour.GREEN) is Colour.GREEN
    assert fields.texts("x", ("d",)) == ("d",)
    assert fields.mapping("x") is None
    assert fields.has("empty")
    assert not fields.has("x")
    assert fields.errors == []


@pytest.mark.parametrize(
    ("text", "ask", "what"),
    [
        ("k: [x]", lambda f: f.text("k"), "k: a list is no good"),
        ("k: 5", lambda f: f.duration("k", 1), "with its unit"),
        ("k: -5s", lambda f: f.duration("k", 1), "with its unit"),
        ("k: 5s", lambda f: f.duration("k", 1, low=10), "give a time from 10s to 3650d"),
        ("k: 5", lambda f: f.size("k", 1), "with its unit"),
        ("k: 5B", lambda f: f.size("k", 1, low=10), "at least 10 B"),
        ("k: 1.5", lambda f: f.integer("k", 1), "whole number"),
        ("k: ١", lambda f: f.integer("k", 1), "whole number"),
        ("k: nan", lambda f: f.decimal("k", 1, low=0, high=2), "from 0 to 2"),
        ("k: perhaps", lambda f: f.truth("k", False), "true or false"),
        ("k: gren", lambda f: f.choice("k", Colour, Colour.RED), "did you mean green?"),
        ("k: blue", lambda f: f.choice("k", Colour, Colour.RED), "choose from red, green"),
        ("k: [[x]]", lambda f: f.texts("k"), "list of words"),
        ("k: x", lambda f: f.words("k"), "`name: value` pairs"),
        ("k: {a: [x]}", lambda f: f.words("k"), "k.a: a list is no good"),
        ("k: x", lambda f: f.mapping("k"), "write `key: value` pairs"),
        ("kk: x", lambda f: (f.text("k"), f.finish()), "unknown key 'kk'; did you mean k?"),
    ],
)
def test_a_wrong_value_is_noted_and_the_default_returned(text, ask, what):
    fields = open_fields(text)
    ask(fields)
    assert [type(error) for error in fields.errors] == [UserError]
    assert what in str(fields.errors[0])
    assert str(fields.errors[0]).startswith("f.yml:1: ")
