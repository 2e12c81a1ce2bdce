"""Ids of measurements: 26 characters, sortable by time. Source: ULID's text form (Crockford base 32, 48 + 80 bits)."""

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(wall_s: float) -> str:
    """Return a fresh id for a measurement that starts now."""
    number = (int(wall_s * 1000) << 80) | secrets.randbits(80)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
