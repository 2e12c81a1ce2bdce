"""Who may ask, and how often. Only hashes are kept: whoever reads the file cannot ask in another's name.

A plain SHA-256 is enough, because a token is 256 random bits and cannot be guessed from its hash.
"""

import hashlib
import secrets

from probe.gate.line import TokenBucket
from probe.model.settings import TokenEntry

_PREFIX = "wpc_"
"""Lets a token be recognised where it should not be, such as in a public repository."""
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 256
MAX_CERTIFICATE_CALLERS = 1000


def make_token() -> str:
    """Return a new token."""
    return _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Caller:
    """Somebody who may ask, with the budget of requests that is left."""

    def __init__(self, name: str, per_minute: float, now_s: float) -> None:
        self.name = name
        # A round of targets may all fail at once: a quarter of a minute's budget may come together.
        self._bucket = TokenBucket(per_minute / 60, now_s, burst=max(1.0, per_minute / 4))

    def take(self, now_s: float) -> float:
        """Take one request; return 0, or after how many seconds to come again."""
        return 0.0 if self._bucket.take(now_s) else self._bucket.wait_s()


class Callers:
    """All who may ask. `per_minute` is for those who have no entry: client certificates, and loopback without any."""

    def __init__(self, entries: tuple[TokenEntry, ...], per_minute: float, now_s: float) -> None:
        self._by_hash = {entry.sha256: Caller(entry.name, entry.per_minute, now_s) for entry in entries}
        self._per_minute = per_minute
        self._by_name: dict[str, Caller] = {}

    @property
    def has_tokens(self) -> bool:
        """Tell whether any token is configured."""
        return bool(self._by_hash)

    def find(self, token: str) -> Caller | None:
        """Return whose token this is; `None` = nobody's."""
        return self._by_hash.get(hash_token(token)) if len(token) <= _LONGEST_TOKEN else None

    def known_otherwise(self, name: str, now_s: float) -> Caller:
        """Return the caller behind a client certificate, an address, or loopback; the oldest is forgotten for room."""
        caller = self._by_name.get(name)
        if caller is None:
            if len(self._by_name) >= MAX_CERTIFICATE_CALLERS:
                del self._by_name[next(iter(self._by_name))]
            caller = self._by_name[name] = Caller(name, self._per_minute, now_s)
        return caller


def parse_bearer(header: str) -> str:
    """Return the token of an `Authorization` header (RFC 6750 section 2.1), or an empty string."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
