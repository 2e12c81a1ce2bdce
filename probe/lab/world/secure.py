"""TLS ends of the world: which certificate is shown for which name, and what a strange name meets."""

import asyncio
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from probe.lab.censor.hello import Unfinished, parse_hello
from probe.lab.world.certificates import Authority
from probe.lab.world.plan import Certificate, Demand, Site, StrangeName


class Keyring:
    """Contexts by names, made when first asked for and kept as long as the world."""

    def __init__(self, trusted: Authority, untrusted: Authority) -> None:
        self._authorities = {True: trusted, False: untrusted}
        self._contexts: dict[tuple[tuple[str, ...], Certificate], ssl.SSLContext] = {}

    def of(self, names: tuple[str, ...], kind: Certificate) -> ssl.SSLContext:
        """Return the context that shows such a certificate."""
        key = (names, kind)
        if key not in self._contexts:
            authority = self._authorities[kind is not Certificate.UNKNOWN_AUTHORITY]
            self._contexts[key] = authority.build_context(names, kind)
        return self._contexts[key]

    def issue(self, names: tuple[str, ...], kind: Certificate) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """Return a key with such a certificate, for ends that are not of the ssl module."""
        return self._authorities[kind is not Certificate.UNKNOWN_AUTHORITY].issue(names, kind)


def build_context(sites: tuple[Site, ...], keyring: Keyring) -> ssl.SSLContext:
    """Return the context of an address: it picks by server name, and shows the first site's else."""
    own = keyring.of(sites[0].names, sites[0].certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    wanted = {demand for site in sites for demand in site.demands}
    context.set_alpn_protocols(["h2"] if Demand.HTTP_2 in wanted else ["http/1.1"])
    if Demand.TLS_1_2 in wanted:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if Demand.CLIENT_CERTIFICATE in wanted:
        context.verify_mode = ssl.CERT_REQUIRED

    def pick(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        site = next((s for s in sites if name in s.names), None)
        if site is not None:
            connection.context = keyring.of(site.names, site.certificate)
        elif name and sites[0].strange_name is StrangeName.ALERT:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        else:
            connection.context = own
        return None

    context.sni_callback = pick
    return context


async def peek_name(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Read a hello and return its server name, with the bytes read; the name is empty if it is no hello."""
    data = b""
    while True:
        more = await asyncio.wait_for(reader.read(4096), 30.0)
        data += more
        try:
            hello = parse_hello(data)
        except Unfinished:
            if more:
                continue
            return "", data
        return (hello.server_name if hello else ""), data
