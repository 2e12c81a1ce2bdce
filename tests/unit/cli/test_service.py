"""A reload that fails for a reason that is nobody's mistake."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from probe.cli.naming import Naming
from probe.cli.service import Service
from probe.model.errors import UserError
from probe.model.settings import PrivacySettings, Settings, TunnelNames
from probe.model.stats import ReloadStats
from probe.model.target import CheckName
from tests.fakes import FakeClock
from tests.unit.daemon.parts import measurement, target


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


class Kept:
    def __init__(self) -> None:
        self.runs: list[str] = []

    def add(self, measurement: Any, *, whole: bool) -> None:
        assert whole
        self.runs.append(measurement.id)


def test_a_run_that_is_handed_over_is_stored_unless_it_shows_what_this_agent_hides() -> None:
    settings = Settings(privacy=PrivacySettings(tunnels=TunnelNames.ALIAS))
    plain, hiding = service_that(ValueError()), service_that(ValueError())
    hiding._naming = Naming(settings)
    tunnel = measurement(target("vpn", check=CheckName.VPN), at=1.0, id="tunnel")
    covered = measurement(target("vpn~1", check=CheckName.VPN, alias="openvpn-3fa9c1"), at=1.0, id="covered")
    site = measurement(target("site"), at=1.0, id="site")
    for service, expected in ((plain, ["tunnel", "covered", "site"]), (hiding, ["covered", "site"])):
        store: Any = Kept()
        for one in (tunnel, covered, site):
            service._take_run(store, msgspec.msgpack.encode(one))
        assert not service._take_run(store, b"\xc1 no run")
        assert store.runs == expected
