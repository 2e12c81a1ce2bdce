"""Ids of measurements: 26 characters, sortable by time. Source: ULID's text form (Crockford base 32, 48 + 80 bits)."""

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
"""Two characters at a time: half the steps."""


def new_id(wall_s: float) -> str:
    """Return a fresh id for a measurement that starts now."""
    number = (int(wall_s * 1000) << 80) | secrets.randbits(80)
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])
