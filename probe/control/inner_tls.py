"""The server's side of TLS between two memory buffers, for listeners that count who is under way.

asyncio's own TLS server holds half a megabyte for whoever connects and says nothing, and nobody can count them; here a
connection is one of its listener's from its first moment, and costs 40 KB. Source: RFC 8446; OpenSSL does the protocol.
"""

import contextlib
import ssl

_READ_BYTES = 16384


class ServerTls:
    """One connection: give it what comes, send what `take_unsent` returns."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = False
        self.ended = False
        """The peer said goodbye."""

    def open(self, data: bytes) -> list[bytes]:
        """Take what came; return what it says inside TLS, piece by piece. Go on with the handshake before that.

        Raises:
            ssl.SSLError: this is no TLS, or was tampered with; the alert is unsent.
        """
        self._incoming.write(data)
        pieces: list[bytes] = []
        try:
            if not self._shaken:
                self._object.do_handshake()
                self._shaken = True
            while plain := self._object.read(_READ_BYTES):
                pieces.append(plain)
            self.ended = True
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        return pieces

    def seal(self, data: bytes) -> None:
        """Say something inside TLS.

        Raises:
            ssl.SSLError: the connection is broken, or not there yet.
        """
        self._object.write(data)

    def say_goodbye(self) -> None:
        """Tell the peer that nothing follows, where there is one."""
        if self._shaken:
            with contextlib.suppress(ssl.SSLError, OSError):
                self._object.unwrap()  # the peer owes us its own goodbye, for which nobody waits

    def take_unsent(self) -> bytes:
        """Return what is to be sent."""
        return self._outgoing.read()
