"""Certificates and keys of tunnels: a server's that vouches for itself, and those of an authority, good and over.

Made anew for each scenario, and the same before the censor is there and after, as a user's file is.
"""

import datetime
from collections.abc import Mapping
from typing import TypeAlias

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from probe.control.certificates import make_certificate
from probe.lab.keeper import FOLDER
from probe.lab.world.certificates import Authority
from probe.lab.world.plan import Certificate

Papers: TypeAlias = Mapping[str, bytes]
"""PEM by name, as servers' words and clients' files name it."""
_ISSUED = {
    "server": (Certificate.VALID, False),
    "expired": (Certificate.EXPIRED, False),
    "member": (Certificate.VALID, True),
    "former": (Certificate.EXPIRED, True),
}
"""What the authority has issued: good or over, to servers or to clients."""


def make_papers() -> Papers:
    """Return `certificate` and `key`; `authority`; and of each that it issued the certificate and `NAME_key`."""
    certificate, key = make_certificate("tunnel", datetime.datetime.now(datetime.UTC))
    papers = {"certificate": certificate, "key": key}
    authority = Authority("Tunnel Members R1", FOLDER)
    papers["authority"] = authority.pem
    for name, (kind, for_client) in _ISSUED.items():
        own_key, issued = authority.issue((f"{name}.tunnel.example",), kind, for_client=for_client)
        papers[name] = issued.public_bytes(serialization.Encoding.PEM)
        papers[f"{name}_key"] = _render_key(own_key)
    return papers


def _render_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    encryption = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
