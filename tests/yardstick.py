"""How busy the machine is, for bars that mean a quiet one."""

import subprocess
import sys

_BURN = """
import time
before_s = time.monotonic()
while time.process_time() < 0.3: pass
print((time.monotonic() - before_s) / 0.3)
"""


def measure_slowness() -> float:
    """Return how many times longer than alone a process takes now, at least 1: a factor for bars of wall time."""
    done = subprocess.run([sys.executable, "-S", "-c", _BURN], capture_output=True, text=True, check=True)
    return max(1.0, float(done.stdout))
