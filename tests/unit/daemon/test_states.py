"""What folding knows beyond the episodes comes back after a restart, and stale parts of it do not."""

from pathlib import Path

from probe.daemon.states import SAVE_EVERY_S, States
from probe.model.episode import EpisodeState
from probe.model.settings import StoreSettings
from probe.model.verdict import Status
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.daemon.parts import make_agent, measurement, target

SITE = target("site")


def open_store(folder: Path) -> Store:
    return Store.open(StoreSettings(path=str(folder / "w.db")), FakeClock())


def test_a_candidate_survives_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path) as store:
        states = States({}, store)
        states.fold(measurement(SITE, at=clock.wall_s()), 300.0)
        clock.advance(60.0)
        folded = states.fold(measurement(SITE, Status.LIKELY_BLOCKED, at=clock.wall_s()), 300.0)
        store.add(measurement(SITE, Status.LIKELY_BLOCKED, at=clock.wall_s()), episode=folded.state.episode)
        states.save(clock.boot_s())
    with open_store(tmp_path) as store:
        again = make_agent(SITE, clock=clock, store=store, states=store.load_states())
        candidate = again.states["site"].candidate
        assert candidate is not None
        first_in = candidate.since.first_in
        clock.advance(40.0)
        again._take(measurement(SITE, Status.LIKELY_BLOCKED, at=clock.wall_s()))
        store.flush_now()
        (onset,) = store.load_events()
    assert onset.since is not None
    assert (onset.since.first_in, onset.after) == (first_in, Status.LIKELY_BLOCKED)


def test_a_state_of_an_older_episode_is_dropped(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path) as store:
        agent = make_agent(SITE, clock=clock, store=store)
        agent._take(measurement(SITE, at=clock.wall_s()))
        store.save_states((EpisodeState(target="site", recent=1),))
    with open_store(tmp_path) as store:
        loaded = store.load_states()["site"]
        assert loaded.episode is not None
        assert (loaded.episode.status, loaded.recent) == (Status.OK, 0)


def test_what_is_unsettled_is_saved_once_in_a_while_and_at_the_end(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path) as store:
        states = States({}, store)
        states.fold(measurement(SITE, Status.LIKELY_BLOCKED, at=clock.wall_s()), 300.0)
        states.save(clock.boot_s())
        store.flush_now()
        first = store.load_states()
        assert first["site"] == states.known["site"]
        clock.advance(SAVE_EVERY_S / 2)
        states.fold(measurement(SITE, Status.LIKELY_BLOCKED, at=clock.wall_s()), 300.0)
        states.save(clock.boot_s())
        store.flush_now()
        assert store.load_states() == first, "it is too soon"
        states.save(clock.boot_s(), at_once=True)
        store.flush_now()
        assert store.load_states()["site"] == states.known["site"]
