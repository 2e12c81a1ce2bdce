"""A command that ends where no file may be opened any more ends without a traceback."""

import subprocess
import sys

SCRIPT = """
import resource
from probe.cli.loop import run

async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))  # what the loop has is above, and cannot be had again
    return "told"

print(run(main()))
"""


def test_the_loop_winds_up_where_this_process_may_open_no_other_file():
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout.strip(), ended.stderr, ended.returncode) == ("told", "", 0)
