"""What `export --format ooni` writes, loaded by OONI's own `oonidata`.

It pins old versions of libraries that we use newer ones of, so it lives in a virtual environment of its own, which
`python tests/peers/install.py` makes; or OONIDATA_PYTHON names another.
"""

import json
import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from probe.export.ooni.line import render_ooni
from probe.export.ooni.scrub import Scrubber
from tests.peers.install import READER_PYTHON
from tests.unit.export.test_ooni_control import SEEN, report
from tests.unit.store.samples import make_blocked, make_ok, make_server_side

READER = Path(__file__).with_name("oonidata_reader.py")
PYTHON = os.environ.get("OONIDATA_PYTHON") or str(READER_PYTHON)

pytestmark = pytest.mark.skipif(not Path(PYTHON).exists(), reason="oonidata is missing: run tests/peers/install.py")


def test_oonis_own_reader_loads_what_we_export() -> None:
    told = msgspec.structs.replace(make_blocked(), controls=(report(SEEN),))
    lines = [render_ooni(one, Scrubber(())) for one in (make_ok(), make_blocked(), make_server_side(), told)]
    done = subprocess.run([PYTHON, str(READER)], input=b"".join(lines), capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    loaded = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["type"] for one in loaded} == {"WebConnectivity"}
    for line, one in zip(lines, loaded, strict=True):
        keys = json.loads(line)["test_keys"]
        counts = [len(keys[key] or ()) for key in ("queries", "tcp_connect", "tls_handshakes", "requests")]
        assert [one["queries"], one["connects"], one["handshakes"], one["requests"]] == counts
        assert (one["blocking"], one["accessible"]) == (keys["blocking"], keys["accessible"])
