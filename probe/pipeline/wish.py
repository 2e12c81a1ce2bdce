"""What is asked of one run beside its target."""

import dataclasses

from probe.model.experiment import Pending
from probe.model.measurement import Citation
from probe.pipeline.environment import BODY_BYTES


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a run differs from a plain one."""

    cites: tuple[Citation, ...] = ()
    continues: str = ""
    pending: tuple[Pending, ...] = ()
    """Run these instead of the check: the place had time to get cold."""
    deep: bool = False
    first_sight: bool = False
    """No deep run of the target was made yet."""
    greets: bool = False
    """Ask once and leave it at that: no experiments, and no look at the vantage, for nothing is judged by it."""
    tries: int = 0
    """More handshakes than the verdict calls for."""
    confirms: bool = False
    """The target was fine when last looked at."""
    body_limit_bytes: int = BODY_BYTES
