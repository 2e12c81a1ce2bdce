"""The API as our own description says it is: schemathesis makes requests from it, good and bad ones."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
pytestmark = pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="schemathesis is missing")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES, LONG_EXAMPLES = 8, 1000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        found = int(free.getsockname()[1])
    command = [sys.executable, "-m", "tests.deploy.serve", str(found)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"ready\n"
    yield found
    assert process.poll() is None, "the server ended"
    process.stdin.close()
    process.wait(10)


def resident_bytes(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        page = b"".join(iter(lambda: client.recv(65536), b""))
    (line,) = [line for line in page.splitlines() if line.startswith(b"process_resident_memory_bytes ")]
    return int(float(line.split()[1]))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(LONG_EXAMPLES, marks=pytest.mark.soak)])
def test_every_answer_is_what_the_description_promises(port: int, examples: int, tmp_path: Path) -> None:
    before, began_s = resident_bytes(port), time.monotonic()
    run = subprocess.run(
        [
            str(SCHEMATHESIS), "run", f"http://127.0.0.1:{port}/api/v1/openapi.json", "--checks", CHECKS,
            "--max-examples", str(examples), "--seed", "4711", "--phases", "examples,coverage,fuzzing", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1700,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert resident_bytes(port) - before < 40e6
    print(f"{time.monotonic() - began_s:.0f} s")
