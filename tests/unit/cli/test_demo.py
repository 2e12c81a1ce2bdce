import json

import pytest
from rich.console import Console

from probe.cli.commands.demo import Lines, render_scene
from probe.lab.demo import Row, Scene, Sighting, observe
from probe.lab.demo_story import SHORTEST_S, USUAL_S, build_story
from probe.lab.world.atlas import build_world
from probe.model.verdict import Status

STORY = build_story(build_world(0))
POISONED = STORY.changes[0]
LIFTED = next(change for change in STORY.changes if change.lifted and change.address == POISONED.address)


def rows(status, *, episode=Status.OK, patterns=()):
    return (Row(address=POISONED.address, status=status, episode_status=episode, patterns=patterns),)


def follow(change, *looks):
    sighting = Sighting(change=change)
    for after_s, seen in looks:
        sighting = observe(sighting, seen, change.at_s + after_s)
    return sighting


def test_a_verdict_from_before_the_change_shows_nothing():
    sighting = follow(POISONED, (-1.0, rows(Status.OK)), (0.5, rows(Status.OK)))
    assert (sighting.begun, sighting.noticed_after_s) == (True, None)


def test_the_first_failing_verdict_is_noticed_and_the_episode_later():
    sighting = follow(
        POISONED,
        (2.0, rows(Status.BLOCKED, patterns=("dns",))),
        (9.0, rows(Status.BLOCKED)),
        (40.0, rows(Status.BLOCKED, episode=Status.BLOCKED)),
    )
    assert (sighting.noticed_after_s, sighting.status, sighting.patterns) == (2.0, Status.BLOCKED, ("dns",))
    assert sighting.confirmed_after_s == 40.0


def test_what_was_not_judged_is_not_noticed():
    assert follow(POISONED, (2.0, rows(Status.INSUFFICIENT))).noticed_after_s is None


def test_only_an_episode_that_began_can_end():
    never = follow(LIFTED, (-3.0, rows(Status.BLOCKED)), (2.0, rows(Status.OK)))
    assert (never.noticed_after_s, never.confirmed_after_s) == (2.0, None)
    bad = rows(Status.BLOCKED, episode=Status.BLOCKED)
    ended = follow(LIFTED, (-3.0, bad), (2.0, rows(Status.OK, episode=Status.BLOCKED)), (70.0, rows(Status.OK)))
    assert (ended.noticed_after_s, ended.confirmed_after_s) == (2.0, 70.0)


@pytest.mark.parametrize("duration_s", [SHORTEST_S, 40.0, USUAL_S, 3600.0])
def test_changes_come_in_order_and_leave_time_to_notice_them(duration_s):
    times = [change.at_s for change in build_story(build_world(3), duration_s).changes]
    assert times == sorted(times)
    assert times[0] > 0
    assert duration_s - times[-1] > duration_s / 3


def test_the_usual_story_changes_over_two_minutes_and_leaves_time_to_confirm_the_last():
    times = [change.at_s for change in STORY.changes]
    assert 90 < times[-1] <= 120
    assert USUAL_S - times[-1] > 90


def scene(at_s, status):
    sightings = [follow(change, (2.0, rows_of_all(status)), (70.0, rows_of_all(status))) for change in STORY.changes]
    return Scene(at_s=at_s, rows=rows_of_all(status), sightings=tuple(sightings))


def rows_of_all(status):
    patterns = ("dns.injection.race",) if status is not Status.OK else ()
    found = [Row(address=one.address, status=status, episode_status=status, patterns=patterns) for one in STORY.watched]
    return tuple(found)


@pytest.mark.parametrize("status", [Status.OK, Status.LIKELY_BLOCKED])
def test_everything_fits_a_terminal_of_eighty_by_twenty_four(status):
    console = Console(width=80, height=24, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render_scene(STORY, "http://127.0.0.1:45081", scene(140.0, status)))
    text = console.export_text()
    assert len(text.splitlines()) <= 23
    for watched in STORY.watched:
        assert watched.address in text
    assert "http://127.0.0.1:45081/metrics" in text
    assert "cool-down 3 s (else 200 s)" in " ".join(text.split())


def test_each_event_is_told_once_in_the_order_of_time(capsys):
    lines = Lines(as_json=True)
    for at_s in (100.0, 140.0):
        lines.show(scene(at_s, Status.LIKELY_BLOCKED))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["at_s"] for event in told] == sorted(event["at_s"] for event in told)
    assert len({(event["kind"], event["target"], event["lifted"]) for event in told}) == len(told)
    assert {event["kind"] for event in told} == {"change", "noticed", "confirmed"}
