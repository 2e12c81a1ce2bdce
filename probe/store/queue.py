"""What waits for the writer: bounded by number and by bytes, filled by one thread and emptied by another.

Each side only adds to counters of its own, so no lock is taken and the event loop never waits for the disk.
"""

from collections import deque

from probe.model.observation import HTTPExchange
from probe.store.jobs import AddRun, Job

CAPACITY = 10_000
CAPACITY_BYTES = 64 << 20
_OVERHEAD_BYTES = 16 << 10


class JobQueue:
    """A queue that refuses rather than grows."""

    def __init__(self, capacity: int = CAPACITY, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self.capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._jobs: deque[tuple[Job, int]] = deque()
        self._bytes_in = self._bytes_out = 0
        self.added_total = 0
        self.done_total = 0
        self.refused_total = 0

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def outstanding(self) -> int:
        """Return how many jobs were added and are not done."""
        return self.added_total - self.done_total

    def put(self, job: Job) -> bool:
        """Take a job, unless there is no room: then tell so. Events have twice the room, because they come once."""
        weight = weigh(job)
        room = 2 if isinstance(job, AddRun) and job.events else 1
        full = self.outstanding >= self.capacity * room
        if full or self._bytes_in - self._bytes_out + weight > self._capacity_bytes * room:
            self.refused_total += 1
            return False
        self._bytes_in += weight
        self.added_total += 1
        self._jobs.append((job, weight))
        return True

    def take(self, limit: int) -> list[tuple[Job, int]]:
        """Return the next jobs, with their weights; they stay outstanding until they are done."""
        taken: list[tuple[Job, int]] = []
        while self._jobs and len(taken) < limit:
            taken.append(self._jobs.popleft())
        return taken

    def done(self, taken: list[tuple[Job, int]]) -> None:
        """Take note that these are dealt with, for good or ill."""
        self._bytes_out += sum(weight for _, weight in taken)
        self.done_total += len(taken)


def weigh(job: Job) -> int:
    """Return about how many bytes of memory a job takes."""
    if not isinstance(job, AddRun):
        return _OVERHEAD_BYTES
    return _OVERHEAD_BYTES + sum(len(o.body) for o in job.measurement.observations if isinstance(o, HTTPExchange))
