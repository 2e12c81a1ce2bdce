"""Two users of one server are two targets, and each keeps its own history whatever happens to the list."""

import itertools

import msgspec
import pytest

from probe.targets.address import parse_address
from probe.targets.identities import Identities
from probe.targets.lists.loaded import Loaded, join_loaded
from probe.targets.lists.plain_lists import parse_text
from probe.targets.secret_places import Given
from probe.targets.secret_reading import SecretReader
from probe.targets.traits import Traits
from probe.targets.tunnels import load_tunnels

KEY = bytes(range(32))
LINK = "trojan://{}@192.0.2.7:443"


@pytest.fixture
def write(tmp_path):
    def put(*passwords, name="links.txt"):
        path = tmp_path / name
        path.write_text("".join(LINK.format(password) + "\n" for password in passwords))
        return str(path)

    return put


class Installation:
    """Reads lists again and again, as an agent does over its restarts."""

    def __init__(self, key=KEY):
        self.key, self.register, self.saved = key, {}, 0

    def keep(self, register):
        self.register, self.saved = dict(register), self.saved + 1

    def read(self, path):
        return self.settle(load_tunnels(path).targets)

    def settle(self, targets, given=None):
        """Return each password's id."""
        settled = Identities(self.key, self.register, self.keep).settle_targets(targets, given)
        reader = SecretReader(given)
        return {reader.read_all(target)["password"].decode(): target.id for target in settled}


def plain_id():
    return parse_address(LINK.format("any"), keep=Given().keep).id


def test_one_alone_has_the_id_that_its_address_gives_on_every_vantage(write):
    assert Installation().read(write("one")) == {"one": plain_id()}
    assert Installation(bytes(32)).read(write("two")) == {"two": plain_id()}


def test_two_that_differ_in_their_secret_are_two(write):
    ids = Installation().read(write("one", "two"))
    assert ids["one"] == plain_id(), "who came first keeps what its history is kept under"
    assert ids["two"] != ids["one"]
    assert ids["two"].startswith("trojan-")
    assert ids["two"].endswith(plain_id().removeprefix("trojan"))


def test_a_history_stays_with_its_target_in_whatever_order_and_company(write):
    here = Installation()
    alone = here.read(write("one"))
    both = here.read(write("two", "one"))
    assert both["one"] == alone["one"], "though it stands second now"
    for order in itertools.permutations(("one", "two", "three")):
        ids = here.read(write(*order))
        assert (ids["one"], ids["two"]) == (both["one"], both["two"])
        assert len(set(ids.values())) == 3
    saved = here.saved
    assert here.read(write("two")) == {"two": both["two"]}, "nor does it move up when the first goes"
    assert here.read(write("one", "two", "three"))["one"] == alone["one"]
    here.read(write("one", "two", "three"))
    assert here.saved <= saved + 2, "what is known is not written again and again"


def test_a_password_that_was_changed_where_it_stands_stays_the_same_target(write):
    here = Installation()
    before = here.read(write("one", "two"))
    after = here.read(write("new", "two"))
    assert after == {"new": before["one"], "two": before["two"]}
    assert here.read(write("new", "newer")) == {"new": before["one"], "newer": before["two"]}


def test_of_links_that_were_typed_none_takes_the_place_of_another():
    here, given = Installation(), Given()
    typed = [parse_address(LINK.format(word), keep=given.keep) for word in ("one", "two")]
    first, second = here.settle(typed[:1], given), here.settle(typed[1:], given)
    assert first["one"] != second["two"]
    assert here.settle(typed, given) == first | second


def test_the_same_link_twice_is_one_target_and_noted(write, tmp_path):
    text = f"{LINK.format('one')}\n{LINK.format('two')}\n{LINK.format('one')}\n"
    path = tmp_path / "list.txt"
    path.write_text(text)
    listed = parse_text(text, str(path), Traits())
    assert len(join_loaded([listed, listed]).targets) == 3, "what is secret in them is not looked at yet"
    settled = Identities(KEY).settle(listed)
    assert len(settled.targets) == 2
    (note,) = settled.notes
    assert "list.txt:3" in note
    assert "192.0.2.7" not in note, "a list's notes go into the log"


def test_nobody_without_the_key_can_try_passwords_against_what_is_written(write):
    one, other = Installation(KEY), Installation(bytes(32))
    path = write("one", "two")
    for number, target in enumerate(load_tunnels(path).targets):
        here, there = (i.settle([target]) for i in (one, other))
        assert len(here) == len(there) == 1, number
    tags = [{known.tag for known in itertools.chain(*i.register.values())} for i in (one, other)]
    assert not tags[0] & tags[1]
    assert all(len(tag) == 16 for tag in tags[0])


def test_what_cannot_be_read_is_told_by_its_place(write, tmp_path):
    here = Installation()
    before = here.read(write("one", "two"))
    targets = load_tunnels(write("one", "two")).targets
    (tmp_path / "links.txt").unlink()
    blind = Identities(KEY, here.register, here.keep).settle_targets(targets)
    assert {target.id for target in blind} == set(before.values())
    assert [target.key_tag for target in blind] == ["", ""]
    assert here.read(write("one", "two")) == before


def test_targets_without_secrets_are_left_alone():
    site = parse_address("https://www.example.org")
    loaded = Loaded(targets=(site,))
    assert Identities(KEY).settle(loaded) is loaded
    assert msgspec.json.decode(msgspec.json.encode(site), type=type(site)).key_tag == ""
