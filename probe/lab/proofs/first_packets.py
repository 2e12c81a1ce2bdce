"""First packets by hand, for proofs without Wallprobe: what begins a tunnel, and hellos of odd shapes.

Source: OpenVPN's protocol (doc/doxygen/doc_protocol_overview.h), WireGuard's paper section 5.4.2, RFC 7296 section
3.1 to 3.4, RFC 8446 section 4.1.2. Less than these: no key of any server is known, so only servers of the lab answer.
"""

import contextlib
import ssl
import struct

PADDING = 0x5A5A
"""The type of the extension that makes a hello larger: one that servers ignore (RFC 8701).

Not `padding` (RFC 7685), which the ssl module may have put there already: twice is an error.
"""


def build_openvpn_reset(session: bytes) -> bytes:
    """Return P_CONTROL_HARD_RESET_CLIENT_V2 with this session id of eight bytes: no acknowledgements, packet 0."""
    return b"\x38" + session + b"\0" + bytes(4)


def build_wireguard_initiation(entropy: bytes) -> bytes:
    """Return a handshake initiation of 148 bytes, of which all after the type are these."""
    return b"\x01\0\0\0" + entropy[:144]


def build_ike_init(initiator: bytes) -> bytes:
    """Return IKE_SA_INIT from this SPI of eight bytes, with one proposal: AES-GCM-16, SHA-256, group 31."""
    transforms = b"".join(
        struct.pack("!BxHBxH", more, 8 + len(rest), kind, number) + rest
        for more, kind, number, rest in (
            (3, 1, 20, struct.pack("!HH", 0x800E, 256)),
            (3, 2, 5, b""),
            (0, 4, 31, b""),
        )
    )
    proposal = struct.pack("!BxHBBBB", 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    association = struct.pack("!BxH", 34, 4 + len(proposal)) + proposal
    exchange = struct.pack("!BxHHxx", 40, 8 + 32, 31) + bytes(range(1, 33))
    nonce = struct.pack("!BxH", 0, 4 + 32) + bytes(range(32))
    body = association + exchange + nonce
    return initiator + bytes(8) + struct.pack("!BBBBII", 33, 0x20, 34, 0x08, 0, 28 + len(body)) + body


def build_hello(server_name: str) -> bytes:
    """Return the ClientHello that the ssl module sends; an empty name is left out."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=server_name or None)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return out.read()


def add_extensions(hello: bytes, kinds: tuple[int, ...], *, padding: int = 0) -> bytes:
    """Return a hello in one record with more extensions, each of 32 bytes, and so many bytes of padding."""
    at = 9 + 34
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at]
    extensions = hello[at + 2 :] + b"".join(struct.pack("!HH", kind, 32) + bytes(range(32)) for kind in kinds)
    if padding:
        extensions += struct.pack("!HH", PADDING, padding) + bytes(padding)
    body = hello[9:at] + struct.pack("!H", len(extensions)) + extensions
    return hello[:3] + struct.pack("!HB", len(body) + 4, 1) + len(body).to_bytes(3, "big") + body
