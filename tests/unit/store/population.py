"""A population of targets over simulated days, written by the recorder without threads: for tests of size."""

from collections.abc import Iterator

from probe.model.measurement import Measurement
from probe.store.jobs import AddRun
from probe.store.recorder import is_sample
from tests.unit.store.samples import (
    START,
    make_blocked,
    make_episode,
    make_event,
    make_id,
    make_ok,
    make_server_side,
    with_serial,
)

INTERVAL_S = 300.0
DAY_S = 86400.0


class Population:
    """Of 25 targets two are blocked and one has a broken server (back-off: 1 h); the others have one bad quarter of an
    hour every third day.
    """

    def __init__(self, targets: int = 25) -> None:
        self.targets = targets
        self._healthy = [make_ok(number) for number in range(targets)]
        self._onsets: dict[int, Measurement] = {}
        self._serial = 0

    def run_day(self, day: int) -> Iterator[AddRun]:
        """Yield the runs of a day in their order."""
        for step in range(int(DAY_S / INTERVAL_S)):
            for number in range(self.targets):
                at = START + day * DAY_S + step * INTERVAL_S + number * INTERVAL_S / self.targets
                self._serial += 1
                kind = number % 25
                if kind in (7, 19):
                    if step % 12 == 0:
                        yield self._run_blocked(number, at, fresh=step == 0)
                elif kind == 3:
                    if step % 12 == 0:
                        yield AddRun(measurement=make_server_side(number, at, serial=self._serial))
                elif (day + number) % 3 == 0 and 100 <= step < 103:
                    measurement = make_blocked(number, at, serial=self._serial, experiments=10 if step == 100 else 2)
                    events = (make_event(measurement),) if step == 101 else ()
                    yield AddRun(measurement=measurement, episode=make_episode(measurement), events=events)
                else:
                    yield AddRun(measurement=self._run_ok(number, at))

    def _run_ok(self, number: int, at: float) -> Measurement:
        if is_sample(make_id(at, self._serial)):
            return make_ok(number, at, serial=self._serial)
        return with_serial(self._healthy[number], at, self._serial)

    def _run_blocked(self, number: int, at: float, *, fresh: bool) -> AddRun:
        """Experiments once a day; between them a run leans on the last ones."""
        if fresh or number not in self._onsets:
            measurement = make_blocked(number, at, serial=self._serial)
            self._onsets[number] = measurement
        else:
            measurement = make_blocked(number, at, serial=self._serial, cites=(self._onsets[number],))
        return AddRun(measurement=measurement, episode=make_episode(measurement, since=START))
