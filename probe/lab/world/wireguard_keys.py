"""The keys of the lab's real WireGuard server and of its one client: no secrets, for they open nothing outside."""

import base64

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SERVER_KEY, CLIENT_KEY = bytes(range(1, 33)), bytes(range(60, 92))


def as_text(key: bytes) -> str:
    """Return a key as files have it."""
    return base64.b64encode(key).decode()


def public_of(private: bytes) -> bytes:
    """Return the public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
