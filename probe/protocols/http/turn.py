"""One request and its response inside a dialogue: VPN gateways that speak HTTP in TLS, and proxies."""

from collections.abc import Iterable

from probe.protocols.dialogue import Send
from probe.protocols.http.http1 import ResponseReader
from probe.protocols.incoming import Incoming, Reading

BODY_LIMIT_BYTES = 65536
"""Nothing that gateways and proxies say before a tunnel is longer."""
_SECRET_HEADERS = frozenset({"cookie", "proxy-authorization", "authorization"})


def build_head(request_line: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Send:
    """Return a request with its headers in this order; the values of those that carry logins are secret."""
    data = request_line.encode() + b"\r\n"
    spans: list[tuple[int, int]] = []
    for name, value in headers:
        start = len(data) + len(name) + 2
        data += f"{name}: {value}\r\n".encode()
        if name.lower() in _SECRET_HEADERS:
            spans.append((start, len(data) - 2))
    return Send(data + b"\r\n" + body, secret_spans=tuple(spans))


def hide_in(send: Send, secrets: Iterable[bytes]) -> Send:
    """Return the same bytes with every place where one of these secrets stands marked as secret."""
    spans = list(send.secret_spans)
    for secret in secrets:
        at = send.data.find(secret) if secret else -1
        while at >= 0:
            spans.append((at, at + len(secret)))
            at = send.data.find(secret, at + 1)
    return Send(send.data, secret_spans=tuple(sorted(spans)))


def take_turn(incoming: Incoming, request: Send, *, head_only: bool = False) -> Reading[ResponseReader | None]:
    """Send a request and read its response; `None` if it stays partial.

    With `head_only` what follows the head is not a body but the tunnel: it is left in `incoming`.

    Raises:
        ProtocolError: what came is not HTTP/1.
    """
    yield request
    reader = ResponseReader(method="HEAD" if head_only else "GET", body_limit_bytes=BODY_LIMIT_BYTES)
    chunk, seen_bytes = b"", 0
    try:
        while not reader.complete:
            if not incoming.pending and not (yield from incoming.more()):
                return reader if incoming.ended and reader.end() else None
            chunk, incoming.pending = incoming.pending, b""
            seen_bytes = len(reader.head)
            reader.feed(chunk)
        if head_only:
            incoming.pending = chunk[len(reader.head) - seen_bytes :]
        return reader
    finally:
        reader.close()
