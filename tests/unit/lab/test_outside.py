"""The lab's control is set up as a person would set one up, and the client's configuration knows it."""

from probe.config.reader import parse_config
from probe.control.settings import parse_serve_settings
from probe.lab.client.agent import render_config
from probe.lab.outside import PORT, render_serve_config
from probe.lab.world.atlas import CONTROL_V4, build_world

CONTROLS = ({"url": f"https://{CONTROL_V4}:{PORT}", "name": "outside", "token_file": "/run/token", "pin": "ab" * 32},)


def test_the_controls_own_file_says_what_a_person_would_write():
    settings = parse_serve_settings(render_serve_config("secret", {}), "control.yml")
    assert settings.listen == (f"{CONTROL_V4}:{PORT}",)
    assert not settings.echo.low <= PORT <= settings.echo.high
    assert "secret" not in render_serve_config("secret", {})


def test_the_clients_configuration_names_the_control_and_shortens_its_rounds():
    settings = parse_config(render_config(build_world(), CONTROLS), "wallprobe.yml", {})
    assert [control.name for control in settings.controls] == ["outside"]
    assert settings.limits.rounds_apart_s < 30


def test_without_a_control_none_is_named():
    assert parse_config(render_config(build_world()), "wallprobe.yml", {}).controls == ()


def test_the_control_stands_where_no_site_does():
    world = build_world()
    assert all(not address.startswith("193.0.") for address in world.all_addresses)
