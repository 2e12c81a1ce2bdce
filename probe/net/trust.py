"""Whom TLS believes: the reference roots, and one shared `SSLContext` per policy.

Certifi's roots come first, not the system's: a corporate root in the system store must not hide an inspected
connection. A context costs 13 ms to build, so none is built per check.
TLS 1.2 is the oldest version offered: browsers have refused 1.0 and 1.1 since 2020 (RFC 8996), so a server that
speaks nothing newer is of no use to a person either, and a hello that offers less looks like nobody else's.
"""

import functools
import ssl
from collections.abc import Mapping
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from probe.model.errors import UserError
from probe.model.settings import TLSLibrary
from probe.net.quick_tls import load_quick_tls
from probe.protocols.engines.pinned_tls import load_pair

if TYPE_CHECKING:
    from probe.protocols.engines.roots import Roots


class Verification(StrEnum):
    """How much of the peer's identity is checked inside the handshake."""

    FULL = "full"
    """Chain and name."""
    CHAIN = "chain"
    """Chain only: the caller holds the name against the certificate itself, as when none is sent."""
    NONE = "none"
    """Neither: a neutral name at somebody else's address."""


class Trust:
    """The root store of this process, and its contexts. Long-lived; contexts are made when first asked for."""

    def __init__(
        self,
        *,
        ca_file: str = "",
        environ: Mapping[str, str] | None = None,
        client_pair: tuple[str, str] | None = None,
        quick_library: TLSLibrary = TLSLibrary.OPENSSL,
    ) -> None:
        """Read the roots: `ca_file`, else `SSL_CERT_FILE` of `environ`, else certifi's.

        `client_pair` is a certificate file and its key file, shown to servers that ask for one. `quick_library` is
        what confirms that a target is still fine.

        Raises:
            UserError: the file given cannot be read, or has no certificate in it; the library is not installed.
        """
        environment_file = (environ or {}).get("SSL_CERT_FILE", "")
        self._file = ca_file or environment_file or certifi.where()
        self._where = "tls.ca_file" if ca_file else "SSL_CERT_FILE" if environment_file else "certifi"
        self._client_pair = client_pair
        self.contexts_made = 0
        self._contexts: dict[tuple[Verification, tuple[str, ...]], ssl.SSLContext] = {}
        self._roots = ""
        """The file's certificates, kept: a context may be made when this process may open no other file."""
        roots = self._count_roots()
        self.root_store = (
            f"file {Path(self._file).name}, {roots} root{'' if roots == 1 else 's'}"
            if ca_file or environment_file
            else f"certifi {metadata.version('certifi')}"
        )
        """Recorded with every handshake: by which roots it was judged."""
        self.quick = load_quick_tls(quick_library, self._roots)

    def context_with_pair(
        self, verification: Verification, alpn: tuple[str, ...], pair: tuple[bytes, bytes]
    ) -> ssl.SSLContext:
        """Return a context that shows this certificate, made for one connection.

        Raises:
            UserError: certificate or key cannot be used; what is in them is not quoted.
        """
        context = self._build(verification, alpn)
        try:
            load_pair(context, *pair)
        except ssl.SSLError:
            remedy = (
                "give a PEM file with the certificate, and its key there or in a file of its own, without passphrase"
            )
            raise UserError("certificate", "it or its key cannot be used", remedy) from None
        return context

    def context(self, verification: Verification, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """Return the one context of this policy."""
        context = self._contexts.get((verification, alpn))
        if context is None:
            context = self._contexts[verification, alpn] = self._build(verification, alpn)
            self.contexts_made += 1
        return context

    @functools.cached_property
    def quic_roots(self) -> "Roots":
        """Return the same roots as QUIC's engine takes them; made when a first connection asks."""
        from probe.protocols.engines.roots import load_roots

        return load_roots(self._roots)

    @property
    def pem(self) -> str:
        """Return the roots as they were read at the start."""
        return self._roots

    def _build(self, verification: Verification, alpn: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = verification is Verification.FULL
        context.hostname_checks_common_name = False  # no browser does since 2017 (RFC 9525 section 2)
        if verification is Verification.NONE:
            context.verify_mode = ssl.CERT_NONE
        else:
            context.load_verify_locations(cadata=self._roots)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if self._client_pair is not None:
            context.load_cert_chain(*self._client_pair, password="")
        return context

    def _count_roots(self) -> int:
        """Read the file, once, so that a bad one is reported at start-up and not as a finding about a target."""
        remedy = "give a readable PEM file with root certificates"
        place = f"{self._where}: {self._file}"
        try:
            # Beside the certificates such files hold names in any script, as comments; and one form has an older name.
            self._roots = (
                Path(self._file).read_bytes().decode("ascii", "ignore").replace("X509 CERTIFICATE", "CERTIFICATE")
            )
            context = self.context(Verification.FULL, ("http/1.1",))
        except (ssl.SSLError, ValueError) as error:
            raise UserError(place, "no certificate could be read from it", remedy) from error
        except OSError as error:
            raise UserError(place, error.strerror or "cannot be read", remedy) from error
        if "BEGIN TRUSTED CERTIFICATE" in self._roots:
            # From memory they are passed over, and a root that is lost makes its sites look like an interceptor's.
            raise UserError(place, "it has certificates in OpenSSL's own form, TRUSTED CERTIFICATE", remedy)
        roots = context.cert_store_stats()["x509"]
        if roots == 0:
            raise UserError(place, "there is no certificate in it", remedy)
        return roots
