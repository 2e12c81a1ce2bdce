"""The last word on each target: counters, exemplars, what a restart takes over, and what a reload renders anew."""

import msgspec

from probe.daemon.board import Board
from probe.model.endpoint import Endpoint
from probe.model.episode import Episode, EpisodeState, Interval
from probe.model.failure import FailureCode
from probe.model.settings import PerTarget
from probe.model.verdict import Cause, Confidence, Status
from probe.store.values import Tally
from tests.unit.daemon.parts import measurement, target

SITE = target("site")
STATE = EpisodeState(target="site")


def test_a_failed_run_is_counted_and_named() -> None:
    board = Board(PerTarget.FULL)
    board.replace((SITE,), PerTarget.FULL, {}, {})
    board.update(measurement(SITE, at=10.0), STATE, 60.0)
    board.update(measurement(SITE, Status.SERVER_SIDE, at=70.0, id="FAILED"), STATE, 60.0)
    board.update(measurement(SITE, at=130.0), STATE, 60.0)
    snapshot = board.snapshot("site")
    assert snapshot is not None
    assert (snapshot.runs_total, snapshot.failures_total, snapshot.failed_measurement) == (3, 1, "FAILED")
    assert snapshot.last_ok_at == 130.5


def test_an_unjudged_run_leaves_the_last_verdict_and_shows_as_stale() -> None:
    board = Board(PerTarget.FULL)
    board.replace((SITE,), PerTarget.FULL, {}, {})
    board.update(measurement(SITE, at=10.0), STATE, 60.0)
    board.update(measurement(SITE, Status.INSUFFICIENT, at=70.0), STATE, 60.0)
    snapshot = board.snapshot("site")
    assert snapshot is not None
    assert snapshot.verdict is not None
    assert (snapshot.verdict.status, snapshot.stale) == (Status.OK, True)
    assert snapshot.valid_until == 10.5 + 3 * 60.0


def test_a_measurement_that_goes_on_with_another_leaves_its_phases_and_its_time() -> None:
    board = Board(PerTarget.FULL)
    board.replace((SITE,), PerTarget.FULL, {}, {})
    hot = (Endpoint(address="192.0.2.1", port=7),)
    first = measurement(SITE, Status.LIKELY_BLOCKED, at=10.0, id="FIRST", hot=hot)
    board.update(first, STATE, 60.0)
    board.update(msgspec.structs.replace(measurement(SITE, Status.BLOCKED, at=40.0), runtime_s=9.0, continues="FIRST"),
                 STATE, 60.0)  # fmt: skip
    snapshot = board.snapshot("site")
    assert snapshot is not None
    assert snapshot.verdict is not None
    assert (snapshot.verdict.status, snapshot.duration_s, snapshot.last_run_at) == (Status.BLOCKED, 0.5, 49.0)
    assert [phase.name for phase in snapshot.phases] == ["connect"]
    assert (snapshot.runs_total, snapshot.failures_total, sum(snapshot.failures.values())) == (1, 1, 0)
    assert b'phase="connect"' in b"".join(board.chunks()[0].pieces)
    (durations,) = board.durations.histograms().values()
    assert sum(durations.counts) == 1


def test_a_restart_takes_over_counters_and_what_was_last_judged() -> None:
    episode = Episode(
        target="site", since=Interval(last_before=1.0, first_in=2.0), status=Status.BLOCKED, cause=Cause.NETWORK,
        confidence=Confidence.C3,
    )  # fmt: skip
    tally = Tally(
        target="site", status=Status.BLOCKED, last_run_at=100.0, runs_total=9, failures_total=4,
        failures={FailureCode.CONNECTION_RESET: 4}, last_failure=FailureCode.CONNECTION_RESET,
        measurement="LAST", failed_measurement="LAST",
    )  # fmt: skip
    board = Board(PerTarget.FULL)
    board.replace((SITE,), PerTarget.FULL, {"site": EpisodeState(target="site", episode=episode)}, {"site": tally})
    snapshot = board.snapshot("site")
    assert snapshot is not None
    assert snapshot.verdict is not None
    assert (snapshot.verdict.status, snapshot.verdict.confidence) == (Status.BLOCKED, Confidence.C3)
    assert (snapshot.runs_total, snapshot.failed_measurement) == (9, "LAST")
    assert (snapshot.last_failure, snapshot.valid_until) == (FailureCode.CONNECTION_RESET, 280.0)


def test_only_what_changed_is_rendered_again() -> None:
    other = target("other")
    board = Board(PerTarget.FULL)
    board.replace((SITE, other), PerTarget.FULL, {}, {})
    before = {chunk.target: chunk for chunk in board.chunks()}
    board.replace((SITE, target("other", group="new")), PerTarget.FULL, {}, {})
    after = {chunk.target: chunk for chunk in board.chunks()}
    assert after["site"] is before["site"]
    assert after["other"] is not before["other"]
    board.replace((SITE,), PerTarget.STATUS, {}, {})
    assert [chunk.target for chunk in board.chunks()] == ["site"]
    assert board.chunks()[0] is not before["site"]


def test_a_target_that_left_meanwhile_is_not_brought_back() -> None:
    board = Board(None)
    board.replace((), None, {}, {})
    board.update(measurement(SITE, at=10.0), STATE, 60.0)
    assert board.snapshots() == []
