"""A first configuration, and a look at the host."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.__main__ import run_command
from probe.cli.commands.init import render_config
from probe.cli.fitness import FAR_PAST_S, TIME_ERROR, Finding, Host, Level, look_at
from probe.config.reader import load_config, parse_config
from probe.model.errors import UserError
from probe.model.settings import Limits, Settings, StoreSettings
from probe.net.capabilities import Capabilities

ALL = Capabilities(error_queue=True, tcp_info=True, ping_socket=True, raw_socket=True)


def test_what_is_written_is_a_configuration_that_can_be_run(tmp_path: Path):
    path = tmp_path / "wallprobe.yml"
    assert run_command(["init", str(path), "--vantage", "sh-1", "--country", "cn"]) == 0
    settings = load_config(str(path))
    assert (settings.vantage.id, settings.vantage.country) == ("sh-1", "CN")
    assert run_command(["config", "check", str(path)]) == 0
    before = path.read_text()
    assert run_command(["init", str(path)]) == 2
    assert path.read_text() == before
    assert run_command(["init", str(path), "--force"]) == 0
    assert load_config(str(path)).vantage.id == "local"


def test_every_line_that_is_commented_out_can_be_used():
    text = render_config("wallprobe.yml", "a", "ZZ").replace("  # asn", "  asn").replace("# metrics", "metrics")
    text = text.replace("#   per_target", "  per_target").replace("  # open_health", "  open_health")
    text = text.replace("# resolvers", "resolvers").replace("  # path: ", "  path: ")
    assert parse_config(text, "x.yml", {}).vantage.asn == 64500


def test_a_host_has_one_database_for_the_agent_and_for_root_who_looks_after_it():
    at_host, at_home = (
        parse_config(render_config(file, "a", "ZZ"), file, {}).store.path for file in ("/etc/wallprobe/w.yml", "w.yml")
    )
    unit = (Path(__file__).parents[3] / "deploy" / "systemd" / "wallprobe.service").read_text()
    assert at_host == "/var/lib/wallprobe/wallprobe.db"
    assert "StateDirectory=wallprobe\n" in unit
    assert at_home == ""


def test_it_never_waits_where_nobody_is_asked(tmp_path: Path):
    command = [sys.executable, "-m", "probe", "init", "-"]
    for stdin in (subprocess.DEVNULL, subprocess.PIPE):
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert "vantage:" in process.stdout.read()
        assert process.wait(30) == 0


@given(st.text(max_size=20), st.text(max_size=4))
def test_any_name_is_written_or_refused(vantage, country):
    try:
        settings = parse_config(render_config("x.yml", vantage, country), "x.yml", {})
    except UserError:
        return
    assert settings.vantage.id == vantage


def make_host(root: Path, **fields: object) -> Host:
    given: dict[str, object] = {
        "capabilities": ALL,
        "addresses": ("198.51.100.7", "2001:500::7"),
        "wall_s": FAR_PAST_S + 1,
        "environ": {"STATE_DIRECTORY": str(root)},
        "root": root,
        "clock_state": lambda: 0,
    }
    files = {
        "etc/resolv.conf": "nameserver 198.51.100.53\n",
        "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "proc/sys/net/netfilter/nf_conntrack_max": "262144\n",
        "proc/sys/net/netfilter/nf_conntrack_count": "100\n",
        **fields.pop("files", {}),  # type: ignore[dict-item]
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Host(**(given | fields))  # type: ignore[arg-type]


SETTINGS = Settings(store=StoreSettings(max_size_bytes=1_000_000))


def find(findings: list[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_a_good_host_has_nothing_to_mend(tmp_path: Path):
    findings = look_at(make_host(tmp_path), SETTINGS)
    assert {finding.level for finding in findings} == {Level.OK}
    assert len(findings) >= 11


@pytest.mark.parametrize(
    ("name", "level", "fields"),
    [
        ("clock", Level.FAIL, {"wall_s": 0.0}),
        ("clock", Level.WARN, {"clock_state": lambda: TIME_ERROR}),
        ("clock", Level.SKIPPED, {"clock_state": lambda: None}),
        ("resolver", Level.FAIL, {"files": {"etc/resolv.conf": "search example.org\n"}}),
        ("resolver", Level.WARN, {"files": {"etc/resolv.conf": "nameserver 127.0.0.53\n"}}),
        ("ipv6", Level.WARN, {"addresses": ("198.51.100.7", "fe80::1%eth0", "fd00::1")}),
        ("ipv6", Level.WARN, {"files": {"proc/sys/net/ipv6/conf/all/disable_ipv6": "1\n"}}),
        ("raw sockets", Level.WARN, {"capabilities": msgspec.structs.replace(ALL, raw_socket=False)}),
        ("icmp echo", Level.WARN, {"capabilities": Capabilities()}),
        ("socket facts", Level.WARN, {"capabilities": Capabilities()}),
        ("local ports", Level.FAIL, {"files": {"proc/sys/net/ipv4/ip_local_port_range": "60000 60999"}}),
        ("conntrack", Level.WARN, {"files": {"proc/sys/net/netfilter/nf_conntrack_count": "262000"}}),
        ("proxy", Level.WARN, {"environ": {"HTTPS_PROXY": "http://user:planted@proxy"}}),
    ],
)
def test_each_thing_is_found_and_says_what_to_do(tmp_path: Path, name, level, fields):
    finding = find(look_at(make_host(tmp_path, **fields), SETTINGS), name)
    assert finding.level is level
    assert finding.remedy or level is Level.SKIPPED
    assert "planted" not in repr(finding)


def test_descriptors_and_disk_are_held_against_the_configuration(tmp_path: Path):
    big = Settings(limits=Limits(sockets=100_000_000), store=StoreSettings(max_size_bytes=10**18))
    findings = look_at(make_host(tmp_path), big)
    assert (find(findings, "descriptors").level, find(findings, "disk").level) == (Level.WARN, Level.WARN)


def test_the_command_prints_one_object_and_sends_nothing(capsys):
    assert run_command(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {finding["name"] for finding in report["findings"]} >= {"clock", "resolver", "disk", "descriptors"}
    assert run_command(["doctor"]) == 0
