"""Who asks: basic authentication against bcrypt hashes, so that the time an answer takes tells nothing.

Source: RFC 7617 for the header; prometheus/exporter-toolkit, web/handler.go: unknown users are compared with a fixed
hash, one comparison at a time, outcomes remembered. More than it: an unknown user, and one whose hash is cheaper than
another's, costs exactly as much as the dearest, and a flood of wrong passwords cannot push out the right ones.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

_KEPT = 100
_PASSWORD_BYTES = 72
"""bcrypt reads no more; its library refuses what is longer, and every other program cuts it off."""
_LOWEST_COST = 4

Compare = Callable[[bytes, bytes], bool]


def parse_basic(header: str) -> tuple[str, bytes] | None:
    """Return user and password of an `Authorization` header; `None` = it is none of ours."""
    scheme, _, coded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def dummy_hash(cost: int) -> bytes:
    """Return a hash of this cost that no password is known for."""
    return b"$2b$%02d$%s" % (cost, b"." * 53)


class Authenticator:
    """Knows the users of one reading of the file; a new reading makes a new one."""

    def __init__(self, users: Mapping[str, str], thread: ThreadPoolExecutor, compare: Compare = bcrypt.checkpw) -> None:
        self._hashes = {user: hashed.encode() for user, hashed in users.items()}
        self._thread = thread
        self._compare = compare
        self._cost = max((_read_cost(hashed) for hashed in self._hashes.values()), default=_LOWEST_COST)
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()

    async def admits(self, header: str) -> bool:
        """Tell whether the header proves a user; comparing is done in the thread, one at a time."""
        given = parse_basic(header)
        if given is None:
            return False
        user, password = given
        password = password[:_PASSWORD_BYTES]
        # Remembered by a keyed digest: a dump of the memory must not give passwords away.
        name = hmac.new(self._key, user.encode() + b"\0" + password, hashlib.sha256).digest()
        for outcome, kept in ((True, self._right), (False, self._wrong)):
            if name in kept:
                kept.move_to_end(name)
                return outcome
        right = await asyncio.get_running_loop().run_in_executor(self._thread, self._prove, user, password)
        kept = self._right if right else self._wrong
        kept[name] = None
        while len(kept) > _KEPT:
            kept.popitem(last=False)
        return right

    def _prove(self, user: str, password: bytes) -> bool:
        """Compare, and do as much work for every user: 2^c for a hash of cost c, the rest of 2^highest in dummies."""
        hashed = self._hashes.get(user)
        cost = self._cost if hashed is None else _read_cost(hashed)
        right = self._compare(password, hashed or dummy_hash(cost)) and hashed is not None
        for missing in range(cost, self._cost):
            self._compare(password, dummy_hash(missing))
        return right


def _read_cost(hashed: bytes) -> int:
    return int(hashed[4:6])
