"""After a restart a failing target keeps the evidence that an earlier process gathered."""

import msgspec
import pytest

from probe.daemon.evidence import KEEPS_S, EvidenceMemory
from probe.daemon.recall import find_evidence
from probe.model.endpoint import Endpoint
from probe.model.episode import Episode, EpisodeState, Interval
from probe.model.experiment import Design, Experiment, NameKind, Step
from probe.model.measurement import Citation, Measurement
from probe.model.settings import StoreSettings
from probe.model.verdict import Status
from probe.schedule import DueRun, RunKind
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.daemon.parts import make_agent, measurement, target

SITE = target("site")
AT = 1_700_000_000.0
EXPERIMENT = Experiment(
    id="repeat.test.1", design=Design.REPEAT, step=Step.CONNECT, name="site", name_kind=NameKind.TEST,
    endpoint=Endpoint(address="45.90.1.1", port=7),
)  # fmt: skip


def run(number: int, status: Status = Status.LIKELY_BLOCKED, **fields: object) -> Measurement:
    return measurement(SITE, status, at=AT + 60 * number, id=f"01JB{number:022d}", **fields)


def cite(*earlier: Measurement) -> tuple[Citation, ...]:
    return tuple(
        Citation(measurement=one.id, age_s=60.0, observations=one.observations, experiments=one.experiments)
        for one in earlier
    )


FIRST = run(1, experiments=(EXPERIMENT,))
LATE = run(2, experiments=(EXPERIMENT,), continues=FIRST.id, cites=cite(FIRST))
INHERITS = run(3, cites=cite(FIRST, LATE))


@pytest.fixture
def kept(tmp_path):
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), FakeClock(wall_s=AT)) as store:

        def keep(*runs: Measurement) -> Store:
            for one in runs:
                store.add(one, whole=True)
            assert store.flush_now()
            return store

        yield keep


def found(store: Store, at_s: float = 600.0) -> list[str]:
    return [one.id for one in find_evidence(store, "site", AT + at_s)]


def test_the_run_that_made_the_experiments_is_found(kept) -> None:
    assert found(kept(FIRST)) == [FIRST.id]


def test_what_it_went_on_with_is_found_too_and_in_its_order(kept) -> None:
    assert found(kept(FIRST, LATE)) == [FIRST.id, LATE.id]


def test_a_run_that_inherited_leads_to_what_it_cites(kept) -> None:
    assert found(kept(FIRST, LATE, INHERITS)) == [FIRST.id, LATE.id]


def test_a_good_run_ends_it_and_so_does_a_day(kept) -> None:
    store = kept(FIRST)
    assert found(store, KEEPS_S + 120.0) == []
    assert found(kept(run(4, Status.OK))) == []


def test_nothing_is_known_of_a_target_that_was_never_met(kept) -> None:
    assert find_evidence(kept(FIRST), "other", AT) == ()


def test_what_is_newer_is_not_replaced() -> None:
    memory = EvidenceMemory()
    memory.take(INHERITS, ((0, "tcp", "x"),))
    memory.recall("site", (FIRST,))
    assert [one.measurement for one in memory.cites("site", AT + 600)] == [INHERITS.id]


def test_the_first_run_after_a_restart_cites_it_once(kept) -> None:
    episode = Episode(
        target="site", since=Interval(last_before=None, first_in=AT), status=Status.LIKELY_BLOCKED, last_run_at=AT + 120
    )
    state = EpisodeState(target="site", episode=episode, last_run_at=AT + 120)
    clock = FakeClock(wall_s=AT + 300)
    agent = make_agent(SITE, clock=clock, store=kept(FIRST, LATE, INHERITS), states={"site": state})
    due = DueRun(target="site", kind=RunKind.REGULAR, due_s=0.0)
    for _ in range(2):
        wish = agent._wish(due, SITE, clock.boot_s())
        assert [one.measurement for one in wish.cites] == [FIRST.id, LATE.id]
    fine = msgspec.structs.replace(state, episode=msgspec.structs.replace(episode, status=Status.OK))
    agent = make_agent(SITE, clock=clock, store=agent.store, states={"site": fine})
    assert agent._wish(due, SITE, clock.boot_s()).cites == ()
