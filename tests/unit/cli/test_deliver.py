"""Figures of a single check: a file put into place whole, and a Pushgateway."""

import os
import stat
from pathlib import Path

import click
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families as read

from probe.__main__ import run_command
from probe.cli.deliver import check_textfile, push, push_url, render_page, settle_gateway, write_textfile
from probe.model.errors import UserError
from tests.unit.store.samples import START, make_blocked, make_ok


def test_the_page_has_the_verdict_and_no_counter():
    page = render_page([make_ok(0, START), make_blocked(1, START)]).decode()
    families = {family.name: family for family in read(page)}
    assert [sample.value for sample in families["wallprobe_target_reachable"].samples] == [1.0, 0.0]
    assert families["wallprobe_check_last_run_timestamp_seconds"].samples[0].value >= START
    assert not any(name.startswith("wallprobe_check_runs") or "failures" in name for name in families)
    assert all(family.samples for family in families.values())


def test_the_file_is_replaced_whole_and_readable_for_the_collector(tmp_path: Path):
    path = tmp_path / "wallprobe.prom"
    path.write_text("old")
    write_textfile(str(path), b"new\n")
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["wallprobe.prom"]


def test_a_disk_that_refuses_leaves_the_old_file_and_no_rest(tmp_path: Path):
    folder = tmp_path / "wallprobe.prom"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(UserError):
        write_textfile(str(folder), b"new")
    assert os.listdir(tmp_path) == ["wallprobe.prom"]


@pytest.mark.parametrize("name", ["wallprobe.txt", "/nowhere/at/all/x.prom"])
def test_what_the_collector_would_not_read_is_said_before_anything_is_measured(name, tmp_path):
    with pytest.raises(UserError):
        check_textfile(name if name.startswith("/") else str(tmp_path / name))
    assert run_command(["check", "https://192.0.2.1", "--textfile", name]) == 2


@pytest.mark.parametrize(
    "text", ["9091", "ftp://a", "http://", "http://secret@a:99999", "http://a/?x=secret", "//[::1"]
)
def test_an_address_that_is_none_is_refused_and_not_quoted(text):
    with pytest.raises(UserError) as refused:
        push_url(text, "sh-1")
    assert "secret" not in str(refused.value)


def test_the_group_is_the_job_and_the_vantage_unless_one_is_named():
    assert push_url("http://a:9091/", "s/h") == "http://a:9091/metrics/job/wallprobe_check/instance/s%2Fh"
    assert push_url("http://a/metrics/job/mine", "x") == "http://a/metrics/job/mine"


def test_the_password_of_a_gateways_user_is_taken_from_the_environment(capsys):
    environ = {"WALLPROBE_PASSWORD": "a/b @c"}
    url = settle_gateway("https://ops@gate.example:9091", "sh-1", environ)
    assert url.startswith("https://ops:a%2Fb%20%40c@gate.example:9091/metrics/job/")
    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match="names a user without a password"):
        settle_gateway("https://ops@gate.example", "sh-1", {})
    assert "@" not in settle_gateway("https://gate.example", "sh-1", environ)


def test_a_password_in_the_address_works_and_is_warned_of(capsys):
    assert ":planted@" in settle_gateway("https://ops:planted@gate.example", "sh-1", {})
    told = capsys.readouterr().err
    assert told.startswith("warning: ")
    assert "planted" not in told


async def test_a_gateway_that_refuses_or_is_not_there_is_said_without_the_password():
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=400, text="no\nway")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", refuse)
    async with TestServer(app) as server:
        with pytest.raises(click.ClickException, match="refuses: 400 no way"):
            await push(str(server.make_url("/metrics/job/x")).replace("://", "://u:planted@"), b"a 1\n")
        port = server.port
    with pytest.raises(click.ClickException, match="does not answer") as failed:
        await push(f"http://u:planted@127.0.0.1:{port}/metrics/job/x", b"a 1\n")
    assert "planted" not in failed.value.message
