"""Every command on the pages for users: run where it can be, else taken apart, and never passed over.

A command that no table here names is taken apart: `wallprobe` by its own parser, `make` by a dry run. One that is in
no table and of neither program fails, so that what is new on a page is tried.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from probe.cli import main as wallprobe
from probe.model.settings import StoreSettings
from probe.net.clock import SystemClock
from probe.store.store import Store
from tests.deploy.commands import Command, find_commands
from tests.unit.store.samples import make_ok

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "deploy" / "README.md", ROOT / "targets" / "README.md")
NEEDS = {
    "systemctl": "systemd as the first process",
    "podman": "a container engine",
    "/opt/wallprobe/bin/pip": "minutes, and the package index; `make setup` does the same",
    "ssh": "a vantage; tests/deploy/test_ways_out.py runs it",
    "openssl": "nothing; tests/deploy/test_ways_out.py runs it",
    "prometheus": "a receiver; tests/deploy/test_ways_out.py runs it",
}
"""Programs that are not run here, and why; what can be said of their words is checked."""
PLACES = ("/opt/", "/usr/bin/", "/lib/systemd/", "/etc/", "/var/backups/")
RUN_HERE = ("python3 -m venv", "ln -s", "install ", "wallprobe init", "wallprobe config check", "wallprobe doctor",
            "wallprobe db ", "wallprobe export --format openmetrics", "promtool ")  # fmt: skip


def all_commands() -> list[Command]:
    return [command for page in PAGES for command in find_commands(page)]


def words_of(command: Command) -> list[str]:
    words = shlex.split(command.text.replace(".venv/bin/", ""))
    return words[: words.index(">")] if ">" in words else words


def is_run(command: Command) -> bool:
    return command.text.startswith(RUN_HERE) and "~" not in command.text


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty system: absolute paths lead here, and the shell stands in a copy of the checkout's deploy folder."""
    folder = tmp_path_factory.mktemp("system")
    for place in (*PLACES, "/checkout/"):
        (folder / place.strip("/")).mkdir(parents=True, exist_ok=True)
    for name in ("deploy", "targets"):
        shutil.copytree(ROOT / name, folder / "checkout" / name)
    state = folder / "var" / "lib" / "wallprobe" / "wallprobe.db"
    with Store.open(StoreSettings(path=str(state)), SystemClock()) as store:
        now_s = SystemClock().wall_s()
        for number in range(5):
            store.add(make_ok(0, now_s - 600 + number, serial=number))
        store.flush_now()
    return folder


def inside(words: list[str], root: Path) -> list[str]:
    for place in PLACES:
        words = [f"{root}{word}" if word.startswith(place) else word for word in words]
    return words


def test_what_can_be_run_runs_in_the_order_of_the_page(root: Path) -> None:
    # As root's shell has it: the commands must find the agent's database by the configuration alone.
    environ = {**os.environ, "HOME": str(root / "nowhere"), "WALLPROBE_LOOP": "asyncio"}
    environ.pop("STATE_DIRECTORY", None)
    done = []
    for command in find_commands(PAGES[1]):
        if not is_run(command) or (command.text.startswith("promtool") and shutil.which("promtool") is None):
            continue
        words = inside(words_of(command), root)
        if words[0] == "python3":
            words.append("--without-pip")  # half a minute less; the layout is the same
        if words[0] == "wallprobe":
            words = [sys.executable, "-m", "probe", *words[1:]]
        if words[0] == "ln":
            Path(words[2]).write_text("#!/bin/sh\n")  # pip would have put it there
        run = subprocess.run(
            words, cwd=root / "checkout", env=environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert run.returncode == 0, f"{command.text}\n{run.stdout}{run.stderr}"
        done.append(command.text)
        if "init" in words:
            written = root / "etc/wallprobe/wallprobe.yml"
            # Under /etc itself this line is in force (tests/unit/cli/test_init_doctor.py).
            written.write_text(written.read_text().replace("# path: /var/lib/", f"path: {root}/var/lib/"))
    assert len(done) >= 14
    assert (root / "usr/bin/wallprobe").resolve() == (root / "opt/wallprobe/bin/wallprobe").resolve()
    unit = (root / "lib/systemd/system/wallprobe.service").read_text()
    for path in ("/usr/bin/wallprobe", "/etc/wallprobe/wallprobe.yml", "/etc/default/wallprobe"):
        assert path in unit
        assert (root / path.lstrip("/")).exists() or (root / path.lstrip("/")).is_symlink()
    assert (root / "var/backups/wallprobe.db").stat().st_size > 0
    assert any((root / "checkout" / "data").iterdir()) or shutil.which("promtool") is None


def parse(words: list[str]) -> None:
    """Have the command line read by the commands' own parser, without running anything."""
    context = wallprobe.make_context("wallprobe", list(words), resilient_parsing=False)
    group: click.Command = wallprobe
    while isinstance(group, click.Group):
        name, group_command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        assert group_command is not None
        group = group_command
        # Lists of arguments may name files that the page's reader has and this machine has not.
        context = group.make_context(name or "", rest, parent=context)


@pytest.mark.parametrize("command", all_commands(), ids=lambda command: re.sub(r"\W+", "-", command.text)[:60])
def test_every_command_is_one_that_there_is(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(command)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    match words[0]:
        case "wallprobe":
            parse(words[1:])
        case "make":
            run = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
        case "curl":
            assert words[-1].startswith(("127.0.0.1:9785/", "http://127.0.0.1:9785/"))
        case "systemctl":
            assert "wallprobe" in words or words[1] == "daemon-reload"
        case "podman":
            _look_at_podman(words)
        case program:
            assert program in NEEDS or is_run(command), f"nothing tries {command.text!r}"


def _look_at_podman(words: list[str]) -> None:
    if words[1] == "build":
        assert (ROOT / words[words.index("--file") + 1]).is_file()
    elif words[1] == "run":
        assert {"--read-only", "no-new-privileges"} <= set(words)
        assert words[words.index("--cap-drop") + 1] == "all"


def test_the_container_file_runs_as_nobody_and_writes_only_where_a_volume_is() -> None:
    text = (ROOT / "deploy" / "container" / "Containerfile").read_text()
    user = re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert user is not None
    assert "0" not in user.groups()
    assert "VOLUME /var/lib/wallprobe" in text
    assert "STATE_DIRECTORY=/var/lib/wallprobe" in text
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists(), name
    words = shlex.split(text[text.index("CMD [", text.index("ENTRYPOINT")) :].replace(",", " ").strip("CMD []\n"))
    parse([word.strip("[]") for word in words])


def test_files_of_the_debian_layout_are_there_and_go_where_the_unit_looks() -> None:
    file = ROOT / "deploy" / "debian" / "wallprobe.install"
    assert os.access(file, os.X_OK), "debhelper runs it, and would take `=>` for a file otherwise"
    lines = file.read_text().splitlines()
    assert lines[0] == "#! /usr/bin/dh-exec"
    pairs = [line.split(" => ") for line in lines if line and not line.startswith("#")]
    assert all((ROOT / source).is_file() for source, _ in pairs)
    assert all(Path(place).is_absolute() and not place.endswith("/") for _, place in pairs)
    said = [command.text.split()[-2:] for command in find_commands(PAGES[1]) if command.text.startswith("install -D")]
    assert all(pair in pairs for pair in said), "the page puts files where the package does"
    assert "/etc/default/wallprobe" in {place for _, place in pairs}
    default = (ROOT / "deploy" / "debian" / "default").read_text()
    arguments = re.search(r'^ARGS="(.*)"$', default, re.MULTILINE)
    assert arguments is not None
    parse(["run", *shlex.split(arguments[1])])
