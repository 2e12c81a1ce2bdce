import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.model.written import Written
from probe.protocols.written.marked_yaml import MAX_DEPTH, read_yaml


def plain(written: Written) -> Any:
    if isinstance(written.value, tuple):
        return [plain(item) for item in written.value]
    if isinstance(written.value, dict):
        return {key: plain(value) for key, value in written.value.items()}
    return written.value


def test_scalars_stay_the_text_that_was_written():
    text = "country: NO\nport: 0123\nyes: on\nempty:\nnull: ~\nquoted: ''\nmulti: |\n  a\n  b\n"
    assert plain(read_yaml(text, "f")) == {
        "country": "NO",
        "port": "0123",
        "yes": "on",
        "empty": None,
        "null": None,
        "quoted": "",
        "multi": "a\nb\n",
    }


def test_every_node_and_key_knows_its_line():
    root = read_yaml("a: 1\nb:\n  - x\n  - c: 2\n", "f")
    assert isinstance(root.value, dict)
    assert root.key_lines == {"a": 1, "b": 2}
    items = root.value["b"].value
    assert isinstance(items, tuple)
    assert [item.line for item in items] == [3, 4]


def test_aliases_and_merge_keys_are_followed():
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\nmany: {<<: [*b, {z: 4}]}\n"
    assert plain(read_yaml(text, "f")) == {
        "base": {"x": "1", "y": "2"},
        "one": {"x": "1", "y": "3"},
        "two": {"x": "1", "y": "2"},
        "many": {"x": "1", "y": "2", "z": "4"},
    }


def test_aliases_that_multiply_share_their_node():
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 60))
    root = read_yaml("l0: &l0 x\n" + levels, "f")
    assert isinstance(root.value, dict)
    assert len(root.value) == 60


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", "f:2: not YAML"),
        ("a: b: c", "f:1: not YAML"),
        ("a:\n\t- x", "f:2: not YAML"),
        ("x: *y", "f:1: *y is not defined above"),
        ("a: &a [*a]", "f:1: *a is not defined above"),
        ("a: 1\nb: 2\na: 3", "f:3: key 'a' is here twice"),
        ("a\n---\nb", "f:2: a second document begins here"),
        ("? [a]\n: b", "f:1: a key is not a word"),
        ("[" * 500, f"f:1: nested deeper than {MAX_DEPTH} levels"),
        ("[" * 100_000, "f:1: "),  # libyaml has a limit of its own since 0.2.6, and meets it before we meet ours
        ("\x00", "f: not YAML"),
    ],
)
def test_what_we_cannot_read_is_one_line_with_its_place(text, line):
    with pytest.raises(UserError) as caught:
        read_yaml(text, "f")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_tags_never_make_objects():
    assert plain(read_yaml("!!python/object/apply:os.system ['false']", "f")) == ["false"]


@given(st.text(max_size=100))
def test_any_text_is_a_document_or_a_user_error(text):
    with contextlib.suppress(UserError):
        assert isinstance(read_yaml(text, "f"), Written)


JSON_WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)


@given(st.recursive(JSON_WORDS, lambda i: st.lists(i, max_size=3) | st.dictionaries(JSON_WORDS, i, max_size=3)))
def test_json_reads_as_what_it_is(value):
    if "<<" not in json.dumps(value):
        assert plain(read_yaml(json.dumps(value), "f")) == value
