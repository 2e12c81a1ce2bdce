"""Keys of Curve25519 that look like random bytes: Elligator 2.

Source: Bernstein, Hamburg, Krasnova, Lange, "Elligator: elliptic-curve points indistinguishable from uniform random
strings" (2013), section 5; RFC 7748 sections 4.1 and 5 for the curve. A point that lies in the large subgroup alone
would stand out among such strings, so a part of small order is added, which every Diffie-Hellman with a clamped key
takes away again. Python's integers take about a millisecond for a key.
"""

_P = 2**255 - 19
_A = 486662
_A24 = 121665
_ORDER = 2**252 + 27742317777372353535851937790883648493
_ROOT = pow(2, (_P - 1) // 4, _P)
"""A square root of -1."""
DIRTY_BASE = 23134210492276260995566262404475621889421163069673262153089319379639146214075
"""The u of the base point plus a point of order 8: it makes the whole group."""
KEY_BYTES = 32


def clamp(secret: bytes) -> int:
    """Return the number that a secret key stands for."""
    return int.from_bytes(secret, "little") & ~7 & (2**255 - 1) | 2**254


def multiply(number: int, u: int) -> int:
    """Return the u of a multiple of a point; 0 for the neutral one."""
    x2, z2, x3, z3, swapped = 1, 0, u, 1, 0
    for at in range(number.bit_length() - 1, -1, -1):
        bit = number >> at & 1
        if bit != swapped:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = bit
        plus, minus = x2 + z2, x2 - z2
        squared_plus, squared_minus = plus * plus % _P, minus * minus % _P
        cross, across = (x3 - z3) * plus % _P, (x3 + z3) * minus % _P
        gap = squared_plus - squared_minus
        x3, z3 = (cross + across) ** 2 % _P, u * (cross - across) ** 2 % _P
        x2, z2 = squared_plus * squared_minus % _P, gap * (squared_plus + _A24 * gap) % _P
    if swapped:
        x2, z2 = x3, z3
    return x2 * pow(z2, _P - 2, _P) % _P


def make_public(secret: bytes, tweak: int) -> tuple[bytes, bytes] | None:
    """Return the public key of a secret, and the bytes that stand for it; `None` = half of all keys have none.

    The tweak's bits choose the part of small order (3), the one of two representatives (1) and the spare bits (2).
    """
    u = multiply(clamp(secret) + (tweak & 7) * _ORDER, DIRTY_BASE)
    above, below = (-u, 2 * (u + _A)) if tweak & 8 else (-(u + _A), 2 * u)
    root = _square_root(above * pow(below, _P - 2, _P) % _P)
    if root is None or u in (0, _P - _A):
        return None
    representative = min(root, _P - root) | (tweak >> 4 & 3) << 254
    return u.to_bytes(KEY_BYTES, "little"), representative.to_bytes(KEY_BYTES, "little")


def read_public(representative: bytes) -> bytes:
    """Return the public key that 32 bytes stand for; any bytes stand for one."""
    r = int.from_bytes(representative, "little") & (2**254 - 1)
    # 1 + 2 r² is never 0, because -1/2 is no square.
    u = -_A * pow(1 + 2 * r * r, _P - 2, _P) % _P
    if _square_root((u * u * u + _A * u * u + u) % _P) is None:
        u = (-_A - u) % _P
    return u.to_bytes(KEY_BYTES, "little")


def _square_root(square: int) -> int | None:
    """Return a root; `None` = there is none. p is 5 mod 8."""
    root = pow(square, (_P + 3) // 8, _P)
    for candidate in (root, root * _ROOT % _P):
        if candidate * candidate % _P == square:
            return candidate
    return None
