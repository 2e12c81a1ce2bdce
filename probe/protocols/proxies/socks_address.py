"""Addresses as SOCKS5 writes them, and as the proxy protocols that borrowed its form do.

Source: RFC 1928 section 5: one byte of type (1 IPv4, 3 name with its length, 4 IPv6), the address, the port.
VLESS and VMess number the types 1, 2, 3 and put the port first; TUIC 1, 0, 2: hence the `types` to choose from.
"""

import ipaddress
import struct

import msgspec

from probe.model.errors import ProtocolError


class AddressTypes(msgspec.Struct, frozen=True, kw_only=True):
    """The type bytes of one protocol."""

    ipv4: int
    name: int
    ipv6: int


SOCKS = AddressTypes(ipv4=1, name=3, ipv6=4)
VMESS = AddressTypes(ipv4=1, name=2, ipv6=3)
TUIC = AddressTypes(ipv4=1, name=0, ipv6=2)


def build_host(host: str, types: AddressTypes = SOCKS) -> bytes:
    """Return type and address; a literal goes as such, all else as a name for the proxy to resolve.

    Raises:
        ValueError: no name may be empty or longer than 255 bytes.
    """
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna" if not host.isascii() else "ascii")
        if not 0 < len(name) < 256:
            raise ValueError("a name has 1 to 255 bytes") from None
        return bytes((types.name, len(name))) + name
    return bytes((types.ipv4 if literal.version == 4 else types.ipv6,)) + literal.packed


def build_address(host: str, port: int) -> bytes:
    """Return type, address and port, as SOCKS has them.

    Raises:
        ValueError: as `build_host`.
    """
    return build_host(host) + struct.pack("!H", port)


def split_address(data: bytes, types: AddressTypes = SOCKS) -> tuple[tuple[str, int], int] | None:
    """Read an address from the front: host and port, and the bytes it took; `None` = need more.

    Raises:
        ProtocolError: there is no such type, or the name is no text.
    """
    if not data:
        return None
    if data[0] == types.name:
        if len(data) < 2:
            return None
        start, size = 2, data[1]
    elif data[0] in (types.ipv4, types.ipv6):
        start, size = 1, 4 if data[0] == types.ipv4 else 16
    else:
        raise ProtocolError(f"not an address: {data[:16].hex()}")
    end = start + size + 2
    if len(data) < end:
        return None
    raw = data[start : start + size]
    try:
        host = raw.decode("ascii") if start == 2 else str(ipaddress.ip_address(raw))
    except UnicodeDecodeError as error:
        raise ProtocolError(f"not a host name: {raw.hex()}") from error
    return (host, int.from_bytes(data[end - 2 : end], "big")), end
