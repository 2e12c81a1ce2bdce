"""That a test machine without its servers is told so, and not by silence."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.peers.install import PAUSES_S, install_packages, install_reader, missing, must_succeed

DEBIAN, UBUNTU = 'NAME="Debian"\nID=debian\n', "ID=ubuntu\nID_LIKE=debian\n"


class Apt:
    """apt-get over an archive that may be out of reach, or lack something; every command is noted."""

    def __init__(self, *, wanted: dict[str, str], fails: int = 0, gone: Sequence[str] = ()) -> None:
        self.wanted = dict(wanted)
        self.fails = fails
        self.gone = set(gone)
        self.commands: list[list[str]] = []
        self.slept: list[float] = []

    def run(self, command: Sequence[str]) -> int:
        self.commands.append(list(command))
        if "install" not in command:
            return 0
        if self.fails > 0:
            self.fails -= 1
            return 100
        packages = set(command[command.index("--no-install-recommends") + 1 :])
        if packages & self.gone:
            return 100
        self.wanted = {key: names for key, names in self.wanted.items() if not set(names.split()) <= packages}
        return 0

    def install(self) -> dict[str, str]:
        install_packages(self.run, lambda: self.wanted, self.slept.append)
        return self.wanted


@pytest.mark.parametrize(
    ("environ", "uid", "release", "must"),
    [
        ({}, 0, DEBIAN, True),
        ({"PEERS": "all"}, 0, DEBIAN, True),
        ({"PEERS": "some"}, 0, DEBIAN, False),
        ({}, 1000, DEBIAN, False),
        ({}, 0, UBUNTU, False),
        ({}, 0, "", False),
    ],
)
def test_what_is_missing_is_a_failure_for_root_on_debian_alone(environ, uid, release, must):
    assert must_succeed(environ, uid, release) is must


def test_where_all_is_there_apt_is_not_asked():
    apt = Apt(wanted={})
    assert apt.install() == {}
    assert apt.commands == []


def test_an_archive_out_of_reach_is_asked_again():
    apt = Apt(wanted={"nginx": "nginx-light", "charon": "charon plugins"}, fails=2)
    assert apt.install() == {}
    assert apt.slept == list(PAUSES_S[:2])
    assert apt.commands[-1][-3:] == ["charon", "nginx-light", "plugins"]


def test_one_package_that_is_gone_does_not_take_the_others_with_it():
    apt = Apt(wanted={"nginx": "nginx-light", "trojan": "trojan", "wg": "wireguard-tools"}, gone=["trojan"])
    assert apt.install() == {"trojan": "trojan"}


def test_the_reader_is_made_anew_where_it_does_not_work(tmp_path: Path):
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> int:
        commands.append(command)
        return int("oonidata==0.3.0" in command)

    assert install_reader(run, lambda _: None, tmp_path / "bin" / "python") is False
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"], ["-m", "pip"]]


def test_a_command_that_must_install_and_cannot_ends_with_one_that_says_how_to_go_on(tmp_path: Path):
    """The script itself, where no program is found and apt-get always fails."""
    (tmp_path / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    (tmp_path / "apt-get").chmod(0o755)
    code = (
        "import os, sys, pathlib; from tests.peers import install; install.PAUSES_S = (); "
        "install.missing = lambda: {'nginx': 'nginx-light'}; install.install_reader = lambda *_: True; "
        "os.geteuid = lambda: 0; pathlib.Path.read_text = lambda *_: 'ID=debian'; sys.exit(install.main())"
    )
    run: Callable[..., subprocess.CompletedProcess[str]] = lambda **environ: subprocess.run(  # noqa: E731
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **environ},
    )  # fmt: skip
    failed = run()
    assert failed.returncode == 1
    assert "cannot be installed" in failed.stderr
    assert "nginx (nginx-light)" in failed.stderr
    assert "PEERS=some" in failed.stderr
    allowed = run(PEERS="some")
    assert allowed.returncode == 0
    assert "tests of these are skipped: nginx (nginx-light)" in allowed.stderr


@pytest.mark.skipif(
    not must_succeed(os.environ, os.geteuid(), Path("/etc/os-release").read_text()), reason="not root on Debian"
)
def test_on_the_machine_that_proves_all_no_server_is_missing():
    assert missing() == {}
