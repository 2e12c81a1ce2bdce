"""A group in the daemon: folded after each member's run, with an episode of its own."""

from probe.model.target import GroupMode
from probe.model.verdict import Status
from probe.targets.groups import build_groups
from tests.fakes import FakeClock
from tests.unit.daemon.parts import make_agent, measurement, target


def member(name: str, mode: GroupMode = GroupMode.ANY):
    return target(name, group="office.ovpn", group_mode=mode)


def agent_for(*targets):
    clock = FakeClock()
    agent = make_agent(*targets, clock=clock)
    agent.board.replace((*targets, *build_groups(targets)), None, agent.states, {})
    return agent, clock


def test_only_groups_that_say_how_are_groups():
    plain = [target("a", group="g"), target("b", group="g")]
    assert build_groups(plain) == ()
    assert build_groups([member("a")]) == (), "one endpoint speaks for itself"
    (group,) = build_groups([member("a"), *plain, member("b")])
    assert (group.address, group.group_mode) == ("office.ovpn", GroupMode.ANY)


def test_a_group_is_folded_with_every_run_of_a_member_and_keeps_an_episode():
    a, b = member("a"), member("b")
    agent, clock = agent_for(a, b)
    (group,) = build_groups((a, b))
    told = []
    agent.on_event = told.append
    agent._take(measurement(a, at=clock.wall_s()))
    assert agent.board.snapshot(group.id).verdict.status is Status.OK
    agent._take(measurement(b, Status.LIKELY_BLOCKED, at=clock.wall_s() + 1))
    assert agent.board.snapshot(group.id).verdict.status is Status.DEGRADED
    for second in (40, 80, 120):
        agent._take(measurement(a, Status.LIKELY_BLOCKED, at=clock.wall_s() + second))
        agent._take(measurement(b, Status.LIKELY_BLOCKED, at=clock.wall_s() + second + 1))
    assert agent.board.snapshot(group.id).verdict.summary == "2 endpoints, none answered"
    assert agent.states[group.id].episode is not None
    assert group.id in {event.target for event in told}


def test_targets_outside_a_group_touch_none():
    alone = target("alone")
    agent, clock = agent_for(alone, member("a"), member("b"))
    agent._take(measurement(alone, at=clock.wall_s()))
    (group,) = build_groups((member("a"), member("b")))
    assert agent.board.snapshot(group.id).verdict is None
