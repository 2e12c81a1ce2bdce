"""What a body says: content coding taken off, title read. Cheap on a good page, safe on garbage.

Source: RFC 9110 section 8.4 (codings), RFC 1952 (gzip), RFC 1950 and 1951 (deflate, with or without its wrapper, as
both are sent); HTML standard, "prescan a byte stream to determine its encoding", of which only `charset=` is kept.
"""

import html
import re
import zlib

from probe.model.errors import ProtocolError

MAX_TITLE_CHARS = 512

_GZIP = 16 + zlib.MAX_WBITS
_TITLE_WINDOW = 65536
_TITLE_BYTES = 4096
_PRESCAN_BYTES = 1024
_CHARSET = re.compile(rb"charset\s{0,8}=\s{0,8}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_NO_CHARSETS = frozenset({"punycode", "idna", "unicodeescape", "rawunicodeescape"})
"""Codecs of Python that no page is in; of these the first takes half a second for a page made for it."""
_WHITE = b" \t\r\n\x0c/>"


def decode_content(body: bytes, coding: str, limit_bytes: int) -> tuple[bytes, bool]:
    """Take the content coding off; return at most `limit_bytes`, and whether there was more.

    A body that was cut short gives what can be read of it. A coding that we did not ask for stays on.

    Raises:
        ProtocolError: the body is not what the coding says.
    """
    coding = coding.strip().lower()
    if coding in ("gzip", "x-gzip"):
        return _inflate(body, _GZIP, limit_bytes)
    if coding == "deflate":
        wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
        return _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, limit_bytes)
    return body[:limit_bytes], len(body) > limit_bytes


def _inflate(body: bytes, window_bits: int, limit_bytes: int) -> tuple[bytes, bool]:
    engine = zlib.decompressobj(window_bits)
    try:
        # One byte more than allowed tells a full body from one that goes on.
        plain = engine.decompress(body, limit_bytes + 1)
        while (
            engine.eof and window_bits == _GZIP and engine.unused_data[:2] == b"\x1f\x8b" and len(plain) <= limit_bytes
        ):
            rest, engine = engine.unused_data, zlib.decompressobj(window_bits)
            plain += engine.decompress(rest, limit_bytes + 1 - len(plain))
    except zlib.error as error:
        raise ProtocolError(f"bad content coding: {error}; got {body[:32].hex()}") from error
    return plain[:limit_bytes], len(plain) > limit_bytes


def extract_title(body: bytes, content_type: str) -> str:
    """Return the text of the first `<title>`, at most 512 characters; an empty string when there is none."""
    window = body if len(body) <= _TITLE_WINDOW else body[:_TITLE_WINDOW]
    start = window.find(b"<title")
    if start < 0:
        if "html" not in content_type.lower():
            return ""
        window = window.lower()
        start = window.find(b"<title")
    if start < 0 or window[start + 6 : start + 7] not in _WHITE:
        return ""
    opened = window.find(b">", start, start + _TITLE_BYTES)
    if opened < 0:
        return ""
    raw = body[opened + 1 : opened + 1 + _TITLE_BYTES]
    closed = raw.find(b"</title")
    if closed < 0:
        closed = raw.lower().find(b"</title")
    text = html.unescape(_decode(raw if closed < 0 else raw[:closed], body, content_type))
    text = " ".join(text.split())[:MAX_TITLE_CHARS]
    # Some charsets (UTF-7) and entities give lone surrogates, which no store takes.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _decode(raw: bytes, body: bytes, content_type: str) -> str:
    if raw.isascii() and b"\x1b" not in raw:  # an escape shifts ISO-2022-JP out of ASCII
        return raw.decode("ascii")
    return decode_text(raw, find_charset(body, content_type))


def find_charset(body: bytes, content_type: str) -> str:
    """Return the charset that the header names, else the page itself, else UTF-8."""
    named = _CHARSET.search(content_type.encode("latin-1", "replace")) or _CHARSET.search(body[:_PRESCAN_BYTES])
    return named.group(1).decode("ascii") if named else "utf-8"


def decode_text(raw: bytes, charset: str) -> str:
    """Decode text by a charset that somebody claimed; what cannot be read becomes U+FFFD."""
    if re.sub(r"[^a-z0-9]", "", charset.lower()) in _NO_CHARSETS:
        charset = "utf-8"
    try:
        return raw.decode(charset, "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")
