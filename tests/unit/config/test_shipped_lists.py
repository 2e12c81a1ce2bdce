"""The lists that travel with Wallprobe keep what they promise."""

import pytest

from probe.config.anchors import default_anchors
from probe.config.shipped import find_shipped
from probe.model.settings import Defaults, TargetSource
from probe.model.target import CheckName
from probe.targets.lists.formats import parse_list
from probe.targets.lists.loaded import Loaded

CITIZEN_LAB_CODES = {
    *("ALDR", "ANON", "COMM", "COMT", "CTRL", "CULTR", "DATE", "ECON", "ENV", "FILE", "GAME", "GMB", "GOVT", "GRP"),
    *("HACK", "HATE", "HOST", "HUMR", "IGO", "LGBT", "MILX", "MMED", "NEWS", "POLR", "PORN", "PROV", "PUBH", "REL"),
    *("SRCH", "XED"),
}


def load(name: str) -> Loaded:
    path = find_shipped()[name]
    return parse_list(path.read_bytes(), path.name, Defaults(), TargetSource(file=str(path), shipped=name))


@pytest.mark.parametrize("name", ["anchors", "anchors-domestic", "sites-foreign", "vpn-sites", "resolvers"])
def test_every_line_of_a_shipped_list_is_right_and_there_once(name):
    loaded = load(name)
    assert loaded.errors == ()
    assert loaded.notes == ()


@pytest.mark.parametrize(("name", "least"), [("sites-foreign", 150), ("vpn-sites", 40), ("resolvers", 20)])
def test_opt_in_lists_are_long_enough_and_run_once_an_hour(name, least):
    targets = load(name).targets
    assert len(targets) >= least
    assert {target.interval_s for target in targets} == {3600.0}
    assert {target.category for target in targets} <= CITIZEN_LAB_CODES


def test_resolvers_are_given_by_address_over_three_transports():
    targets = load("resolvers").targets
    assert {target.check for target in targets} == {CheckName.DNS, CheckName.DOT, CheckName.DOH}
    for target in targets:
        assert target.check is CheckName.DNS or target.host.replace(".", "").replace(":", "").isalnum()
        assert target.params.get("sni") or target.params.get("resolver", "").startswith("udp://")


def test_anchors_have_different_owners_and_a_portal():
    anchors = default_anchors("CN")
    assert len({host.split("/")[2].split(".", 1)[1] for host in anchors.foreign}) >= 5
    assert anchors.portal.startswith("http://")
    assert len(anchors.sham) >= 2
    assert len(anchors.domestic) >= 2
    assert default_anchors("ZZ").domestic == ()


@pytest.mark.parametrize("name", ["plain.txt", "list.yaml", "citizenlab.csv", "file_sd.json", "file_sd.yaml"])
def test_the_examples_are_right(name):
    path = find_shipped()["anchors"].parent / "examples" / name
    loaded = parse_list(path.read_bytes(), name, Defaults(), TargetSource(file=name))
    assert loaded.targets
    assert loaded.errors == ()
