"""Brings the daemon up and down: reads, opens, serves, reloads, stops."""

import asyncio
import contextlib
import dataclasses
import gc
import logging
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from probe.cli.changes import compare_targets, log_changes, take_fingerprint
from probe.cli.checking import gate_socket
from probe.cli.naming import Naming, refuse_without_key
from probe.cli.series import refuse_too_many
from probe.cli.view import View
from probe.cli.wiring import open_environment, open_monitor
from probe.daemon.agent import Agent
from probe.daemon.board import Board
from probe.daemon.notify import Notifier
from probe.daemon.sham import mark_sham
from probe.daemon.vantage_clock import watch_vantage
from probe.gate import Gate
from probe.gate.server import GateServer
from probe.model.errors import CombinedUserError, UserError
from probe.model.measurement import Measurement
from probe.model.settings import Settings
from probe.model.spread import stable_hash
from probe.model.stats import LogStats
from probe.model.target import CheckName, Target
from probe.net.stack import Stack
from probe.pipeline.environment import Environment
from probe.schedule import Schedule
from probe.store.store import Store
from probe.targets.address import parse_address
from probe.targets.groups import build_groups
from probe.targets.lists.loaded import Loaded
from probe.targets.lists.reader import ListReader
from probe.targets.load import Load, calculate_load
from probe.targets.risk import RISK_REMEDY, needs_acceptance, risk_statement
from probe.web.peers import Peers
from probe.web.server import start_web

log = logging.getLogger("wallprobe")
FLUSH_WITHIN_S = 2.0
STATUS_EVERY_S = 10.0
"""What `systemctl status` shows is no older."""


class Service:
    """One daemon."""

    def __init__(
        self,
        read_settings: Callable[[], Settings],
        environ: dict[str, str],
        *,
        config_file: Path | None,
        watch_every_s: float | None = None,
        log_stats: Callable[[], LogStats] = LogStats,
    ) -> None:
        self._read_settings = read_settings
        self._environ = environ
        self._config_file = config_file
        self._watch_every_s = watch_every_s
        """How often to look whether a file has changed; `None` = wait to be told."""
        self._log_stats = log_stats
        self._fingerprint = b""
        """Of the files as they were when they were last taken into force."""
        self._reader = ListReader()
        self._naming = Naming(Settings())
        self._notifier = Notifier(environ)
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._told: set[str] = set()
        """What was said of the lists already: a bad line is told once, not at every refresh."""
        self._environment = contextlib.AsyncExitStack()

    async def serve(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        settings = self._read_settings()
        self._refuse_risk(settings)
        self._naming = Naming(settings)
        refuse_without_key(self._naming, settings)
        loaded = await self._load(settings)
        _refuse_nothing(settings, loaded)
        refuse_too_many(settings, len(loaded.targets))
        stack = Stack.open(ca_file=settings.ca_file, quick_library=settings.tls_library)
        clock = stack.clock
        with contextlib.ExitStack() as kept:
            store = kept.enter_context(Store.open(settings.store, clock, seal=self._naming.seal))
            gate = Gate(settings.limits, clock, store.ledger, store.flush)
            kept.callback(gate.close)
            async with contextlib.AsyncExitStack() as opened:
                opened.push_async_callback(stack.close)
                opened.push_async_callback(self._close_environment)
                environment = await self._open_environment(settings, gate, stack, store)
                monitor = await opened.enter_async_context(open_monitor(environment))
                schedule = Schedule(seed=stable_hash(settings.vantage.id), wall_s=clock.wall_s(), boot_s=clock.boot_s())
                agent = Agent(
                    environment=environment,
                    monitor=monitor,
                    gate=gate,
                    store=store,
                    schedule=schedule,
                    board=Board(settings.per_target),
                    states=store.load_states(),
                )
                view = View(agent, lambda: self._reload(agent, view), self._log_stats)
                self._take_targets(agent, settings, loaded)
                self._fingerprint = await asyncio.to_thread(take_fingerprint, settings, self._config_file)
                # Targets live as long as the process: that the collector looks through them again would only stall the
                # loop.
                gc.collect()
                gc.freeze()
                view.reload_stats = msgspec.structs.replace(view.reload_stats, last_success_at=clock.wall_s())
                server = GateServer(gate, gate_socket(settings), lambda run: self._take_run(store, run))
                await server.start()
                opened.push_async_callback(server.close)
                routes = Peers(view, settings, stack).routes() if settings.peers.served else []
                web = await start_web(view, settings.web, self._environ, routes=routes)
                opened.push_async_callback(web.close)
                log.info("listening", extra={"address": ",".join(web.addresses)})
                await self._run(agent, view)
                self._notifier.stopping()
                await store.flush(FLUSH_WITHIN_S)

    async def _run(self, agent: Agent, view: View) -> None:
        """Work until told to stop; a fault of ours ends the process, and systemd starts it again."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self._reload_and_log(agent, view)))
        self._notifier.ready()
        work = [
            asyncio.create_task(agent.serve()),
            asyncio.create_task(watch_vantage(agent.monitor, agent.take_baseline)),
            asyncio.create_task(self._refresh(agent)),
            asyncio.create_task(self._watch(agent, view)),
            asyncio.create_task(self._feed_watchdog(agent)),
        ]
        stop = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait([*work, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in (*work, stop):
            task.cancel()
        await asyncio.gather(*work, stop, return_exceptions=True)
        for task in done - {stop}:
            task.result()

    async def _open_environment(self, settings: Settings, gate: Gate, stack: Stack, store: Store | None) -> Environment:
        """Open an environment, and close the one before it."""
        async with contextlib.AsyncExitStack() as opening:
            plain = await opening.enter_async_context(
                open_environment(settings, gate, stack, store=store, veil=self._naming.veil)
            )
            await self._close_environment()
            self._environment = opening.pop_all()
        return dataclasses.replace(plain, may_follow_up=gate.may_follow_up)

    async def _close_environment(self) -> None:
        before, self._environment = self._environment, contextlib.AsyncExitStack()
        await before.aclose()

    def _take_run(self, store: Store, run: bytes) -> bool:
        """Store what somebody measured beside us; it is no run of our schedule and touches no episode."""
        try:
            measurement = msgspec.msgpack.decode(run, type=Measurement)
        except msgspec.DecodeError:
            log.warning("a run that was handed over cannot be read", extra={"bytes": len(run)})
            return False
        target = measurement.target
        if self._naming.aliases and target.check is CheckName.VPN and not target.alias:
            log.warning("a run that was handed over shows a tunnel's address; it is not stored")
            return False
        store.add(measurement, whole=True)
        return True

    def hide(self, text: str) -> str:
        """Return a line of the log as everybody may read it."""
        return self._naming.veil.text(text)

    def stop(self) -> None:
        """Ask the daemon to stop."""
        self._stop.set()

    async def _load(self, settings: Settings) -> Loaded:
        read = await self._reader.load(settings.targets, settings.defaults)
        loaded = await asyncio.to_thread(self._naming.settle, read)
        errors, notes = {str(error) for error in loaded.errors}, set(loaded.notes)
        for error in sorted(errors - self._told):
            log.warning("target not usable", extra={"error": error})
        for note in sorted(notes - self._told):
            log.info("target list", extra={"note": note})
        self._told = errors | notes
        return loaded

    def _refuse_risk(self, settings: Settings) -> None:
        """Shipped and downloaded lists name sites that somebody may not like to see probed: ask once."""
        if needs_acceptance(settings.targets) and not settings.accept_risk:
            raise UserError("target lists", risk_statement(), RISK_REMEDY)

    def _take_targets(self, agent: Agent, settings: Settings, loaded: Loaded) -> Load:
        targets = _with_sham(settings, loaded)
        before = {target.id: target for target in _listed(agent)}
        if before:
            log_changes(log, compare_targets(before, {target.id: target for target in targets}))
        load = calculate_load(targets, settings.limits)
        log.info("load", extra={"load": str(load)})
        tallies = agent.store.load_tallies() if agent.store is not None else {}
        shown = (*targets, *build_groups(targets))
        agent.board.replace(shown, settings.per_target, agent.states, tallies)
        agent.adopt(targets)
        agent.schedule.longest_interval_s = settings.limits.longest_interval_s
        agent.schedule.set_stretch(load.stretch, agent.environment.stack.clock.boot_s())
        agent.gate.expect(load.connections_per_s)
        agent.pace.expect(load.checks_per_s / load.stretch)
        return load

    async def _reload(self, agent: Agent, view: View) -> None:
        """Read everything anew, then swap; whatever is wrong leaves the old in force."""
        async with self._reloading:
            clock, done = agent.environment.stack.clock, False
            self._notifier.reloading(clock.boot_s())
            try:
                settings = self._read_settings()
                self._refuse_risk(settings)
                loaded = await self._load(settings)
                refuse_too_many(settings, len(loaded.targets))
                fingerprint = await asyncio.to_thread(take_fingerprint, settings, self._config_file)
                same = fingerprint == self._fingerprint and settings == agent.environment.settings
                if same and _listed(agent) == _with_sham(settings, loaded):
                    log.info("reloaded, nothing has changed")
                else:
                    await self._swap(agent, settings, loaded)
                    self._fingerprint = fingerprint
                    log.info("reloaded", extra={"targets": len(agent.board.snapshots())})
                done = True
            finally:
                self._notifier.ready()
                before = view.reload_stats
                at = clock.wall_s() if done else before.last_success_at
                view.reload_stats = msgspec.structs.replace(before, last_successful=done, last_success_at=at)

    async def _swap(self, agent: Agent, settings: Settings, loaded: Loaded) -> None:
        """Put what was read into force."""
        _warn_of_restart(agent.environment.settings, settings)
        agent.environment = await self._open_environment(settings, agent.gate, agent.environment.stack, agent.store)
        agent.monitor.adopt(agent.environment)
        agent.gate.adopt(settings.limits)
        self._take_targets(agent, settings, loaded)

    async def _watch(self, agent: Agent, view: View) -> None:
        """Reload when a file changes, if asked to; a file that is no good is tried again when it changes again."""
        if self._watch_every_s is None:
            await asyncio.Event().wait()
            return
        seen = self._fingerprint
        while True:
            await asyncio.sleep(self._watch_every_s)
            found = await asyncio.to_thread(take_fingerprint, agent.environment.settings, self._config_file)
            if found != seen:
                await self._reload_and_log(agent, view)
                # Another configuration may name other files.
                settings = agent.environment.settings
                seen = await asyncio.to_thread(take_fingerprint, settings, self._config_file)

    async def _reload_and_log(self, agent: Agent, view: View) -> None:
        try:
            await self._reload(agent, view)
        except (UserError, OSError) as error:  # out of descriptors, say: no reason to end
            log.error("not reloaded, the old configuration stays", extra={"error": str(error)})

    async def _refresh(self, agent: Agent) -> None:
        """Read the target lists again as often as their sources ask."""
        while True:
            settings = agent.environment.settings
            await asyncio.sleep(min((source.refresh_s for source in settings.targets), default=300.0))
            loaded = await self._load(settings)
            if _listed(agent) == _with_sham(settings, loaded):
                continue
            try:
                refuse_too_many(settings, len(loaded.targets))
            except UserError as error:
                log.error("the old targets stay", extra={"error": str(error)})
            else:
                self._take_targets(agent, settings, loaded)

    async def _feed_watchdog(self, agent: Agent) -> None:
        period_s = min((self._notifier.watchdog_s or 20.0) / 2, STATUS_EVERY_S)
        while True:
            if agent.store is not None and not agent.store.works:
                raise RuntimeError("the store's thread has ended")
            state = agent.monitor.latest.state.value if agent.monitor.latest else "not yet known"
            runs = "1 run" if agent.in_flight == 1 else f"{agent.in_flight} runs"
            self._notifier.alive(f"vantage {state}, {runs} under way")
            await asyncio.sleep(period_s)


def _refuse_nothing(settings: Settings, loaded: Loaded) -> None:
    """Refuse to start when every list is broken; a list that is fetched may be there in a minute.

    Raises:
        UserError: not one target could be read.
    """
    fetched = any(source.http_sd for source in settings.targets)
    if loaded.targets or not loaded.errors or fetched:
        return
    raise loaded.errors[0] if len(loaded.errors) == 1 else CombinedUserError(loaded.errors)


def _warn_of_restart(before: Settings, after: Settings) -> None:
    """Say which changes a reload cannot make."""
    pairs = (
        ("web", before.web, after.web),
        ("peers", before.peers, after.peers),
        ("store", before.store, after.store),
        ("privacy", before.privacy, after.privacy),
        ("tls", (before.ca_file, before.tls_library), (after.ca_file, after.tls_library)),
    )
    for section, old, new in pairs:
        if old != new:
            log.warning("takes effect after a restart", extra={"section": section})


def _listed(agent: Agent) -> tuple[Target, ...]:
    """Return the targets in force as the lists give them; groups are made of them."""
    shown = (snapshot.target for snapshot in agent.board.snapshots())
    return tuple(target for target in shown if target.check is not CheckName.GROUP)


def _with_sham(settings: Settings, loaded: Loaded) -> tuple[Target, ...]:
    taken = {target.id for target in loaded.targets}
    sham = [parse_address(url, source="sham") for url in settings.anchors.sham]
    return (*loaded.targets, *mark_sham(target for target in sham if target.id not in taken))
