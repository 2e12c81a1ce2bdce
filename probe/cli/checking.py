"""What `check` does between reading its arguments and printing: gate, measurements, waiting, store."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from probe.cli.progress import Progress
from probe.cli.wiring import open_environment, open_monitor
from probe.gate import Gate
from probe.gate.remote import GateUnreachable, RemoteGate
from probe.model.errors import UserError
from probe.model.measurement import Citation, Measurement
from probe.model.settings import Settings
from probe.model.target import Target
from probe.model.vantage import Baseline
from probe.net.clock import Clock
from probe.net.context import Gatekeeper
from probe.net.stack import Stack
from probe.pipeline.environment import CHECK_BODY_BYTES, Environment
from probe.pipeline.measure import Wish, measure
from probe.pipeline.monitor import VantageMonitor
from probe.store.place import find_path
from probe.store.store import Store

FIRST_ROUNDS = 3
"""A final verdict takes one late round after the cool-down; one more covers a place that was still hot."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a call of `check` saw."""

    measurements: tuple[Measurement, ...] = ()
    baseline: Baseline | None = None
    notes: tuple[str, ...] = ()


class Checking:
    """One call of `check`."""

    def __init__(self, settings: Settings, targets: list[Target], *, wait: bool, show_progress: bool) -> None:
        self._settings = settings
        self._targets = targets
        self._wait = wait
        self._progress = Progress(len(targets), enabled=show_progress)
        self._notes: list[str] = []

    async def complete(self, show: Callable[[Measurement], None]) -> Outcome:
        """Measure everything side by side; `show` is called for each target as soon as it is done."""
        stack = Stack.open(ca_file=self._settings.ca_file)
        measurements: list[Measurement] = []
        try:
            with contextlib.ExitStack() as kept:
                store = self._open_store(stack.clock, kept)
                async with (
                    self._open_gate(stack.clock, store) as gate,
                    open_environment(self._settings, gate, stack) as environment,
                    open_monitor(environment) as monitor,
                ):
                    with self._progress:
                        if not self._targets:
                            return Outcome(baseline=await monitor.look(), notes=tuple(self._notes))
                        jobs = [self._check(environment, monitor, target) for target in self._targets]
                        for job in asyncio.as_completed([asyncio.ensure_future(job) for job in jobs]):
                            measurement = await job
                            measurements.append(measurement)
                            self._progress.advance(measurement.target.address)
                            with self._progress.paused():
                                show(measurement)
                            if store is not None:
                                store.add(measurement, episode=None)
                return Outcome(measurements=tuple(measurements), notes=tuple(self._notes))
        finally:
            await stack.close()

    async def _check(self, environment: Environment, monitor: VantageMonitor, target: Target) -> Measurement:
        """Measure once, and with `--wait` again when the pending experiments are due."""
        wish = Wish(deep=True, body_limit_bytes=CHECK_BODY_BYTES)
        measurement = await measure(environment, monitor, target, wish)
        cites: tuple[Citation, ...] = ()
        for _ in range(FIRST_ROUNDS if self._wait else 0):
            pending = measurement.verdict.pending
            if not pending:
                break
            delay_s = max(item.due_in_s for item in pending)
            self._progress.wait_for(target.address, delay_s)
            await asyncio.sleep(delay_s)
            cites = (*cites, _cite(measurement, environment.stack.clock))
            late = Wish(cites=cites, continues=measurement.id, pending=pending, body_limit_bytes=CHECK_BODY_BYTES)
            measurement = await measure(environment, monitor, target, late)
        return measurement

    def _open_store(self, clock: Clock, kept: contextlib.ExitStack) -> Store | None:
        """Open the database for writing; where a daemon has it, or there is none to be had, say so and go on."""
        try:
            return kept.enter_context(Store.open(self._settings.store, clock))
        except UserError as error:
            self._notes.append(f"this run is not stored: {error.what}")
            return None

    @contextlib.asynccontextmanager
    async def _open_gate(self, clock: Clock, store: Store | None) -> AsyncIterator[Gatekeeper]:
        """Ask a running daemon for grants; keep an own ledger where there is none."""
        try:
            remote = await RemoteGate.connect(gate_socket(self._settings))
        except GateUnreachable:
            gate = Gate(self._settings.limits, clock, store.ledger if store is not None else None)
            try:
                yield gate
            finally:
                gate.close()
            return
        try:
            yield remote
        finally:
            await remote.close()


def gate_socket(settings: Settings) -> Path:
    """Return where a daemon with these settings serves its gate: beside its database."""
    return find_path(settings.store.path).with_name("gate.sock")


def _cite(measurement: Measurement, clock: Clock) -> Citation:
    return Citation(
        measurement=measurement.id,
        age_s=clock.wall_s() - measurement.started_at,
        observations=measurement.observations,
        experiments=measurement.experiments,
    )
