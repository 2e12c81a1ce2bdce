"""The unit: how much it gives away, by systemd's own count."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "wallprobe.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_sandboxed():
    command = ["systemd-analyze", "security", "--offline=true", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"exposure level for wallprobe.service: ([0-9.]+)", done.stdout)
    if found is None:
        pytest.skip("this systemd cannot look at a unit that is not installed")
    assert float(found[1]) <= 2.0, done.stdout


def test_what_the_agent_reads_is_not_hidden_from_it():
    text = UNIT.read_text()
    assert "ProcSubset=pid" not in text, "routes and own addresses are read from /proc/net"
    assert "AF_NETLINK" in text
