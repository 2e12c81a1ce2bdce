"""What `check` does between reading its arguments and printing: gate, measurements, waiting, store."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from probe.cli.naming import Naming
from probe.cli.progress import Progress
from probe.cli.wiring import open_environment, open_monitor
from probe.gate import Gate
from probe.gate.remote import GateUnreachable, RemoteGate
from probe.gate.shared import FOLDER, SharedHandshakes
from probe.gate.wire import SOCKET_NAME
from probe.model.errors import UserError
from probe.model.measurement import Citation, Measurement
from probe.model.observation import DNSLookup, Role, TCPConnect
from probe.model.settings import Settings
from probe.model.target import CheckName, Target
from probe.model.vantage import Baseline
from probe.net.clock import Clock
from probe.net.context import Gatekeeper, Manners
from probe.net.stack import Stack
from probe.pipeline.baseline import PROXY_VARIABLES
from probe.pipeline.environment import CHECK_BODY_BYTES, Environment
from probe.pipeline.later import is_in_time
from probe.pipeline.measure import Run
from probe.pipeline.monitor import VantageMonitor
from probe.pipeline.proofs import LOGIN_PARAM, find_rejected_login
from probe.pipeline.wish import Wish
from probe.store.place import find_path
from probe.store.store import Store
from probe.targets.secret_places import Given, changed_since
from probe.targets.survey import Survey

Show = Callable[[Measurement, bool], None]
"""Called with a measurement and whether it is the last one of its target."""
HAND_OVER_WITHIN_S = 5.0
"""For a daemon that has much to do; what it has not taken by then is told as not stored."""
LATE_ROUNDS = 3
"""A final verdict takes one late round after the cool-down; one more covers a place that was still hot."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a call of `check` saw."""

    measurements: tuple[Measurement, ...] = ()
    baseline: Baseline | None = None
    notes: tuple[str, ...] = ()
    surveyed: dict[str, tuple[Measurement, ...]] = {}
    """What was found by a survey, by the id of its target."""


class Checking:
    """One call of `check`."""

    def __init__(
        self,
        settings: Settings,
        targets: list[Target],
        *,
        wait: bool,
        show_progress: bool,
        tries: int = 0,
        given: Given | None = None,
        manners: Manners | None = None,
        surveys: Sequence[Survey] = (),
        naming: Naming | None = None,
    ) -> None:
        """Prepare; `surveys` are walked each after the target that it belongs to."""
        self._naming = naming or Naming(settings)
        self._settings = settings
        self._targets = targets
        self._wait = wait
        self._tries = tries
        self._given = given
        self._manners = manners
        self._surveys = {survey.target: survey for survey in surveys}
        self._surveyed: dict[str, tuple[Measurement, ...]] = {}
        self._progress = Progress(len(targets), enabled=show_progress)
        self._notes: list[str] = []
        self._finals: list[Measurement] = []
        self._store: Store | None = None
        self._why_not_stored = ""
        """Why this process may not write the database; a daemon that runs writes it for us."""
        self._remote: RemoteGate | None = None
        self._handed: list[asyncio.Task[bool]] = []

    async def complete(self, show: Show) -> Outcome:
        """Measure everything side by side; `show` is called as soon as there is a verdict.

        Cancelled, it stores what was seen so far, marked as interrupted.

        Raises:
            BrokenPipeError: nobody reads any more what is shown.
            GateUnreachable: the daemon that granted traffic went away.
        """
        stack = Stack.open(ca_file=self._settings.ca_file)
        try:
            with contextlib.ExitStack() as kept:
                self._store = self._open_store(stack.clock, kept)
                known = self._store or self._read_store(stack.clock, kept)
                if known is not None:
                    refuse_rejected_logins(known, self._targets)
                async with (
                    self._open_gate(stack.clock, self._store) as gate,
                    open_environment(
                        self._settings,
                        gate,
                        stack,
                        given=self._given,
                        store=known,
                        manners=self._manners,
                        veil=self._naming.veil,
                    ) as environment,
                    open_monitor(environment) as monitor,
                ):
                    with self._progress:
                        if not self._targets:
                            baseline = await monitor.look()
                            return Outcome(baseline=baseline, notes=tuple(self._notes))
                        self._note_proxies(environment)
                        await self._check_all(environment, monitor, show)
                return Outcome(
                    measurements=tuple(self._finals), notes=tuple(self._notes), surveyed=dict(self._surveyed)
                )
        finally:
            await stack.close()

    def _note_proxies(self, environment: Environment) -> None:
        """Say that a proxy of the user's own is left out: the answers are those of the network without it."""
        named = [name for name in PROXY_VARIABLES if environment.environ.get(name)]
        if named:
            self._notes.append(f"{named[0]} names a proxy; this was measured without it, as the network is itself")

    async def _check_all(self, environment: Environment, monitor: VantageMonitor, show: Show) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for target in self._targets:
                    group.create_task(self._check(environment, monitor, target, show))
        except BaseExceptionGroup as errors:
            # These two the caller has an answer to, so they leave the group as themselves; faults of ours stay in it.
            known: BaseException | None = errors.subgroup((BrokenPipeError, GateUnreachable))
            while isinstance(known, BaseExceptionGroup):
                known = known.exceptions[0]
            if known is not None:
                raise known from None
            raise

    async def _check(self, environment: Environment, monitor: VantageMonitor, target: Target, show: Show) -> None:
        """Measure once, and with `--wait` again when the pending experiments are due."""
        clock = environment.stack.clock
        began_s = clock.boot_s()
        wish = Wish(deep=True, tries=self._tries, body_limit_bytes=CHECK_BODY_BYTES)
        measurement = await self._measure(environment, monitor, target, wish)
        earlier: list[Measurement] = []
        for _ in range(LATE_ROUNDS if self._wait else 0):
            pending = measurement.verdict.pending
            if not pending or not is_in_time(clock.boot_s() - began_s, pending):
                break
            self._show(show, measurement, final=False)
            delay_s = max(item.due_in_s for item in pending)
            self._progress.wait_for(target.address, delay_s)
            await asyncio.sleep(delay_s)
            earlier.append(measurement)
            cites = tuple(_cite(one, clock) for one in earlier)
            late = Wish(
                cites=cites,
                continues=measurement.id,
                pending=pending,
                tries=self._tries,
                body_limit_bytes=CHECK_BODY_BYTES,
            )
            measurement = await self._measure(environment, monitor, target, late)
        survey = self._surveys.get(target.id)
        if survey is not None and _has_address(measurement):
            self._surveyed[target.id] = await self._walk(environment, monitor, survey)
        self._finals.append(self._naming.veil.cover(measurement))
        self._progress.advance(target.address)
        self._show(show, measurement, final=True)

    async def _walk(self, environment: Environment, monitor: VantageMonitor, survey: Survey) -> tuple[Measurement, ...]:
        """Greet a host in each protocol: chains side by side, the members of a chain one after another."""
        async with asyncio.TaskGroup() as group:
            chains = [group.create_task(self._walk_chain(environment, monitor, chain)) for chain in survey.chains]
        return tuple(measurement for chain in chains for measurement in chain.result())

    async def _walk_chain(
        self, environment: Environment, monitor: VantageMonitor, chain: tuple[Target, ...]
    ) -> tuple[Measurement, ...]:
        """Return what was seen; a port that does not answer is not asked again."""
        seen: list[Measurement] = []
        for target in chain:
            measurement = await self._measure(environment, monitor, target, Wish(greets=True))
            seen.append(self._naming.veil.cover(measurement))
            reached = [o for o in measurement.observations if isinstance(o, TCPConnect) and o.role is Role.TARGET]
            if reached and all(observation.failure is not None for observation in reached):
                break
        return tuple(seen)

    async def _measure(
        self, environment: Environment, monitor: VantageMonitor, target: Target, wish: Wish
    ) -> Measurement:
        """Run once and store it; cut short, what was seen so far."""
        run = Run(environment, monitor, target, wish)
        try:
            await run.complete()
        except asyncio.CancelledError:
            if run.has_observations:
                self._keep(run.finish(interrupted=True))
            raise
        measurement = run.finish(interrupted=False)
        self._keep(measurement)
        return measurement

    def _keep(self, measurement: Measurement) -> None:
        covered = self._naming.veil.cover(measurement)
        if self._store is not None:
            self._store.add(covered, whole=True)
        elif self._remote is not None:
            self._handed.append(asyncio.create_task(self._remote.keep(_encode(covered))))

    async def _finish_handing_over(self) -> None:
        """Wait until the daemon has what was measured; say so if it did not take everything."""
        if self._handed:
            done, _ = await asyncio.wait(self._handed, timeout=HAND_OVER_WITHIN_S)
            if not all(task in done and task.result() for task in self._handed):
                self._note_not_stored()

    def _note_not_stored(self) -> None:
        if self._targets and self._why_not_stored:
            self._notes.append(f"this run is not stored: {self._why_not_stored}")

    def _show(self, show: Show, measurement: Measurement, *, final: bool) -> None:
        with self._progress.paused():
            show(self._naming.veil.cover(measurement), final)

    def _open_store(self, clock: Clock, kept: contextlib.ExitStack) -> Store | None:
        """Open the database for writing; where a daemon has it, or there is none to be had, remember why and go on."""
        try:
            return kept.enter_context(Store.open(self._settings.store, clock, seal=self._naming.seal))
        except UserError as error:
            self._why_not_stored = error.what
            return None

    def _read_store(self, clock: Clock, kept: contextlib.ExitStack) -> Store | None:
        """Open the database that a daemon writes for reading, for what it knows of a tunnel's credentials."""
        if not any(target.check is CheckName.VPN for target in self._targets):
            return None
        with contextlib.suppress(UserError):
            return kept.enter_context(Store.open(self._settings.store, clock, read_only=True))
        return None

    @contextlib.asynccontextmanager
    async def _open_gate(self, clock: Clock, store: Store | None) -> AsyncIterator[Gatekeeper]:
        """Ask a running daemon for grants; keep an own ledger where there is none."""
        path = gate_socket(self._settings)
        try:
            remote = await RemoteGate.connect(path)
        except GateUnreachable as error:
            if path.exists():
                self._notes.append(f"no grants from a daemon, an own ledger is kept: {error}")
            self._note_not_stored()
            ledger, commit = (store.ledger, store.flush) if store is not None else (None, None)
            folder = path.with_name(FOLDER)
            shared = SharedHandshakes(folder, clock, self._naming.mark)
            shared.forget_old()
            gate = Gate(self._settings.limits, clock, ledger, commit, shared)
            try:
                yield gate
            finally:
                gate.close()
            return
        self._remote = remote
        try:
            yield remote
        finally:
            await self._finish_handing_over()
            await remote.close()


def _encode(measurement: Measurement) -> bytes:
    """Return a run as the daemon takes it; nothing of what cannot be encoded, such as a text that is no Unicode."""
    try:
        return msgspec.msgpack.encode(measurement)
    except (ValueError, OverflowError, TypeError):
        return b""


def _has_address(measurement: Measurement) -> bool:
    """Tell whether the name leads anywhere; a literal does."""
    lookups = [o for o in measurement.observations if isinstance(o, DNSLookup) and o.role is Role.TARGET]
    return not lookups or any(lookup.addresses for lookup in lookups)


def refuse_rejected_logins(store: Store, targets: list[Target]) -> None:
    """Refuse to offer a password again that was rejected: some servers count, and lock its owner out.

    Raises:
        UserError: one was refused, and has not been changed since.
    """
    for target in targets:
        rejected = find_rejected_login(store, target) if target.params.get(LOGIN_PARAM) else None
        if rejected is None or changed_since(target, rejected.started_at):
            continue
        what = f"the server refused this login before ({rejected.id})"
        raise UserError(target.address, what, "put the right password where the old one stands, or leave out --login")


def gate_socket(settings: Settings) -> Path:
    """Return where a daemon with these settings serves its gate: beside its database."""
    return find_path(settings.store.path).with_name(SOCKET_NAME)


def _cite(measurement: Measurement, clock: Clock) -> Citation:
    return Citation(
        measurement=measurement.id,
        age_s=clock.wall_s() - measurement.started_at,
        runtime_s=measurement.runtime_s,
        observations=measurement.observations,
        experiments=measurement.experiments,
        controls=measurement.controls,
    )
