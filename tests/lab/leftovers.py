"""What a lab could leave on the host: processes, links, named namespaces, mounts."""

import os
import subprocess
import time
from pathlib import Path


def find_descendants(parent):
    """Return the start times of all processes below this one, by process id."""
    starts, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _read_stat(int(entry.name))) is not None:
            parents[int(entry.name)], starts[int(entry.name)] = int(fields[1]), fields[19]
    below, grown = {parent}, True
    while grown:
        more = {pid for pid, its_parent in parents.items() if its_parent in below} - below
        below |= more
        grown = bool(more)
    return {pid: starts[pid] for pid in below - {parent}}


def wait_for_end(processes, patience_s=5.0):
    """Return which of these processes still run, once they have had time to end."""
    until_s = time.monotonic() + patience_s
    while True:
        found = [pid for pid, start in processes.items() if _runs(pid, start)]
        if not found or time.monotonic() > until_s:
            return found
        time.sleep(0.05)


def list_places():
    """Return links, named namespaces and mounts of the host."""
    links = sorted(os.listdir("/sys/class/net"))
    spaces = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=False).stdout.split()
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "wallprobe" in line]
    return links, spaces, mounts


def _runs(pid, start):
    fields = _read_stat(pid)
    return fields is not None and fields[19] == start and fields[0] != "Z"


def _read_stat(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
