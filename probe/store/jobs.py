"""What the writer is asked to do."""

import msgspec

from probe.model.episode import Episode, Event
from probe.model.measurement import Measurement
from probe.model.snapshot import Phase
from probe.model.vantage import Baseline
from probe.model.verdict import Verdict


class AddRun(msgspec.Struct, frozen=True, kw_only=True):
    """Record a run, with what it did to its target's episode."""

    measurement: Measurement
    episode: Episode | None = None
    events: tuple[Event, ...] = ()
    phases: tuple[Phase, ...] | None = None
    """`None` = to be worked out from the observations."""
    whole: bool = False
    """Keep the whole measurement, whatever its verdict."""


class AddEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Record events that no measurement of a target brought: the vantage's, clock steps."""

    events: tuple[Event, ...]


class AddBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """Record a look at the vantage."""

    baseline: Baseline


class FillSlot(msgspec.Struct, frozen=True, kw_only=True):
    """Overwrite a named slot; of several in the queue the last wins."""

    name: str
    data: bytes


class ReplaceVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Give a kept measurement the verdict of newer rules."""

    measurement: str
    verdict: Verdict


Job = AddRun | AddEvents | AddBaseline | FillSlot | ReplaceVerdict
