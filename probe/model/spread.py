"""Even spread without dice: the same text gives the same number on every host, in every run."""

import hashlib


def stable_hash(text: str) -> int:
    """Return 64 bits that depend on the text alone, unlike `hash`, which is salted per process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
