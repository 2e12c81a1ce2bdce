"""Pages fetched by TLS inside a proxy's relay, for the sake of their bytes: does the flow go on, and how fast?

Source: RFC 8446 (OpenSSL does it), RFC 9112 section 9.3.2 (several requests on their way at once). Whoever answers is
believed: that something is relayed is shown before, and what counts here are bytes. Pages are mostly smaller than what
filters let pass before they freeze a flow, so one is asked for again and again, all at once, on the same connection.
"""

import ssl
from collections.abc import Callable, Generator

from probe.model.errors import ProtocolError
from probe.model.target import Header
from probe.protocols.dialogue import Event, Send
from probe.protocols.engines.tls import TLSEngine
from probe.protocols.http.http1 import OutgoingRequest, ResponseReader, build_request
from probe.protocols.incoming import Incoming, Reading

_MOST_REQUESTS = 90
"""Below what web servers answer on one connection."""
_PIECE_BYTES = 8192
_NEARLY = 0.9
"""Pages asked for twice differ by a header or two."""
Wrap = Callable[[bytes], "Send | Generator[Event, bytes | None, None]"]
"""What puts bytes into the relay: one event, or what does it in several."""


def pass_on(wrap: Wrap, data: bytes) -> Reading[None]:
    """Put bytes into the relay, in pieces that fit into any proxy's frames."""
    for at in range(0, len(data), _PIECE_BYTES):
        done = wrap(data[at : at + _PIECE_BYTES])
        if isinstance(done, Send):
            yield done
        else:
            yield from done


class InnerPage:
    """One TLS connection inside a relay."""

    def __init__(self, host: str, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        self._engine = TLSEngine(context, host)
        request = OutgoingRequest(
            host=host, port=port, secure=True,
            headers=(Header(name="Connection", value="keep-alive"), Header(name="Accept-Encoding", value="identity")),
        )  # fmt: skip
        self._request = build_request(request)

    def start(self) -> bytes:
        """Return the ClientHello, which is the errand."""
        return self._engine.start()

    def carry(self, incoming: Incoming, wrap: Wrap, wanted: int) -> Reading[int | None]:
        """Shake hands and fetch until so many bytes came; `None` = it fell silent or broke off amid an answer.

        A destination that hangs up between two answers, or has no page for us, ends it with fewer bytes.
        """
        try:
            if not (yield from self._shake_hands(incoming, wrap)):
                return None
            return (yield from self._fetch(incoming, wrap, wanted))
        except ssl.SSLError:
            return 0  # what the destination says goes through; it only is no web server that we understand

    def _shake_hands(self, incoming: Incoming, wrap: Wrap) -> Reading[bool]:
        while not self._engine.done:
            if not incoming.pending and not (yield from incoming.more()):
                return False
            data, incoming.pending = incoming.pending, b""
            answer = self._engine.feed(data)
            if answer:
                yield from pass_on(wrap, answer)
        return True

    def _fetch(self, incoming: Incoming, wrap: Wrap, wanted: int) -> Reading[int | None]:
        page, carried = ResponseReader(body_limit_bytes=wanted), 0
        yield from pass_on(wrap, self._engine.seal(self._request))
        while not page.complete:
            plain = yield from self._take(incoming)
            if not plain:
                return carried if plain is not None and page.end() else None
            carried += len(plain)
            try:
                page.feed(plain)
            except ProtocolError:
                return carried
        if carried >= wanted or page.header("connection").lower() == "close":
            return carried
        again = min(_MOST_REQUESTS, -(-(wanted - carried) // carried))
        due = min(wanted, carried + int(_NEARLY * again * carried))
        yield from pass_on(wrap, self._engine.seal(self._request * again))
        while carried < due:
            plain = yield from self._take(incoming)
            if not plain:
                return carried if plain is not None else None
            carried += len(plain)
        return carried

    def _take(self, incoming: Incoming) -> Reading[bytes | None]:
        """Return plaintext; `None` = silence, empty = the end of TLS."""
        while (plain := self._engine.open()) is None:
            if not incoming.pending and not (yield from incoming.more()):
                return None
            data, incoming.pending = incoming.pending, b""
            self._engine.add(data)
        return plain
