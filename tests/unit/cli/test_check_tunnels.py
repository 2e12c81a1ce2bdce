"""What `check` does about a person's own keys and passwords."""

import asyncio
import os
from types import SimpleNamespace

import click
import msgspec
import pytest

from probe.checks.vpn import build_occasion
from probe.cli.checking import refuse_rejected_logins
from probe.cli.commands.check import OWN_KEYS, _note_depth, _with_flags, check
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.errors import UserError
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Measurement
from probe.model.observation import DialogueExchange
from probe.model.settings import PrivacySettings, Settings, StoreSettings, TunnelNames
from probe.model.target import CheckName, SecretRef, Target
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Confidence, Status, Verdict
from probe.net.context import Manners
from probe.store.store import Store
from probe.targets.address import parse_address
from tests.fakes import FakeClock
from tests.unit.cli.test_targets import run


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "links.txt"
    path.write_text("socks5://me:word@192.0.2.1:1080\n")
    os.utime(path, (0, 0))
    return Target(
        id="socks5~1", check=CheckName.VPN, address="socks5://192.0.2.1:1080", host="192.0.2.1", port=1080,
        params={"protocol": "socks5", "login": "1"},
        secrets={"password": SecretRef(source=f"entry:{path}#0.password")},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    clock = FakeClock()
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), clock) as opened:
        yield opened, clock


def keep(store, target, code: FailureCode | None, *, at: float, name: str):
    failure = None if code is None else Failure(stage=Stage.DIALOGUE, code=code)
    seen = DialogueExchange(
        transaction=1, t0_s=0, t_s=1, endpoint=Endpoint(address="192.0.2.1", port=1080), protocol="socks5",
        transport="tcp", failure=failure,
    )  # fmt: skip
    status, cause = (Status.OK, Cause.NONE) if code is None else (Status.SERVER_SIDE, Cause.SERVER)
    store.add(
        Measurement(
            id=name.ljust(26, "0"), target=target, vantage=Vantage(), started_at=at, runtime_s=1, observations=(seen,),
            verdict=Verdict(status=status, cause=cause, confidence=Confidence.C1),
        ),
        whole=True,
    )  # fmt: skip
    asyncio.run(store.flush())


def test_a_refused_password_is_not_offered_again_until_it_was_changed(store, target):
    opened, clock = store
    refuse_rejected_logins(opened, [target])
    keep(opened, target, FailureCode.REFUSED_BY_PEER, at=clock.wall_s() - 10, name="01A")
    with pytest.raises(UserError, match="refused this login before"):
        refuse_rejected_logins(opened, [target])
    without = msgspec.structs.replace(target, params={"protocol": "socks5"})
    refuse_rejected_logins(opened, [without])
    os.utime(target.secrets["password"].source[6:].split("#")[0])
    os.utime(target.secrets["password"].source[6:].split("#")[0], (clock.wall_s(), clock.wall_s()))
    refuse_rejected_logins(opened, [target])


def test_a_login_that_succeeded_since_is_no_rejection(store, target):
    opened, clock = store
    keep(opened, target, FailureCode.REFUSED_BY_PEER, at=clock.wall_s() - 100, name="01A")
    keep(opened, target, None, at=clock.wall_s() - 10, name="01B")
    refuse_rejected_logins(opened, [target])


@pytest.mark.parametrize("day", ["tomorrow", "2999-01-01"])
def test_a_day_that_is_none_is_told(day):
    _, outcome = run(check, "--worked", day, "openvpn://192.0.2.1:1194")
    assert isinstance(outcome.exception, UserError)
    assert "--worked" in str(outcome.exception)


def test_the_notice_says_what_happens_with_keys():
    assert "--login" in OWN_KEYS


def test_depth_is_for_tunnels_and_for_each_of_them():
    site, tunnel = parse_address("https://www.example.org"), parse_address("openvpn://192.0.2.1:1194")
    assert _note_depth(site, "data") is site
    assert _note_depth(tunnel, None) is tunnel
    asked = _note_depth(tunnel, "volume")
    assert (asked.params["depth"], asked.id) == ("volume", tunnel.id)
    ctx = SimpleNamespace(manners=Manners(), secrets_of=lambda _: {})
    assert [build_occasion(one, ctx).deepest for one in (tunnel, asked)] == [Depth.PROOF, Depth.VOLUME]
    _, outcome = run(check, "--depth", "page", "openvpn://192.0.2.1:1194")
    assert isinstance(outcome.exception, click.UsageError)


@pytest.mark.parametrize(("flag", "written", "hidden"), [
    (None, "show", False), (None, "alias", True), (True, "show", True), (False, "alias", False),
])  # fmt: skip
def test_what_is_said_on_the_command_line_counts_before_the_file(flag, written, hidden):
    settings = _with_flags(Settings(privacy=PrivacySettings(tunnels=TunnelNames(written))), alias=flag)
    assert (settings.privacy.tunnels is TunnelNames.ALIAS) is hidden
