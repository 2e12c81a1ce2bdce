"""The database as the other rooms see it: `add` returns at once, one thread writes, readers ask at any time."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from probe.model.episode import Episode, EpisodeState, Event
from probe.model.errors import UserError
from probe.model.ledger import Ledger
from probe.model.measurement import Measurement
from probe.model.settings import StoreSettings
from probe.model.snapshot import Phase
from probe.model.stats import StoreStats
from probe.model.vantage import Baseline
from probe.model.verdict import Verdict
from probe.net.clock import Clock
from probe.store.care import adopt_staged, measure_size
from probe.store.errors import build_user_error
from probe.store.jobs import AddBaseline, AddEvents, AddRun, FillSlot, Job, ReplaceVerdict
from probe.store.ledger import StoreLedger
from probe.store.pack import is_whole
from probe.store.place import WriterLock, find_path, make_place
from probe.store.reader import Reader
from probe.store.recorder import Recorder
from probe.store.retention import Trimmer
from probe.store.schema import connect, prepare, read_version
from probe.store.writer import Writer

CLOSE_TIMEOUT_S = 5.0
_STATES = "episode_states"


class Store:
    """One open database. `add…` and `save` are called from one thread, the rest from any.

    What is read is what is committed. Reading takes a millisecond or so; from the event loop, ask through
    `asyncio.to_thread` where answers may be long.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        reader: Reader,
        writer: Writer | None,
        lock: WriterLock | None,
        seal: bytes | None = None,
    ) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer
        self._lock = lock
        self.ledger: Ledger = StoreLedger(reader, self._add, clock, seal)
        self.load_episodes = reader.load_episodes
        self.load_tallies = reader.load_tallies
        self.load_events = reader.load_events
        self.load_history = reader.load_history
        self.load_runs = reader.load_runs
        self.load_measurement = reader.load_measurement
        self.load_stored = reader.load_stored
        self.load_baselines = reader.load_baselines
        self.load_hour = reader.load_hour
        self.load_numbers = reader.load_numbers
        self.load_addresses = reader.load_addresses
        self.find_targets = reader.find_targets

    @classmethod
    def open(cls, settings: StoreSettings, clock: Clock, *, read_only: bool = False, seal: bytes | None = None) -> Self:
        """Open the database, for writing unless told otherwise; made where it is missing.

        `seal` is a key with which the gate's memory, which holds addresses, is kept unreadable for others.

        Raises:
            StoreLockedError: another process writes to it.
            StoreTooNewError: a later version of Wallprobe wrote it.
            UserError: no permission, no space, read-only, damaged or somebody else's file; or, to read, none there.
        """
        path = find_path(settings.path)
        if read_only:
            return cls(path, clock, _open_reader(path), None, None, seal)
        make_place(path)
        lock = WriterLock(path)
        lock.acquire()
        try:
            if adopt_staged(path):
                make_place(path)
            connection = _open_for_writing(path)
            reader = _open_reader(path)
        except UserError:
            lock.release()
            raise
        recorder = Recorder(connection, clock)
        trimmer = Trimmer(connection, settings, clock, recorder.vault.forget)
        writer = Writer(connection, recorder, trimmer, clock)
        writer.start()
        return cls(path, clock, reader, writer, lock, seal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        measurement: Measurement,
        *,
        episode: Episode | None = None,
        events: tuple[Event, ...] = (),
        phases: tuple[Phase, ...] | None = None,
        whole: bool = False,
    ) -> None:
        """Record a run and what it did to its target's episode; never blocks. `whole` keeps all of it even when ok.

        An episode that begins ends the one before it. Give `phases` where they are known already.
        """
        self._add(AddRun(measurement=measurement, episode=episode, events=events, phases=phases, whole=whole))

    def add_events(self, *events: Event) -> None:
        """Record events that no measurement brought; never blocks."""
        self._add(AddEvents(events=events))

    def add_baseline(self, baseline: Baseline) -> None:
        """Record a look at the vantage; only what is new is kept, and one an hour. Never blocks."""
        self._add(AddBaseline(baseline=baseline))

    def save_states(self, states: tuple[EpisodeState, ...]) -> None:
        """Keep what folding knows beyond the episodes, in place of what was kept before; never blocks."""
        self._add(FillSlot(name=_STATES, data=msgspec.msgpack.encode(states)))

    def load_states(self) -> dict[str, EpisodeState]:
        """Return what folding the next run of each target needs; an episode that is newer than a state replaces it."""
        episodes = self.load_episodes()
        states = {
            target: EpisodeState(target=target, episode=episode, last_run_at=episode.last_run_at)
            for target, episode in episodes.items()
        }
        for state in _decode_states(self._reader.load_slot(_STATES)):
            episode = episodes.get(state.target)
            known = None if state.episode is None else state.episode.since.first_in
            if known == (None if episode is None else episode.since.first_in):
                states[state.target] = msgspec.structs.replace(state, episode=episode)
        return states

    def replace_verdict(self, measurement: str, verdict: Verdict) -> None:
        """Give a kept measurement another verdict; waits only when the queue is full."""
        writer = self._writing()
        job = ReplaceVerdict(measurement=measurement, verdict=verdict)
        if writer.queue.outstanding >= writer.queue.capacity // 2:
            writer.flush(CLOSE_TIMEOUT_S)
        writer.add(job)

    def iterate_measurements(self, since: float | None = None) -> Iterator[Measurement]:
        """Yield the measurements that can be judged again, as they were stored: those with nothing left out."""
        return (measurement for measurement in self._reader.iterate_measurements(since) if is_whole(measurement))

    async def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Wait until all that was added is committed; tell whether it is."""
        return await asyncio.to_thread(self.flush_now, timeout_s)

    def flush_now(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Do as `flush`, and block meanwhile."""
        return self._writing().flush(timeout_s)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Commit what is queued, let the next writer in; tell whether all is stored. A second call does nothing."""
        writer, self._writer = self._writer, None
        ended = writer is None or writer.stop(timeout_s)
        self._reader.close()
        if not ended:
            return False
        if writer is not None:
            writer.close()
        if self._lock is not None:
            self._lock.release()
        return writer is None or writer.queue.outstanding == 0

    @property
    def works(self) -> bool:
        """Tell whether somebody still writes what is added: a thread that crashed would lose it without a word."""
        return self._writer is None or self._writer.is_alive()

    def stats(self) -> StoreStats:
        """Return the store's figures."""
        size_bytes = measure_size(self.path)
        if self._writer is None:
            return StoreStats(size_bytes=size_bytes)
        return msgspec.structs.replace(self._writer.stats(), size_bytes=size_bytes)

    def _add(self, job: Job) -> None:
        self._writing().add(job)

    def _writing(self) -> Writer:
        if self._writer is None:
            raise RuntimeError("the store is closed, or was opened to read")
        return self._writer


def _decode_states(data: bytes | None) -> tuple[EpisodeState, ...]:
    """Return stored states; none when another version wrote them, for the episodes tell the most of it."""
    if data is None:
        return ()
    try:
        return msgspec.msgpack.decode(data, type=tuple[EpisodeState, ...])
    except msgspec.DecodeError:
        return ()


def _open_for_writing(path: Path) -> sqlite3.Connection:
    try:
        connection = connect(str(path))
    except sqlite3.Error as error:
        raise build_user_error(str(path), error) from None
    try:
        prepare(connection, str(path))
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT OR REPLACE INTO slots (name, data) VALUES ('opened', x'')")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise build_user_error(str(path), error) from None
    except UserError:
        connection.close()
        raise
    return connection


def _open_reader(path: Path) -> Reader:
    """Open a second connection that cannot write.

    Raises:
        UserError: there is no file, it cannot be read, or it is not ours.
    """
    where = str(path)
    if not path.exists():
        raise UserError(
            where, "there is no database yet", "run `wallprobe run` or `wallprobe check` first, or set store.path"
        )
    try:
        connection = connect(where, read_only=True)
        if read_version(connection, where) < 0:
            raise UserError(where, "the database is empty", "run `wallprobe run` or `wallprobe check` first")
    except sqlite3.Error as error:
        raise build_user_error(where, error) from None
    return Reader(connection, where)
