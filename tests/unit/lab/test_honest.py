"""Honest worlds by lot: the same for the same number, every fault in its turn, and no censor among them."""

import pytest

from probe.lab.censor.rules import Crowds, HelloShape, LargePackets, ToAddress
from probe.lab.exam.grade import Grade, Said
from probe.lab.exam.hunt import Trophy
from probe.lab.exam.sitting import Mark
from probe.lab.honest.draw import GROUPS, accuses, draw_honest
from probe.lab.honest.tunnels import GROUPS as TUNNEL_GROUPS
from probe.lab.honest.tunnels import OVER, draw_honest_tunnel
from probe.lab.messages import Forward, Serve, decode, send
from probe.lab.scenarios.model import Proven
from probe.lab.scenarios.parts import FINE
from probe.lab.world.atlas import build_world
from probe.model.verdict import Cause, Status

WORLD = build_world(0)
DRAWS = [draw_honest(WORLD, seed) for seed in range(1500)]


def test_the_same_number_draws_the_same_world_and_another_draws_another():
    assert draw_honest(WORLD, 7) == DRAWS[7]
    assert len({draw.scenario.about for draw in DRAWS}) > 500


def test_every_fault_is_drawn_and_no_world_has_two_of_a_kind():
    drawn = {name for draw in DRAWS for name in draw.faults}
    assert drawn == {fault.__name__ for group in GROUPS for fault in group}
    for draw in DRAWS:
        kinds = [n for n, group in enumerate(GROUPS) for f in group if f.__name__ in draw.faults and f in set(group)]
        assert 1 <= len(draw.faults) <= 3
        assert len(set(kinds)) == len(draw.faults)


def test_controls_stand_outside_of_about_half():
    assert 0.4 < sum(draw.control for draw in DRAWS) / len(DRAWS) < 0.6


def test_nothing_on_the_way_reads_names():
    """A box that goes by what is said in a hello, a question or a request would be a censor."""
    blind = (ToAddress, Crowds, LargePackets)
    for draw in DRAWS:
        for rule in draw.scenario.rules.rules:
            assert isinstance(rule.when, blind) or (isinstance(rule.when, HelloShape) and not rule.when.names)


@pytest.mark.parametrize("draw", DRAWS[:60], ids=lambda draw: draw.scenario.name)
def test_a_world_can_be_sent_to_the_lab(draw):
    for message in (Serve(world=draw.scenario.world), Forward(rules=draw.scenario.rules, line=draw.scenario.line)):
        pipe = _Pipe()
        send(pipe, message)
        assert decode(pipe.sent) == message


@pytest.mark.parametrize(
    ("status", "cause", "accused"),
    [
        (Status.BLOCKED, Cause.NETWORK, True),
        (Status.LIKELY_BLOCKED, Cause.NETWORK, True),
        (Status.DEGRADED, Cause.NETWORK, True),
        (Status.DEGRADED, Cause.UNKNOWN, False),
        (Status.IMPAIRED, Cause.UNKNOWN, False),
        (Status.OK, Cause.NONE, False),
    ],
)
def test_whoever_names_the_network_accuses_it(status, cause, accused):
    assert accuses(status, cause) is accused
    mark = Mark(
        scenario="honest-1",
        truth=FINE,
        said=Said(status=status, cause=cause),
        grade=Grade.EXACT,
        why="",
        wall_s=1.0,
    )
    assert Trophy(seed=1, about="", control=False, mark=mark).is_false is accused


def test_a_world_that_cannot_be_set_up_accuses_nobody():
    assert not Trophy(seed=1, about="", control=False).is_false


class _Pipe:
    def send(self, data):
        self.sent = data


def test_tunnels_are_drawn_from_what_works_and_what_is_over_for_all_did_not_work_elsewhere_just_now():
    draws = [draw_honest_tunnel(WORLD, seed) for seed in range(400)]
    assert {name for draw in draws for name in draw.faults} == {
        fault.__name__ for group in TUNNEL_GROUPS for fault in group
    }
    assert draw_honest_tunnel(WORLD, 7) == draws[7]
    protocols = {draw.scenario.about.partition(",")[0] for draw in draws}
    assert len(protocols) >= 15
    for draw in draws:
        assert draw.scenario.tunnel is not None
        assert draw.scenario.tunnel.proven_world is not None
        if not {fault.__name__ for fault in OVER}.isdisjoint(draw.faults):
            assert draw.scenario.tunnel.proven is Proven.BEFORE
        assert all(isinstance(rule.when, ToAddress | Crowds | LargePackets) for rule in draw.scenario.rules.rules)
