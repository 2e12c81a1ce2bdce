"""Puts a conversation into TLS as our own client does, so that a capture shows what a filter would see of it."""

import contextlib
import datetime
import ssl
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from probe.net.trust import Trust, Verification
from probe.protocols.engines.pinned_tls import load_pair
from probe.protocols.engines.tls import TLSEngine

Messages = list[tuple[bool, bytes]]


def wrap_in_tls(flow: Iterable[tuple[bool, bytes]], name: str, subject: str, issuer: str, *alpn: str) -> Messages:
    """Return the records of both sides: a handshake with this server name, and then the conversation.

    TLS 1.2, in which the server's certificate is seen on the wire.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    load_pair(context, *_make_pair(subject, issuer))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    engine = TLSEngine(Trust().context(Verification.NONE, alpn), name)
    told: Messages = [(True, engine.start())]
    while not engine.done:
        incoming.write(told[-1][1])
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
        told.append((False, outgoing.read()))
        answer = engine.feed(told[-1][1])
        if answer:
            told.append((True, answer))
    for ours, data in flow:
        if ours:
            told.append((True, engine.seal(data)))
        else:
            server.write(data)
            told.append((False, outgoing.read()))
    return [(ours, data) for ours, data in told if data]


def _make_pair(subject: str, issuer: str) -> tuple[bytes, bytes]:
    key = generate_private_key(SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=365))
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private
