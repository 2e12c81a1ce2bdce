import pytest

from probe.model.endpoint import AddressFamily
from probe.model.settings import Limits, Profile, TargetSource
from probe.targets.address import parse_address
from probe.targets.load import calculate_load
from probe.targets.risk import RISK_REMEDY, needs_acceptance, risk_statement
from probe.targets.traits import Traits


def sites(count: int, interval_s: float = 300.0):
    return [parse_address(f"https://s{n}.example", traits=Traits(interval_s=interval_s)) for n in range(count)]


def test_the_load_is_printed_as_the_contract_says():
    load = calculate_load(sites(3000), Limits())
    assert str(load) == "3,000 targets / 5 m = 10 checks/s, 30 conn/s, 20 DNS/s, 4.1 GB/day: 100 % of profile line"
    assert (load.ratio, load.stretch) == (1.0, 1.0)


def test_one_target_too_many_is_above_100_percent():
    load = calculate_load(sites(3001), Limits())
    assert load.percent == 101
    assert load.stretch > 1


def test_a_server_bears_100_000_targets():
    limits = Limits(profile=Profile.SERVER, connections_per_s=1000, dns_per_s=700, sockets=10000)
    load = calculate_load(sites(100), limits)
    assert 100_000 / 100 * load.ratio == pytest.approx(1.0)
    assert str(load).endswith("of profile server")


def test_intervals_that_differ_are_a_range_and_add_up():
    load = calculate_load([*sites(300), *[parse_address("icmp://192.0.2.1", traits=Traits(interval_s=3600))]], Limits())
    assert str(load).startswith("301 targets / 5 m to 1 h = 1 checks/s, 3 conn/s, 2 DNS/s")


@pytest.mark.parametrize(
    ("address", "family", "connections", "questions"),
    [
        ("https://a.example", None, 3, 2),
        ("https://a.example", AddressFamily.V4, 2, 1),
        ("https://192.0.2.1", None, 1, 0),
        ("tcp://[2001:db8::1]:1", None, 1, 0),
        ("dns://a.example", None, 0, 2),
        ("dns://a.example?type=A", None, 0, 1),
        ("icmp://a.example", None, 0, 2),
        ("dot://9.9.9.9#dns.quad9.net", None, 1, 0),
    ],
)
def test_each_kind_of_target_has_its_cost(address, family, connections, questions):
    target = parse_address(address, traits=Traits(interval_s=1.0, family=family))
    load = calculate_load([target], Limits())
    assert (load.connections_per_s, load.dns_per_s) == (connections, questions)


def test_no_targets_are_no_load():
    assert str(calculate_load([], Limits())).startswith("0 targets / 0 s = 0 checks/s")


def test_lists_of_others_need_acceptance_and_ones_own_never():
    assert needs_acceptance([TargetSource(shipped="sites-foreign")])
    assert needs_acceptance([TargetSource(http_sd="https://ops.example/x")])
    assert not needs_acceptance([TargetSource(shipped="anchors"), TargetSource(uri="https://a.example")])
    assert not needs_acceptance([TargetSource(file="/etc/wallprobe/own.txt")])
    assert "--accept-risk" in RISK_REMEDY
    assert max(map(len, risk_statement().splitlines())) <= 120
