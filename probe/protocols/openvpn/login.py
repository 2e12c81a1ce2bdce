"""What OpenVPN says inside TLS: our login and key material, and what the server pushes in return.

Source: OpenVPN's "key method 2" and control channel messages as servers 2.6 speak them; openvpn-manual for the options
that are pushed. Each message is one TLS record.
"""

import ipaddress
import struct

import msgspec

from probe.model.errors import ProtocolError

MATERIAL_BYTES = 112
"""Of a client: pre-master secret, and a random half for each of the two derivations."""
PUSH_REQUEST = b"PUSH_REQUEST\0"
_HEAD = b"\0\0\0\0\2"
_RANDOM_BYTES = 32
_PRE_MASTER_BYTES = 48
_CAPABILITIES = 2
"""IV_PROTO: packets of the second data format. Not the exporter's keys, which Python's TLS does not hand out."""
USUAL_CIPHERS = ("AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305")
"""What a client offers whose file says nothing of it."""
_STUBS = "IV_LZO_STUB=1\nIV_COMP_STUB=1\nIV_COMP_STUBv2=1\n"
"""We frame as compression wants it, and compress nothing."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides put into the data channel's keys."""

    pre_master: bytes
    ours: tuple[bytes, bytes]
    theirs: tuple[bytes, bytes] = (b"", b"")

    def __repr__(self) -> str:
        return "Material(…)"


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """What the server wants of our end."""

    cipher: str = ""
    peer_id: int | None = None
    address: str = ""
    gateway: str = ""
    ping_s: int = 0
    """How often the server says that it is there, as it asks of us; 0 = never."""
    compression: str = ""
    """The setting that it wants, as a file has it, such as `compress lz4-v2`; empty = it says nothing of it."""
    more: bool = False
    """Another part follows."""


def make_material(entropy: bytes) -> Material:
    """Return our half of the keys, of these 112 random bytes."""
    first, second = entropy[_PRE_MASTER_BYTES:][:_RANDOM_BYTES], entropy[_PRE_MASTER_BYTES + _RANDOM_BYTES :]
    return Material(pre_master=entropy[:_PRE_MASTER_BYTES], ours=(first, second))


def build_login(
    material: Material,
    *,
    stream: bool,
    login: tuple[str, str] | None,
    ciphers: tuple[str, ...] = (),
    framed: bool = False,
) -> bytes:
    """Return our message of key method 2; `ciphers` are those that the file names beyond the usual."""
    options = f"V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto {'TCPv4_CLIENT' if stream else 'UDPv4'},"
    if framed:
        options += "comp-lzo,"  # so clients say whatever the framing is, and a server that migrates looks for it
    options += "cipher AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-client"
    offered = ":".join((*USUAL_CIPHERS, *ciphers))
    told = f"IV_VER=2.6.14\nIV_PLAT=linux\nIV_PROTO={_CAPABILITIES}\nIV_CIPHERS={offered}\n{_STUBS}"
    user, password = login or ("", "")
    named = _text(user) + _text(password) if login is not None else bytes(4)
    return _HEAD + material.pre_master + b"".join(material.ours) + _text(options) + named + _text(told)


def _text(value: str) -> bytes:
    data = value.encode() + b"\0"
    return struct.pack("!H", len(data)) + data


def parse_login_reply(data: bytes, material: Material) -> Material:
    """Read the server's message of key method 2; return the material complete.

    Raises:
        ProtocolError: it is none.
    """
    if data[: len(_HEAD)] != _HEAD or len(data) < len(_HEAD) + 2 * _RANDOM_BYTES + 2:
        raise ProtocolError(f"no key method 2 of OpenVPN: {len(data)} bytes")
    first = data[len(_HEAD) :][:_RANDOM_BYTES]
    second = data[len(_HEAD) + _RANDOM_BYTES :][:_RANDOM_BYTES]
    return msgspec.structs.replace(material, theirs=(first, second))


def read_login(text: bytes) -> tuple[str, str]:
    """Return user name and password of a file of two lines.

    Raises:
        ValueError: it has no two lines.
    """
    lines = text.decode("utf-8", "replace").splitlines()
    if len(lines) < 2 or not lines[0]:
        raise ValueError("the login is not two lines, user name and password")
    return lines[0], lines[1]


def parse_push(message: str) -> Push:
    """Read `PUSH_REPLY,option,option…`; options that do not concern us are passed over."""
    options: dict[str, list[str]] = {}
    for option in message.split(",")[1:]:
        words = option.split()
        if words:
            options.setdefault(words[0], words[1:])
    first = {name: words[0] if words else "" for name, words in options.items()}
    peer, ping = first.get("peer-id", ""), first.get("ping", "")[:9]
    return Push(
        cipher=first.get("cipher", "").upper(),
        peer_id=int(peer) if peer.isascii() and peer.isdecimal() and int(peer) < 1 << 24 else None,
        address=_literal(first.get("ifconfig", "")),
        gateway=_literal(first.get("route-gateway", "")) or _other_end(options.get("ifconfig", [])),
        ping_s=int(ping) if ping.isascii() and ping.isdecimal() else 0,
        compression=next((f"{name} {first[name]}" for name in ("compress", "comp-lzo") if name in options), ""),
        more=first.get("push-continuation") == "2",
    )


def join_pushes(first: Push, second: Push) -> Push:
    """Return what two parts of a push say together."""
    said = {name: value for name, value in msgspec.structs.asdict(second).items() if value not in ("", None)}
    return msgspec.structs.replace(first, **said | {"ping_s": second.ping_s or first.ping_s})


def _other_end(ifconfig: list[str]) -> str:
    """Return the far end of a point-to-point link, which stands where a subnet has its mask."""
    far = ifconfig[1] if len(ifconfig) > 1 else ""
    return "" if far.startswith("255.") else _literal(far)


def _literal(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return ""
