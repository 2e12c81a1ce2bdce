"""A target's id: readable, the same on every vantage, and different for every different target.

A site on its usual port is its name: `www.example.org`. Everything else is a readable part, a `~` (which no host name
holds) and a hash of what makes it different.
"""

import hashlib
import re

from probe.model.endpoint import AddressFamily
from probe.model.target import Request

_NOT_READABLE = re.compile(r"[^a-z0-9.]+")
_READABLE_LENGTH = 60


def make_id(address: str, plain_host: str, family: AddressFamily | None, request: Request | None) -> str:
    """Return the id of the target with this canonical address.

    `plain_host` is the host where the address says no more than it (https, usual port, no path), else empty.
    """
    if plain_host and family is None and request is None:
        return plain_host
    parts = [address]
    if family is not None:
        parts.append(f"family={int(family)}")
    if request is not None:
        parts.extend((request.method, request.body, *(f"{header.name}: {header.value}" for header in request.headers)))
    digest = hashlib.blake2s("\n".join(parts).encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
    readable = address.removeprefix("https://").replace("://", "-")
    if family is not None:
        readable = f"{readable.rstrip('/')}-ipv{int(family)}"
    slug = _NOT_READABLE.sub("-", readable.lower())[:_READABLE_LENGTH].strip("-")
    return f"{slug}~{digest}"
