"""What makes one installation different from any other: a key beside its database, and which secrets it has met.

With the key, secrets and addresses are hashed that must be recognised and not be known: whoever lacks it can try no
password, and no address, against such a hash. Several vantages that shall use the same aliases share one key file.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import TypeVar

import msgspec

from probe.model.errors import UserError
from probe.store.errors import build_user_error
from probe.store.place import find_path, give_to_owner

KEY_NAME = "installation.key"
REGISTER_NAME = "identities.json"
KEY_BYTES = 32
_T = TypeVar("_T")


def load_key(store_path: str, key_file: str = "", *, make: bool = True) -> bytes | None:
    """Return the key, made where it is missing and `make`; `None` = there is none, and the folder takes none.

    Raises:
        UserError: `key_file` is named and is no good.
    """
    path = Path(key_file) if key_file else find_path(store_path).with_name(KEY_NAME)
    try:
        key = _read_or_make(path, make=make and not key_file)
    except OSError as error:
        if key_file:
            raise build_user_error(str(path), error) from None
        return None
    if len(key) < KEY_BYTES:
        if not key_file:
            return None
        remedy = f"make one: head -c {KEY_BYTES} /dev/urandom > {path}; chmod 600 {path}"
        raise UserError(str(path), f"holds {len(key)} bytes, and a key has {KEY_BYTES}", remedy)
    return key[:KEY_BYTES]


def _read_or_make(path: Path, *, make: bool) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if not make:
            raise
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=KEY_NAME, delete=False) as file:
        give_to_owner(file.name)
        try:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
        except OSError:
            os.unlink(file.name)
            raise
    try:
        # Linking fails where the name is taken: of two processes that start at once, both read the first one's key.
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)
    finally:
        os.unlink(file.name)
    return path.read_bytes()


def load_register(store_path: str, kind: type[_T]) -> _T | None:
    """Return what `save_register` kept; `None` = nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode(_register_path(store_path).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def save_register(store_path: str, register: object) -> None:
    """Keep a register in place of the one before, whole or not at all; where that cannot be, it is left as it was."""
    path = _register_path(store_path)
    with contextlib.suppress(OSError):
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=REGISTER_NAME, delete=False) as file:
            give_to_owner(file.name)
            file.write(msgspec.json.encode(register))
        os.replace(file.name, path)


def _register_path(store_path: str) -> Path:
    return find_path(store_path).with_name(REGISTER_NAME)
