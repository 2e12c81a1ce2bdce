"""A run in figures."""

import msgspec

from probe.model.failure import FailureCode
from probe.model.observation import Role
from probe.model.outcome import find_failure, measure_phases
from probe.model.verdict import Status
from tests.unit.store.samples import START, make_blocked, make_ok


def test_a_usable_target_has_not_failed_although_a_step_may_have():
    measurement = make_blocked(1, START)
    verdict = msgspec.structs.replace(measurement.verdict, status=Status.DEGRADED)
    assert find_failure(msgspec.structs.replace(measurement, verdict=verdict)) is None
    assert find_failure(make_ok(1)) is None


def test_the_first_own_step_that_failed_gives_the_code():
    assert find_failure(make_blocked(1, START)) is FailureCode.CONNECTION_RESET


def test_a_failure_of_an_experiment_is_not_the_runs():
    measurement = make_blocked(1, START)
    own = tuple(o for o in measurement.observations if o.role is Role.EXPERIMENT)
    assert find_failure(msgspec.structs.replace(measurement, observations=own)) is None


def test_of_each_phase_the_fastest_address_counts_by_family():
    measurement = make_ok(1, START)
    connects = [o for o in measurement.observations if type(o).__name__ == "TCPConnect"]
    durations = {(phase.name, phase.family): phase.duration_s for phase in measure_phases(measurement)}
    assert set(durations) == {("resolve", 4), ("connect", 4), ("tls", 4), ("first_byte", 4), ("transfer", 4)}
    assert durations["connect", 4] == min(o.t_s - o.t0_s for o in connects)
    assert all(duration_s >= 0 for duration_s in durations.values())


def test_a_failed_phase_is_absent_and_those_before_it_stay():
    names = {phase.name for phase in measure_phases(make_blocked(1, START))}
    assert names == {"resolve", "connect"}


def test_later_hops_do_not_count_and_waiting_is_a_phase_of_its_own():
    measurement = make_ok(1, START)
    hopped = tuple(msgspec.structs.replace(o, hop=1) for o in measurement.observations)
    later = msgspec.structs.replace(measurement, observations=hopped, queued_s=0.25)
    assert [(phase.name, phase.family, phase.duration_s) for phase in measure_phases(later)] == [("queued", 0, 0.25)]
