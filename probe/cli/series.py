"""Refuses what Prometheus could not carry, before it has to."""

from probe.export.metrics.families import choose_level, count_series
from probe.model.errors import UserError
from probe.model.settings import Settings


def refuse_too_many(settings: Settings, targets: int) -> None:
    """Raise when so many targets would be more series than `metrics.max_series`.

    Raises:
        UserError: with how many there would be, and what can be done.
    """
    series = count_series(settings.per_target, targets)
    if series <= settings.max_series:
        return
    level = choose_level(settings.per_target, targets).value
    raise UserError(
        "metrics.max_series",
        f"{targets:,} targets at `per_target: {level}` are about {series:,} series, more than {settings.max_series:,}",
        "set metrics.per_target to status or none, split the list over several agents, or raise metrics.max_series",
    )
