"""How a command ends: exit codes and one-line errors, asked of the real process."""

import json
import os
import signal
import subprocess
import sys

import pytest


def wallprobe(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"}
    command = [sys.executable, "-m", "probe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False, **options)


def test_version_names_what_can_change_a_measurement():
    done = wallprobe("version", "--json")
    assert done.returncode == 0
    assert {"wallprobe", "python", "openssl", "certifi"} <= set(json.loads(done.stdout))
    assert wallprobe("version").stdout.startswith("wallprobe 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nope",),
        ("version", "--nope"),
        ("targets", "lint", "/nonexistent/list.txt"),
        ("targets", "lint", "no-such-list"),
        ("targets", "import", "/nonexistent"),
        ("config", "check", "/nonexistent.yml"),
        ("targets", "import"),
    ],
)
def test_an_error_of_the_user_is_one_line_and_exit_code_2(arguments):
    done = wallprobe(*arguments)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr


def test_help_lists_the_commands_without_importing_them():
    done = wallprobe("--help")
    assert done.returncode == 0
    assert "targets" in done.stdout
    script = "import sys, probe.__main__ as m; m.run_command(['--help']); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for heavy in ("aiohttp", "rich.table", "probe.cli.commands.targets", "asyncio", "yaml"):
        assert f"'{heavy}'" not in loaded


def test_a_reader_that_has_gone_is_no_error(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("".join(f"https://s{number}.example\n" for number in range(20000)))
    command = f"{sys.executable} -m probe targets list {path} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("s0.example\t")
    assert done.stderr == ""


def test_no_command_at_all_shows_the_help():
    done = wallprobe()
    assert done.returncode == 2
    assert "Usage: wallprobe" in done.stderr


def test_ctrl_c_is_exit_code_130_without_a_traceback(tmp_path):
    pipe = tmp_path / "list.txt"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "probe", "targets", "import", str(pipe)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with pipe.open("w"):  # opens once the command reads from it
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors


SERVERS = {"aiohttp", "jinja2", "prometheus_client", "bcrypt", "isal"}
NETWORK = {"aioquic", "OpenSSL", "cryptography", "dns", "uvloop"}
LIBRARIES = SERVERS | NETWORK | {"scapy", "rich", "maxminddb", "pyroute2", "ctypes", "importlib.metadata"}


@pytest.mark.parametrize(
    ("command", "used"),
    [
        ("check", {"cryptography", "dns", "importlib.metadata", "bcrypt"}),
        ("explain", set()),
        ("history", set()),
        ("classify", set()),
        ("patterns", set()),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_use(command, used):
    code = (
        f"import sys; known = set(sys.modules); import probe.cli.commands.{command}; print(*{{*sys.modules}} - known)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = LIBRARIES & set(done.stdout.split())
    assert loaded <= used, "start-up time is a feature: import it where it is used"
