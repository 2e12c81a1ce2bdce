"""Where secrets stand, and how they are read: files, the environment, systemd credentials, or this process alone.

A `SecretRef` says `file:PATH`, `env:NAME` or `credential:NAME` where the whole of it is the secret, `entry:PLACE#2.key`
for the secret `key` of the third endpoint that a place names, and `given:SERIAL.key` for one that came in an argument
or on standard input. Source: systemd.exec(5), `LoadCredential=` and `$CREDENTIALS_DIRECTORY`.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from probe.model.errors import UserError
from probe.model.target import SecretRef, Target

MOST_BYTES = 8 * 1024 * 1024
_KINDS = ("env", "credential")
_IN_FILES = ("entry", "file", "line")
_PUBLIC = ("ca", "cert")
"""What a file of its own may show to everybody."""
OPEN_TO_OTHERS = "holds keys and other users may read it (chmod 600)"


def is_named_place(text: str) -> bool:
    """Tell whether this is `env:NAME` or `credential:NAME`."""
    kind, colon, name = text.partition(":")
    return bool(colon) and kind in _KINDS and bool(name) and not name.startswith("//")


def place_of_file(text: str) -> str:
    """Return the place of a file, the same wherever the process is started."""
    return str(Path(text).expanduser().absolute())


def read_place(place: str) -> bytes:
    """Read all that stands at a path, `env:NAME` or `credential:NAME`.

    Raises:
        UserError: nothing can be read there; the place is named, never what is in it.
    """
    if place.startswith("env:"):
        found = os.environb.get(place[4:].encode()) if os.supports_bytes_environ else None
        if found is None:
            raise UserError(place, "there is no such variable", "set it for the process, or give a file")
        return found
    path = _credential(place) if place.startswith("credential:") else Path(place)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(place, "is too large for a client's file", "give the file that the VPN's owner handed out")
        return path.read_bytes()
    except OSError as error:
        raise UserError(place, f"cannot be read ({error.strerror})", "check the name and the rights") from None


def _credential(place: str) -> Path:
    folder, name = os.environ.get("CREDENTIALS_DIRECTORY", ""), place.partition(":")[2]
    if not folder:
        raise UserError(
            place, "systemd gave this process no credentials", f"write LoadCredential={name}:PATH in its unit"
        )
    if "/" in name or name in (".", ".."):
        raise UserError(place, "is no name of a credential", "give the name that LoadCredential= has for it")
    return Path(folder) / name


def is_open_to_others(place: str) -> bool:
    """Tell whether other users of this machine may read a file; what is none is not."""
    if is_named_place(place):
        return False
    try:
        return bool(os.stat(Path(place).expanduser()).st_mode & 0o077)
    except OSError:
        return False


def find_open_files(targets: Iterable[Target]) -> tuple[str, ...]:
    """Return the files that hold a secret of one of these targets, and that other users of this machine may read."""
    places: dict[str, None] = {}
    for target in targets:
        for name, reference in target.secrets.items():
            kind, _, place = reference.source.partition(":")
            if kind in _IN_FILES and not (kind == "file" and name in _PUBLIC):
                places[place if kind == "file" else place.rpartition("#")[0]] = None
    return tuple(place for place in places if is_open_to_others(place))


def changed_since(target: Target, at: float) -> bool:
    """Tell whether a file that holds a secret of the target was written since; of other places nobody knows."""
    for reference in target.secrets.values():
        place = reference.source.partition(":")[2].rpartition("#")[0] or reference.source.partition(":")[2]
        try:
            if os.stat(place).st_mtime > at:
                return True
        except OSError:
            continue
    return False


class Given:
    """Secrets that came in an argument or on standard input. They end with the process.

    The serial is a keyed hash of the values, so that a list that is read again gives the same references, and nobody
    who sees one can try passwords against it.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._values: dict[str, bytes] = {}

    def keep(self, found: Mapping[str, str]) -> dict[str, SecretRef]:
        """Remember the values, and return what a target holds in their place."""
        text = "\0".join(f"{name}\0{value}" for name, value in sorted(found.items()))
        serial = hashlib.blake2s(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).hexdigest()
        for name, value in found.items():
            self._values[f"given:{serial}.{name}"] = value.encode("utf-8", "surrogateescape")
        return {name: SecretRef(source=f"given:{serial}.{name}") for name in found}

    def read(self, source: str) -> bytes:
        """Return what was given.

        Raises:
            KeyError: nothing of the kind was, or not to this process.
        """
        return self._values[source]
