"""HTTP/1.1 requests as bytes, and responses read from bytes as they come.

Source: RFC 9112 sections 2 to 7 (framing), RFC 9110 section 15.2 (interim responses). httptools (llhttp) does the
parsing. Deviations: the leniencies that browsers have (bare LF, folded headers, both lengths given, bytes after the
end) are ours too, because a page that every browser shows must not count as garbage.

Less than the RFC: trailers are dropped, and a switch of protocols (101) ends the response.
"""

import re
from urllib.parse import quote

import httptools
import msgspec

from probe.model.errors import ProtocolError
from probe.model.target import Header

MAX_HEAD_BYTES = 65536
"""Status line and headers, interim responses included."""
MAX_HEADERS = 1000
_MAX_FRAMING_RATIO = 8
"""Chunk framing may outweigh the body it carries so many times; a peer that sends more sends no page."""

USER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""A common browser's, fixed: a rare one would be a trigger, and a fingerprint, of its own."""

_BROWSER_HEADERS = (
    ("User-Agent", USER_AGENT),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip"),
    ("Connection", "close"),
)
_BROWSER_LINES = "".join(f"{name}: {value}\r\n" for name, value in _BROWSER_HEADERS)
_WITH_BODY = ("POST", "PUT", "PATCH")
"""These say how long their body is even when there is none (RFC 9110 section 8.6)."""

_BLANK_LINE = re.compile(rb"\n\r?\n")
_LINE_BREAKING = re.compile(r"[\r\n\0]+")
_NOT_IN_TARGET = re.compile(r"[^!-~]")
_TARGET_SAFE = "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~"
_QUOTED_BYTES = 32


class OutgoingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as it will be sent."""

    method: str = "GET"
    host: str
    """Server name or address literal; port and brackets are added where `Host` needs them."""
    port: int
    secure: bool
    path: str = "/"
    """Path and query."""
    headers: tuple[Header, ...] = ()
    """In place of ours of the same name, or after them."""
    body: bytes = b""

    @property
    def authority(self) -> str:
        """Return the value of `Host` (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL that this asks for."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.path}"


def build_request(request: OutgoingRequest) -> bytes:
    """Return the bytes of a request, headers in a browser's order.

    What would break a line is taken out, so nobody's path or header can smuggle in a second request.
    """
    method, path, authority = request.method, request.path, request.authority
    if _NOT_IN_TARGET.search(path):
        path = quote(path, safe=_TARGET_SAFE, errors="replace")
    if not method.isalpha() or _NOT_IN_TARGET.search(authority):
        method, authority = _NOT_IN_TARGET.sub("", method), _NOT_IN_TARGET.sub("", authority)
    lines = _BROWSER_LINES
    if request.headers or request.body or method in _WITH_BODY:
        authority, fields = _merge_headers(request, authority)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"{method} {path} HTTP/1.1\r\nHost: {authority}\r\n{lines}\r\n"
    return head.encode("utf-8", "replace") + request.body


def list_headers(request: OutgoingRequest) -> tuple[tuple[str, str], ...]:
    """Return the headers that `build_request` sends, as names and values in their order."""
    authority, fields = _merge_headers(request, _NOT_IN_TARGET.sub("", request.authority))
    return (("Host", authority), *fields.items())


def _merge_headers(request: OutgoingRequest, authority: str) -> tuple[str, dict[str, str]]:
    """Return the value of `Host` and the other headers, with the request's own in place of ours."""
    fields = dict(_BROWSER_HEADERS)
    spelling = {name.lower(): name for name in fields}
    for header in request.headers:
        name, value = _LINE_BREAKING.sub("", header.name).strip(), _LINE_BREAKING.sub(" ", header.value).strip()
        if name.lower() == "host":
            authority = value
        elif name:
            fields[spelling.setdefault(name.lower(), name)] = value
    if request.body or request.method in _WITH_BODY:
        fields.setdefault(spelling.get("content-length", "Content-Length"), str(len(request.body)))
    return authority, fields


class ResponseReader:
    """Reads one response; feed it until `complete`.

    It keeps at most a head of 64 KB and `body_limit_bytes` of the body; when those are full it is complete.
    """

    def __init__(self, *, method: str = "GET", body_limit_bytes: int = 65536) -> None:
        self.status = 0
        """0 = no final response began yet."""
        self.reason = ""
        self.headers: tuple[tuple[str, str], ...] = ()
        """Of the final response, once its head is whole."""
        self.head = b""
        """As received, interim responses included; with a peer that does not speak HTTP, what it said."""
        self.body_bytes = 0
        """Body bytes received, content coding still on, chunk framing off."""
        self.complete = False
        self.truncated = False
        """The body went on after the limit."""
        self._pieces: list[bytes] = []
        self._no_body = method == "HEAD"
        self._limit = body_limit_bytes
        self._most_bytes = MAX_HEAD_BYTES + _MAX_FRAMING_RATIO * (body_limit_bytes + MAX_HEAD_BYTES)
        self._fed_bytes = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_done = False
        self._interim_heads = 0
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_data_after_close=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    @property
    def body(self) -> bytes:
        """Return the body so far up to the limit, content coding still on."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def header(self, name: str) -> str:
        """Return the first value of a header by its lower-case name, or an empty string."""
        for key, value in self.headers:
            if len(key) == len(name) and key.lower() == name:
                return value
        return ""

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ProtocolError: this is not HTTP/1, or its head is beyond all measure.
        """
        if self.complete:
            return
        self._fed_bytes += len(data)
        if self._head_done:
            self._parse(data)
            if self._fed_bytes > self._most_bytes:
                self.truncated = self.complete = True
            return
        room = MAX_HEAD_BYTES - len(self.head)
        self.head += data[:room]
        if self._parse(data[:room]):
            self._cut_head()
            if len(data) > room and not self.complete:
                self._parse(data[room:])
        elif len(self.head) >= MAX_HEAD_BYTES:
            raise ProtocolError(f"response head longer than {MAX_HEAD_BYTES} bytes")

    def close(self) -> None:
        """Let go of the parser, which holds us as we hold it; nothing can be fed any more."""
        del self._parser

    def end(self) -> bool:
        """Take note that the peer closed; return whether the response was whole (RFC 9112 section 8)."""
        if not self.complete and self._head_done:
            coding = self.header("transfer-encoding").lower()
            self.complete = not coding.endswith("chunked") and (bool(coding) or not self.header("content-length"))
        return self.complete

    def _parse(self, data: bytes) -> bool:
        """Hand bytes to the parser; return whether the head of the final response is behind us."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.complete = True
        except httptools.HttpParserError as error:
            if not self.complete:
                raise ProtocolError(f"not HTTP/1: {error}; got {data[:_QUOTED_BYTES].hex()}") from error
        if len(self._fields) > MAX_HEADERS:
            raise ProtocolError(f"more than {MAX_HEADERS} response headers")
        return self._head_done

    def _cut_head(self) -> None:
        """Keep what is before the body; the parser does not say where that begins."""
        end = 0
        start = len(self.head) - len(self.head.lstrip(b"\r\n"))
        for _ in range(self._interim_heads + 1):
            blank = _BLANK_LINE.search(self.head, max(start, end - 1))
            if blank is None:
                return
            end = blank.end()
        self.head = self.head[:end]

    # Called by the parser; after the end of the response they must change nothing.

    def on_status(self, reason: bytes) -> None:
        """Keep the reason phrase."""
        if not self.complete:
            self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header; trailers are dropped."""
        if not self._head_done:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the head of a final response; an interim one is passed over."""
        if self.complete or len(self._fields) > MAX_HEADERS:
            return
        status = self._parser.get_status_code()
        if status >= 200 or status == 101:
            self.status = status
            self.headers = tuple([(str(name, "latin-1"), str(value, "latin-1")) for name, value in self._fields])
            self._head_done = True
            self.complete = self._no_body
        self._fields.clear()

    def on_body(self, data: bytes) -> None:
        """Keep the body up to the limit."""
        if self.complete:
            return
        room = self._limit - self.body_bytes
        self.body_bytes += len(data)
        self._pieces.append(data if len(data) <= room else data[:room])
        if len(data) > room:
            self.truncated = self.complete = True

    def on_message_complete(self) -> None:
        """End the response, or wait for the one after an interim response."""
        if self.complete:
            return
        if self._head_done:
            self.complete = True
        else:
            self._interim_heads += 1
            self.reason = ""
