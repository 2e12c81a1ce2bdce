"""Bad input and sudden ends: a clear line each, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.lab.leftovers import find_descendants, list_places, wait_for_end

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

WALLPROBE = [sys.executable, "-m", "probe"]
HOLDING = [*WALLPROBE, "lab", "run", "clean", "--", "sleep", "60"]


def run(*argv, timeout_s=110, **options):
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False, **options)


def start(*argv):
    # In a session of its own, so that a signal to the group reaches what a terminal's Ctrl-C would reach. Whoever runs
    # us in the background has us ignore SIGINT, and nohup SIGHUP; a terminal's command ignores neither.
    argv = ("env", "--default-signal=HUP,INT", *argv)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True)


@pytest.fixture(autouse=True)
def nothing_stays():
    before = list_places()
    yield
    assert list_places() == before


@pytest.mark.parametrize("words", [["run", "no-such"], ["prove", "no-such"], ["score", "--scenario", "no-such"]])
def test_an_unknown_scenario_is_one_clear_line(words):
    done = run(*WALLPROBE, "lab", *words)
    assert done.returncode == 2
    assert "no scenario 'no-such'" in done.stderr
    assert "`wallprobe lab list` shows them all" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["lab", "run", "clean", "--", "true"], ["lab", "score", "--scenario", "clean"], ["demo"]]
)
def test_a_kernel_that_refuses_namespaces_is_one_line_with_the_remedy(words):
    limits = "/proc/sys/user/max_net_namespaces"
    # In a user namespace of our own the limit can be lowered without touching the host's.
    script = f'echo 0 > {limits} && exec "$@"'
    done = run("unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *WALLPROBE, *words)
    if "unshare" in done.stderr.splitlines()[0] or limits in done.stderr:
        pytest.skip("no user namespace to try it in")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert "the kernel refuses" in lines[0]
    assert "run as root" in lines[0]


@pytest.mark.parametrize(
    ("begun", "after_s"), [(False, 0.05), (False, 0.3), (False, 0.6), (True, 0.0), (True, 0.4), (True, 1.6)]
)
def test_ctrl_c_at_any_moment_ends_everything(begun, after_s):
    held = start(*WALLPROBE, "lab", "score", "--scenario", "clean", "--scenario", "blackhole", "--scenario", "sni-drop")
    if begun:
        wait_for_parts(held, 1)
    time.sleep(after_s)
    parts = find_descendants(held.pid)
    os.killpg(held.pid, signal.SIGINT)
    _, said = held.communicate(timeout=60)
    assert wait_for_end(parts) == []
    # Before our first line runs the interrupt is Python's own to report; once there is a part of a lab, it has run.
    assert not parts or (held.returncode, said) == (130, "")


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_lab_takes_everything_with_it(with_signal):
    held = start(*HOLDING)
    parts = wait_for_program(held)
    held.send_signal(with_signal)
    held.communicate(timeout=60)
    assert wait_for_end(parts) == []


@pytest.mark.parametrize("number", range(4))
def test_whichever_part_is_killed_the_rest_ends_too(number):
    held = start(*HOLDING)
    parts = wait_for_program(held)
    keepers = sorted(parts)[:4]  # in the order of their start: keeper, process 1, world, forwarder
    os.kill(keepers[number], signal.SIGKILL)
    held.send_signal(signal.SIGTERM)
    held.communicate(timeout=60)
    assert wait_for_end(parts) == []


def wait_for_program(held):
    """Return the parts of a lab once the program in its client runs as well."""
    return wait_for_parts(held, 5)


def wait_for_parts(held, count, patience_s=60.0):
    """Return the parts of labs once there are so many; a busy machine may take its time."""
    until_s = time.monotonic() + patience_s
    while len(parts := find_descendants(held.pid)) < count:
        if held.poll() is not None or time.monotonic() > until_s:
            held.kill()
            pytest.fail(f"the lab did not come up: exit code {held.returncode}, {held.communicate()}")
        time.sleep(0.05)
    return parts


def test_without_tun_the_lab_stands_on_packet_sockets():
    script = 'mount --bind /dev/null /dev/net/tun && exec "$@"'
    names = [word for name in ("clean", "sni-reset", "tunnel-default-route") for word in ("--scenario", name)]
    wanted = [*WALLPROBE, "lab", "score", *names, "--seed", "3"]
    done = run("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *wanted)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("no user namespace to try it in")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 exact" in done.stdout
    assert "skipped: tunnel-default-route (there is no TUN interface" in done.stdout
