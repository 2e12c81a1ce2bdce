"""A quicker TLS library, for handshakes that only confirm what was fine a moment ago.

rustls, by the PyPI package `rtls`, needs about a third of the CPU of OpenSSL 3.0. It is young, says less about failures
and greets with another hello, so nothing is judged by a handshake of its that fails: OpenSSL looks again, at once, and
that is what counts.
"""

import importlib
import ssl
from collections.abc import Callable
from typing import Any

from probe.model.errors import UserError
from probe.model.settings import TLSLibrary

HELLO_SHAPE = "rustls"
"""What a `TLSHandshake` of this library has as its shape: browser-sized, with a post-quantum key share."""


class QuickTLS:
    """The library and its contexts, one for each ALPN offer; long-lived."""

    def __init__(self, build_context: Callable[[], ssl.SSLContext], memory: Callable[[], ssl.MemoryBIO], roots: str):
        self.memory = memory
        self._build_context = build_context
        self._roots = roots
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}

    def context(self, alpn: tuple[str, ...]) -> ssl.SSLContext:
        """Return the one context that verifies chain and name and offers this."""
        context = self._contexts.get(alpn)
        if context is None:
            context = self._build_context()
            context.load_verify_locations(cadata=self._roots)
            if alpn:
                context.set_alpn_protocols(list(alpn))
            self._contexts[alpn] = context
        return context


def load_quick_tls(
    wanted: TLSLibrary, roots: str, find: Callable[[str], Any] = importlib.import_module
) -> QuickTLS | None:
    """Return the library if it is wanted and `find` finds it; `roots` is PEM.

    Raises:
        UserError: it is asked for by name and not installed.
    """
    if wanted is TLSLibrary.OPENSSL:
        return None
    try:
        library = find("rtls")
    except ImportError:
        if wanted is TLSLibrary.AUTO:
            return None
        remedy = "pip install 'wallprobe[fast]', or leave it at auto"
        raise UserError("tls.library: rustls", "the library is not installed", remedy) from None
    return QuickTLS(lambda: library.SSLContext(library.PROTOCOL_TLS_CLIENT), library.MemoryBIO, roots)
