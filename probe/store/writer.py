"""The one thread that writes: batches of up to 200 jobs or one second, and trimming in between.

When the disk refuses, the batch is kept and tried again, later and later; meanwhile the queue fills up, then refuses.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable

import msgspec
import zstandard

from probe.model.stats import StoreStats
from probe.net.clock import Clock
from probe.store.jobs import AddRun, Job
from probe.store.queue import JobQueue
from probe.store.recorder import Recorder
from probe.store.retention import Trimmer

log = logging.getLogger("wallprobe")
BATCH_JOBS = 200
BATCH_S = 1.0
_POLL_S = 0.1
_TRIM_EVERY_S = 60.0
_RETRY_S = (0.5, 30.0)
"""First and longest wait after a commit that failed."""
_BREATH_JOBS = 4
_BREATH_S = 20e-6
"""After so many jobs the thread sleeps a moment: else the event loop would wait 5 ms for the interpreter."""

_UNFIT = (
    ValueError,
    TypeError,
    OverflowError,
    KeyError,
    msgspec.MsgspecError,
    zstandard.ZstdError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What a job raises that holds something no database takes: a text that is no Unicode, a number out of range."""

Jobs = list[tuple[Job, int]]


class Writer(threading.Thread):
    """Owns the writing connection from `start` to the end of `stop`."""

    def __init__(self, connection: sqlite3.Connection, recorder: Recorder, trimmer: Trimmer, clock: Clock) -> None:
        super().__init__(name="wallprobe-store", daemon=True)
        self._connection = connection
        self._recorder = recorder
        self._trimmer = trimmer
        self._clock = clock
        self.queue = JobQueue()
        self._wake = threading.Event()
        self._breath = threading.Event()
        """Never set: waiting for it lets the loop's thread have its turn."""
        self._idle = False
        self._urgent = False
        self._stopping = False
        self._progress = threading.Condition()
        self._batch: Jobs = []
        self._retry_s = 0.0
        self.measurements_total = 0
        self.unfit_total = 0
        """Jobs that cannot be stored whatever the disk says."""
        self.commit_failures_total = 0
        self.last_commit_at = 0.0

    def add(self, job: Job) -> bool:
        """Queue a job from the one thread that may; `False` = no room, it is lost."""
        taken = self.queue.put(job)
        if self._idle:
            self._wake.set()
        return taken

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was added is committed; tell whether it is."""
        wanted = self.queue.added_total
        self._hurry()
        with self._progress:
            return self._progress.wait_for(
                lambda: self.queue.done_total >= wanted or not self.is_alive(), timeout_s
            ) and (self.queue.done_total >= wanted)

    def stop(self, timeout_s: float) -> bool:
        """Commit what is queued and end the thread; tell whether it ended in time."""
        self._stopping = True
        self._hurry()
        self.join(timeout_s)
        return not self.is_alive()

    def close(self) -> None:
        """Close the connection, once the thread has ended; as the last one it folds the log into the file."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def stats(self) -> StoreStats:
        """Return the writer's figures; the file's size is not among them."""
        return StoreStats(
            measurements_total=self.measurements_total,
            queued=self.queue.outstanding,
            dropped_total=self.queue.refused_total + self.unfit_total,
            commit_failures_total=self.commit_failures_total,
            last_commit_at=self.last_commit_at,
        )

    def run(self) -> None:
        """Write until told to stop; then try once more what is left."""
        next_trim_s = time.monotonic() + _TRIM_EVERY_S
        while True:
            self._gather(next_trim_s)
            while self._batch and not self._commit() and not self._stopping:
                self._pause()
            if self._batch and self._stopping:
                break
            if not self._stopping and time.monotonic() >= next_trim_s:
                more = self._attempt(self._trimmer.step)
                next_trim_s = time.monotonic() + (_POLL_S if more else _TRIM_EVERY_S)
            if self._stopping and not self.queue:
                self._attempt(self._put_held_away)
                break
        self._notify()

    def _gather(self, until_s: float) -> None:
        """Wait for a first job, then for a full batch, a second to pass, or a hurry."""
        if not self.queue and not self._stopping:
            self._wake.clear()
            self._idle = True
            if not self.queue and not self._stopping:
                self._wake.wait(max(0.0, until_s - time.monotonic()))
            self._idle = False
        deadline_s = time.monotonic() + BATCH_S
        while 0 < len(self.queue) < BATCH_JOBS and not self._urgent and not self._stopping:
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                break
            self._wake.wait(min(_POLL_S, remaining_s))
            self._wake.clear()
        self._batch = self.queue.take(BATCH_JOBS)
        if not self.queue:
            self._urgent = False

    def _commit(self) -> bool:
        """Write the batch in one transaction; `False` = the disk refused and the batch is kept."""
        try:
            self._transact(self._batch)
        except _UNFIT:
            return self._commit_one_by_one()
        except (sqlite3.Error, MemoryError) as error:
            self._refused(error)
            return False
        self._accepted(self._batch)
        self._batch = []
        return True

    def _commit_one_by_one(self) -> bool:
        """Find the jobs that cannot be stored, and store the others; `False` = the disk refused."""
        while self._batch:
            try:
                self._transact(self._batch[:1])
            except _UNFIT:
                self.unfit_total += 1
                self.queue.done(self._batch[:1])
            except sqlite3.Error as error:
                self._refused(error)
                return False
            else:
                self._accepted(self._batch[:1])
            del self._batch[:1]
        self._notify()
        return True

    def _transact(self, jobs: Jobs) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for number, (job, _) in enumerate(jobs):
                self._recorder.apply(job)
                if number % _BREATH_JOBS == 0:
                    self._breath.wait(_BREATH_S)
            self._recorder.before_commit()
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._recorder.committed()

    def _attempt(self, action: Callable[[], bool]) -> bool:
        """Run something of our own in a transaction; a refusal is counted, and that is all."""
        try:
            return action()
        except (sqlite3.Error, *_UNFIT):
            self._roll_back()
            self.commit_failures_total += 1
            return False

    def _put_held_away(self) -> bool:
        self._connection.execute("BEGIN IMMEDIATE")
        self._recorder.put_held_away()
        self._recorder.before_commit()
        self._connection.execute("COMMIT")
        return True

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._recorder.rolled_back()

    def _accepted(self, jobs: Jobs) -> None:
        if self._retry_s:
            log.warning("the database takes writes again")
        self._retry_s = 0.0
        self.measurements_total += sum(isinstance(job, AddRun) for job, _ in jobs)
        self.last_commit_at = self._clock.wall_s()
        self.queue.done(jobs)
        self._notify()

    def _refused(self, error: BaseException) -> None:
        """Count a refusal and wait longer for the next; only the first of a row is told."""
        if not self._retry_s:
            log.error("the database cannot be written, measuring goes on", extra={"error": str(error)})
        self.commit_failures_total += 1
        self._retry_s = min(max(self._retry_s * 2, _RETRY_S[0]), _RETRY_S[1])

    def _pause(self) -> None:
        """Wait before the next try; a flush or a stop cuts it short."""
        self._wake.clear()
        if not self._stopping:
            self._wake.wait(self._retry_s)

    def _hurry(self) -> None:
        self._urgent = True
        self._wake.set()

    def _notify(self) -> None:
        with self._progress:
            self._progress.notify_all()
