"""The unit: how much it gives away, by systemd's own count."""

import re
import shutil
import subprocess
import sys
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


NO_NEW_CODE = """
import asyncio, ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
    sys.exit(77)
import mmap
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit("memory may still become code")
except PermissionError:
    pass
from probe.cli.loop import loop_factory
from probe.model.settings import StoreSettings
from probe.net.clock import SystemClock
from probe.net.stack import Stack
from probe.protocols import SPECS
from probe.protocols.engines import dtls, quic, tls
from probe.store.store import Store
import aioquic.quic.connection, blake3, isal.isal_zlib, nacl.bindings, rtls, scapy.all, uvloop
Store.open(StoreSettings(path=sys.argv[1]), SystemClock()).close()
nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(b"x", b"", bytes(24), bytes(32))
assert dtls.DTLSEngine("www.example.org").flush()[0][0] == 22
async def main():
    await Stack.open().close()
with asyncio.Runner(loop_factory=loop_factory()) as runner:
    runner.run(main())
print("fine", len(SPECS))
"""


def test_no_library_makes_code_at_run_time(tmp_path: Path):
    """What MemoryDenyWriteExecute= forbids, by the kernel's own switch (Linux 6.3); callbacks of cffi would need it."""
    assert "MemoryDenyWriteExecute=yes\n" in UNIT.read_text()
    done = subprocess.run(
        [sys.executable, "-c", NO_NEW_CODE, str(tmp_path / "w.db")], capture_output=True, text=True, check=False,
        timeout=60, cwd=UNIT.parents[2],
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("this kernel cannot refuse it")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fine")
