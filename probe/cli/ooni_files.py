"""Measurements of OONI files one by one: JSON lines, a JSON text over several lines, either gzipped, standard input."""

import contextlib
import gzip
import io
import itertools
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

import msgspec

from probe.model.errors import ProtocolError, UserError

MAX_MEASUREMENT_BYTES = 64 * 1024 * 1024
"""A line longer than this is no measurement: real ones stay under a few MB."""
MAX_JOINED_BYTES = 16 * 1024 * 1024
"""A text over several lines that does not begin with a line of its own is looked for in so much."""
_GZIP_MAGIC = b"\x1f\x8b"
_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_text = msgspec.json.Decoder(msgspec.Raw)


def read_measurements(path: str) -> Iterator[tuple[int, bytes | ProtocolError]]:
    """Yield each measurement's bytes with the line that it stands on, or what is wrong in its place.

    A file that is one JSON text over several lines is one measurement, at line 1.

    Raises:
        UserError: the file cannot be opened or read.
    """
    try:
        with _open(path) as stream:
            yield from _split(stream)
    except OSError as error:
        problem = error.strerror or str(error)
        raise UserError(path, f"cannot be read: {problem}", "check the path and its permissions") from error


@contextlib.contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    """Open for reading, and unpack what begins as gzip does, whatever its name."""
    with contextlib.ExitStack() as stack:
        raw = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))
        plain = io.BufferedReader(raw) if isinstance(raw, io.RawIOBase) else raw
        if isinstance(plain, io.BufferedReader) and plain.peek(2)[:2] != _GZIP_MAGIC:
            yield plain
            return
        yield cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=plain)))


def _split(stream: BinaryIO) -> Iterator[tuple[int, bytes | ProtocolError]]:
    """Yield line by line, unless the first line is the beginning of a text that goes on."""
    lines = _lines(stream)
    number, first = next(lines, (0, b""))
    if number == 0:
        yield 1, ProtocolError("empty")
        return
    if isinstance(first, bytes):
        first = first.removeprefix(_BYTE_ORDER_MARK)
        if first.strip(_BLANK) in (b"{", b"["):
            yield 1, _read_rest(first, stream)
            return
        if first.strip(_BLANK) and not first.rstrip(_BLANK).endswith(b"}"):
            yield from _join(first, lines)
            return
    yield from _with_content(itertools.chain([(number, first)], lines))


def _join(
    first: bytes, lines: Iterator[tuple[int, bytes | ProtocolError]]
) -> Iterator[tuple[int, bytes | ProtocolError]]:
    """Yield the lines as one text if they are one, else each for itself: then the first one alone is cut."""
    read: list[tuple[int, bytes | ProtocolError]] = [(1, first)]
    length = len(first)
    for number, line in lines:
        read.append((number, line))
        length += len(line) if isinstance(line, bytes) else MAX_JOINED_BYTES
        if length > MAX_JOINED_BYTES:
            break
    else:
        text = b"".join(line for _, line in read if isinstance(line, bytes))
        with contextlib.suppress(msgspec.MsgspecError):
            _text.decode(text)
            yield 1, text
            return
    yield from _with_content(itertools.chain(read, lines))


def _with_content(
    lines: Iterable[tuple[int, bytes | ProtocolError]],
) -> Iterator[tuple[int, bytes | ProtocolError]]:
    """Yield what is no blank line."""
    return (pair for pair in lines if isinstance(pair[1], ProtocolError) or pair[1].strip(_BLANK))


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | ProtocolError]]:
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_MEASUREMENT_BYTES + 1)
            if len(line) > MAX_MEASUREMENT_BYTES:
                yield number, ProtocolError(f"a line longer than {MAX_MEASUREMENT_BYTES} bytes")
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_MEASUREMENT_BYTES)
                continue
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            yield number, ProtocolError(f"the gzip stream is cut or damaged: {error}")
            return
        if not line:
            return
        yield number, line


def _read_rest(first: bytes, stream: BinaryIO) -> bytes | ProtocolError:
    try:
        rest = stream.read(MAX_MEASUREMENT_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return ProtocolError(f"the gzip stream is cut or damaged: {error}")
    if len(rest) > MAX_MEASUREMENT_BYTES:
        return ProtocolError(f"a measurement longer than {MAX_MEASUREMENT_BYTES} bytes")
    return first + rest
