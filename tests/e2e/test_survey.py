"""`wallprobe check vpn.…`: the site as always, and which gateways live there; other names are left in peace."""

import pytest

from tests.e2e.conftest import Stage
from tests.e2e.test_check import check, objects

VPN, SITE = "vpn.wall.example", "site-1.wall.example"


def test_a_name_like_a_vpns_is_greeted_and_what_lives_there_is_said(stage: Stage) -> None:
    stage.configure()
    done = check(stage, "--exit-status", VPN)
    assert done.returncode == 0, done.stderr
    assert "OK  https://vpn.wall.example" in done.stdout
    assert "Lives at vpn.wall.example: AnyConnect (443/tcp)" in done.stdout
    assert "“9.1, username”" in done.stdout
    for name in ("GlobalProtect", "FortiGate SSL VPN", "SSTP", "IKEv2", "OpenVPN"):
        assert f"    {name} " in done.stdout
    assert "greeted too, without credentials (--no-vpn)" in done.stderr


@pytest.mark.parametrize("arguments", [(SITE,), ("--no-vpn", VPN), (f"https://{VPN}",)], ids=["site", "told", "url"])
def test_nobody_else_is_greeted(stage: Stage, arguments: tuple[str, ...]) -> None:
    stage.configure()
    done = check(stage, "--json", *arguments)
    assert len(objects(done.stdout)) == 1
    assert done.stderr == ""
