"""How long things take, and how busy the machine is, for bars that mean a quiet one."""

import gc
import subprocess
import sys
import time
from collections.abc import Callable

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


def measure_cpu_s(work: Callable[[], object]) -> float:
    """Return the processor seconds of a piece of work: the least of three, and without a look through old objects.

    What earlier tests of this process have left is a hundred times what a command holds, and the garbage collector goes
    through all of it while the work makes new objects.
    """
    gc.collect()
    gc.freeze()
    try:
        spent_s = []
        for _ in range(3):
            before_s = time.process_time()
            work()
            spent_s.append(time.process_time() - before_s)
        return min(spent_s)
    finally:
        gc.unfreeze()
