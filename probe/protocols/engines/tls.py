"""TLS client as bytes in, bytes out: the standard library's `ssl` between two memory buffers.

Source: RFC 8446; OpenSSL does the protocol. `ssl.SSLObject` names no way to the chain of a peer that is not trusted
before Python 3.13, so `read_chain` is the one place that reaches for it.
"""

import ssl
from collections.abc import Callable

_READ_BYTES = 16384


class TLSEngine:
    """One connection. Feed what comes, send what `feed` and `seal` return."""

    __slots__ = ("_incoming", "_object", "_outgoing", "done")

    def __init__(
        self, context: ssl.SSLContext, server_name: str, memory: Callable[[], ssl.MemoryBIO] = ssl.MemoryBIO
    ) -> None:
        """Prepare a client; an address literal is verified but never sent as SNI (RFC 6066 section 3).

        `memory` makes the buffers of the library that the context is of.

        Raises:
            ValueError: the name cannot be sent (UnicodeError is one of them).
        """
        self._incoming = memory()
        self._outgoing = memory()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name or None)
        self.done = False

    def start(self) -> bytes:
        """Return the ClientHello."""
        return self.feed(b"")

    def feed(self, data: bytes) -> bytes:
        """Go on with the handshake; return what is to be sent, and set `done` when it is complete.

        Raises:
            ssl.SSLCertVerificationError: the peer is not trusted; `take_unsent` has the alert that tells it so.
            ssl.SSLError: the handshake failed.
        """
        if data:
            self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            pass
        else:
            self.done = True
        return self._outgoing.read()

    def take_unsent(self) -> bytes:
        """Return what OpenSSL still wants to send, such as the alert for an untrusted peer or a key update."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def seal(self, data: bytes) -> bytes:
        """Return application data as records.

        Raises:
            ssl.SSLError: the connection is already broken.
        """
        self._object.write(data)
        return self._outgoing.read()

    def add(self, data: bytes) -> None:
        """Take encrypted bytes from the wire; `open` reads them."""
        self._incoming.write(data)

    @property
    def has_input(self) -> bool:
        """Tell whether there are bytes that `open` has not looked at."""
        return bool(self._incoming.pending or self._object.pending())

    def open(self, limit: int = _READ_BYTES) -> bytes | None:
        """Return application data; `None` = more bytes are needed, `b''` = the peer closed.

        Raises:
            ssl.SSLError: an alert came, or the bytes were tampered with.
        """
        try:
            return self._object.read(limit)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    @property
    def version(self) -> str:
        """Return the protocol version agreed upon, as `TLSv1.3`; empty before that."""
        return self._object.version() or ""

    @property
    def cipher(self) -> str:
        """Return the cipher suite's OpenSSL name; empty before it is agreed upon."""
        cipher = self._object.cipher()
        return cipher[0] if cipher is not None else ""

    @property
    def alpn(self) -> str:
        """Return the application protocol the server chose; empty = none."""
        return self._object.selected_alpn_protocol() or ""

    def read_chain(self) -> tuple[bytes, ...]:
        """Return the certificates the peer sent, leaf first, as DER, also after a failed verification."""
        public = getattr(self._object, "get_unverified_chain", None)
        if public is not None:
            # Bytes since the method is public (3.13); what stands in for `ssl` may return objects, as CPython once did.
            return tuple(each if isinstance(each, bytes) else each.public_bytes() for each in public() or ())
        # Before 3.13 only the private object inside has the method.
        inner = self._object._sslobj  # type: ignore[attr-defined]
        return tuple(certificate.public_bytes(_ENCODING_DER) for certificate in inner.get_unverified_chain() or ())


_ENCODING_DER = 2
"""`_ssl.ENCODING_DER`."""
