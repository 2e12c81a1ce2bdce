"""The gate's memory in a slot of the database."""

import secrets
from collections.abc import Callable

import msgspec

from probe.model.ledger import HotEndpoint, LedgerState
from probe.net.clock import Clock
from probe.store.jobs import FillSlot, Job
from probe.store.reader import Reader

SLOT = "ledger"
_SEALED = b"wallprobe-sealed-1\n"
_NONCE_BYTES = 12
_LONGEST_S = 3600.0
_BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    state: LedgerState
    boot: str


class _SealedError(Exception):
    """What was kept cannot be read without the key that it was sealed with."""


class StoreLedger:
    """`probe.model.ledger.Ledger` over a store."""

    def __init__(self, reader: Reader, add: Callable[[Job], object], clock: Clock, seal: bytes | None = None) -> None:
        """Prepare; with `seal`, a key of 32 bytes, what is kept cannot be read without it."""
        self._reader = reader
        self._add = add
        self._clock = clock
        self._boot_id = read_boot_id()
        self._seal = None
        if seal is not None:
            from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # who reads the store needs none

            self._seal = ChaCha20Poly1305(seal)

    def load(self) -> LedgerState:
        """Return what was last committed; an empty state when there is none, it is of another version, or sealed.

        Raises:
            UserError: the database cannot be read.
        """
        data = self._reader.load_slot(SLOT)
        if data is None:
            return LedgerState()
        try:
            return decode_ledger(self._open(data), self._boot_id, self._clock)
        except (msgspec.DecodeError, _SealedError):
            return LedgerState()

    def save(self, state: LedgerState) -> None:
        """Queue the state; never blocks. Await `Store.flush` where it must be on disk before a packet goes out."""
        data = encode_ledger(state, self._boot_id)
        if self._seal is not None:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            data = _SEALED + nonce + self._seal.encrypt(nonce, data, None)
        self._add(FillSlot(name=SLOT, data=data))

    def _open(self, data: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            _SealedError: we have no key, or not that one.
        """
        if not data.startswith(_SEALED):
            return data
        if self._seal is None:
            raise _SealedError
        from cryptography.exceptions import InvalidTag

        nonce, sealed = data[len(_SEALED) :][:_NONCE_BYTES], data[len(_SEALED) + _NONCE_BYTES :]
        try:
            return self._seal.decrypt(nonce, sealed, None)
        except InvalidTag as error:
            raise _SealedError from error


def read_boot_id() -> str:
    """Return what tells this boot from any other; empty where the system does not say."""
    try:
        with open(_BOOT_ID_FILE, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def encode_ledger(state: LedgerState, boot_id: str) -> bytes:
    """Return a state as it is stored."""
    return msgspec.msgpack.encode(_Saved(state=state, boot=boot_id))


def decode_ledger(data: bytes, boot_id: str, clock: Clock) -> LedgerState:
    """Read a stored state, with times on the running boot's clock and without what has cooled down.

    Raises:
        msgspec.DecodeError: the data is damaged, or of another version.
    """
    saved = msgspec.msgpack.decode(data, type=_Saved)
    same_boot = boot_id != "" and saved.boot == boot_id
    hot = (place if same_boot else _translate(place, clock) for place in saved.state.hot)
    return msgspec.structs.replace(
        saved.state, hot=tuple(place for place in hot if place.until_boot_s > clock.boot_s())
    )


def _translate(place: HotEndpoint, clock: Clock) -> HotEndpoint:
    """Carry a time over a reboot by the wall clock, which then is all there is; if it is wrong, not beyond an hour."""
    remaining_s = min(place.until_wall_s - clock.wall_s(), _LONGEST_S)
    return msgspec.structs.replace(place, until_boot_s=clock.boot_s() + remaining_s)
