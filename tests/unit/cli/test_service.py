"""A reload that fails for a reason that is nobody's mistake."""

from types import SimpleNamespace
from typing import Any

import pytest

from probe.cli.service import Service
from probe.model.errors import UserError
from probe.model.settings import Settings
from probe.model.stats import ReloadStats
from tests.fakes import FakeClock


def service_that(error: Exception) -> Service:
    def read() -> Settings:
        raise error

    return Service(read, {}, config_file=None)


@pytest.mark.parametrize(
    "error", [OSError(24, "Too many open files"), UserError("wallprobe.yml:3", "is no good", "mend it")]
)
async def test_what_keeps_a_reload_from_being_made_is_told_and_ends_nothing(caplog: Any, error: Exception) -> None:
    agent: Any = SimpleNamespace(environment=SimpleNamespace(stack=SimpleNamespace(clock=FakeClock(500.0))))
    view: Any = SimpleNamespace(reload_stats=ReloadStats(last_successful=True, last_success_at=100.0))
    await service_that(error)._reload_and_log(agent, view)
    assert view.reload_stats == ReloadStats(last_successful=False, last_success_at=100.0)
    assert "the old configuration stays" in caplog.text


async def test_a_fault_of_ours_is_no_success_either() -> None:
    agent: Any = SimpleNamespace(environment=SimpleNamespace(stack=SimpleNamespace(clock=FakeClock(500.0))))
    view: Any = SimpleNamespace(reload_stats=ReloadStats(last_successful=True, last_success_at=100.0))
    with pytest.raises(ZeroDivisionError):
        await service_that(ZeroDivisionError())._reload(agent, view)
    assert view.reload_stats.last_successful is False
