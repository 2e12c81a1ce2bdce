"""The first packets of tunnels, as cheap inspection knows them: a few fixed bytes and a length.

Source: OpenVPN's protocol (`opcode << 3 | key id`; doc/doxygen/doc_protocol_overview.h); WireGuard's paper, section
5.4.2; RFC 7296 section 3.1 (IKE header) and RFC 3948 section 2.2 (non-ESP marker).
"""

from enum import StrEnum

_RESET_CLIENT = frozenset({7 << 3, 10 << 3})
"""P_CONTROL_HARD_RESET_CLIENT_V2, and V3 which tls-crypt-v2 sends."""
_SHORTEST_RESET_BYTES = 14
_LONGEST_RESET_BYTES = 1200
_INITIATION_BYTES = 148
_IKE_HEADER_BYTES = 28
_SECURITY_ASSOCIATION, _VERSION_2, _SA_INIT, _INITIATOR = 33, 0x20, 34, 0x08


class Signature(StrEnum):
    """A tunnel's way to begin."""

    OPENVPN = "openvpn"
    WIREGUARD = "wireguard"
    IKEV2 = "ikev2"


def read_signature(first: bytes, *, is_stream: bool) -> Signature | None:
    """Return whose first packet this is; `None` = of none that is known. A stream has a length before it."""
    if is_stream:
        framed = len(first) >= 2 and int.from_bytes(first[:2], "big") == len(first) - 2
        return Signature.OPENVPN if framed and _is_openvpn(first[2:]) else None
    if len(first) == _INITIATION_BYTES and first[:4] == b"\x01\0\0\0":
        return Signature.WIREGUARD
    if _is_ike(first) or (first[:4] == bytes(4) and _is_ike(first[4:])):
        return Signature.IKEV2
    return Signature.OPENVPN if _is_openvpn(first) else None


def _is_openvpn(message: bytes) -> bool:
    return _SHORTEST_RESET_BYTES <= len(message) <= _LONGEST_RESET_BYTES and message[0] in _RESET_CLIENT


def _is_ike(message: bytes) -> bool:
    return (
        len(message) >= _IKE_HEADER_BYTES
        and message[:8] != bytes(8)
        and message[8:16] == bytes(8)
        and message[16:20] == bytes((_SECURITY_ASSOCIATION, _VERSION_2, _SA_INIT, _INITIATOR))
        and int.from_bytes(message[24:28], "big") == len(message)
    )
