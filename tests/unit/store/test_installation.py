"""The key of an installation: made once, its owner's alone, and never anybody else's by accident."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from probe.model.errors import UserError
from probe.store.installation import KEY_BYTES, load_key, load_register, save_register


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path):
    store = str(tmp_path / "state" / "w.db")
    key = load_key(store)
    assert key is not None
    assert len(key) == KEY_BYTES
    assert load_key(store) == key
    path = tmp_path / "state" / "installation.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_key(str(tmp_path / "other" / "w.db")) != key


def test_of_many_who_begin_at_once_all_have_the_same_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(load_key, [str(tmp_path / "w.db")] * 16))
    assert len(keys) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["installation.key"], "nothing is left over"


def test_where_none_can_be_kept_there_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    assert load_key(str(tmp_path / "file" / "w.db")) is None
    (tmp_path / "installation.key").write_bytes(b"short")
    assert load_key(str(tmp_path / "w.db")) is None, "a damaged key is no key, and is not written over"
    assert (tmp_path / "installation.key").read_bytes() == b"short"


@pytest.mark.parametrize(("content", "says"), [(b"too short", "holds 9 bytes, and a key has 32"), (None, "No such")])
def test_a_key_that_is_named_must_be_one(tmp_path, content, says):
    path = tmp_path / "shared.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=says):
        load_key(str(tmp_path / "w.db"), str(path))


def test_several_installations_may_share_a_key(tmp_path):
    path = tmp_path / "shared.key"
    path.write_bytes(os.urandom(64))
    keys = {load_key(str(tmp_path / name / "w.db"), str(path)) for name in "ab"}
    assert keys == {path.read_bytes()[:KEY_BYTES]}


def test_a_register_is_kept_whole_or_not_at_all(tmp_path):
    store = str(tmp_path / "w.db")
    assert load_register(store, dict[str, int]) is None
    save_register(store, {"a": 1})
    assert load_register(store, dict[str, int]) == {"a": 1}
    (tmp_path / "identities.json").write_bytes(b'{"a":')
    assert load_register(store, dict[str, int]) is None
    save_register(str(tmp_path / "missing" / "w.db"), {"a": 1})
