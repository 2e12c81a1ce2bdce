"""What the web needs of the agent. `cli` hands in something that has it; neither knows the other."""

from collections.abc import Sequence
from typing import Protocol

from probe.export.metrics.target import TargetChunk
from probe.export.stats import AgentStats
from probe.model.episode import Event
from probe.model.measurement import Measurement
from probe.model.snapshot import TargetSnapshot
from probe.model.vantage import Baseline, Vantage
from probe.store.hours import HourCells
from probe.store.values import History, Run, StoredMeasurement


class AgentView(Protocol):
    """The agent as a page sees it. What is not `async` returns at once and is called in the loop."""

    @property
    def ready(self) -> bool:
        """Tell whether the configuration is loaded and every target had its first run, or its first turn to."""
        ...

    def snapshots(self) -> Sequence[TargetSnapshot]:
        """Return the state of each target now on the list, in the list's order."""
        ...

    def snapshot(self, target: str) -> TargetSnapshot | None:
        """Return the state of one target by its id; `None` = it is not on the list."""
        ...

    def last_run(self, target: str) -> Measurement | None:
        """Return the last run of a target that is asked about often; `None` = only its snapshot is kept."""
        ...

    async def run_now(self, target: str) -> None:
        """Run a target as soon as the gate allows, or join the run under way; return when it has ended."""
        ...

    def wall_s(self) -> float:
        """Return the time by which everything here is stamped."""
        ...

    def chunks(self) -> Sequence[TargetChunk]:
        """Return each target's metrics in the same order, rendered when its last run ended."""
        ...

    def vantage(self) -> Vantage:
        """Return where we stand."""
        ...

    def baseline(self) -> Baseline | None:
        """Return the last look at the vantage; `None` before the first."""
        ...

    def stats(self) -> AgentStats:
        """Return the agent's figures."""
        ...

    async def runs(self, target: str, *, since: float, limit: int) -> Sequence[Run]:
        """Return a target's runs that ended at `since` or later (wall time), newest first; none if it is unknown."""
        ...

    async def measurement(self, measurement: str) -> Measurement | None:
        """Return one that is kept whole; `None` if it is not, or no longer."""
        ...

    async def events(self, target: str, *, since: float, limit: int) -> Sequence[Event]:
        """Return the events confirmed at `since` or later, newest first; target "" = of all targets and the vantage."""
        ...

    async def history(self, target: str, *, since: float) -> History | None:
        """Return a target's episodes and events that touch the time since then; `None` = never run here."""
        ...

    async def kept(self, target: str, *, limit: int) -> Sequence[StoredMeasurement]:
        """Return a line for each of a target's measurements that are kept whole, newest first."""
        ...

    async def baselines(self, *, since: float, limit: int) -> Sequence[Baseline]:
        """Return the looks at the vantage that told something new, and one an hour, newest first."""
        ...

    async def numbers(self) -> dict[str, int]:
        """Return the number of each target, by its id, at which its cells are in an hour."""
        ...

    async def hour(self, hour: int, parts: int) -> HourCells:
        """Return what every target came to in each part of an hour since the epoch."""
        ...

    async def reload(self) -> None:
        """Read the configuration again and go on with it.

        Raises:
            UserError: it is wrong; the old one stays in force.
        """
        ...
