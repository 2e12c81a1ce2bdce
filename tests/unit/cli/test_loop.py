"""With hardly any descriptors a command says so in one line; it does not break in some library."""

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("allowed", [14, 20, 31])
def test_too_few_open_files_are_an_error_of_one_line(allowed: int) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({allowed}, {allowed}))"
    program = f"{limit}; from probe.__main__ import run_command; raise SystemExit(run_command(['check', 'a.example']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"open files: this process may have {allowed}, which is too few" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_limit_that_falls_while_a_command_runs_takes_nothing_of_its_answer(loop: str) -> None:
    program = (
        "import asyncio, resource\n"
        "from probe.cli.loop import run\n"
        "async def main():\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "    return 'an answer'\n"
        "print(run(main()))"
    )
    environment = {**os.environ, "WALLPROBE_LOOP": loop}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "an answer\n", "")
