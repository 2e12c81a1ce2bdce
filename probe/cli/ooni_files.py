"""Measurements of OONI files one by one: single JSON, JSON lines, either of them gzipped, or standard input."""

import contextlib
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from probe.model.errors import ProtocolError, UserError

MAX_MEASUREMENT_BYTES = 64 * 1024 * 1024
"""A line longer than this is no measurement: real ones stay under a few MB."""
_GZIP_MAGIC = b"\x1f\x8b"
_BLANK = b" \t\r\n"


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
    number = 0
    for number, line in _lines(stream):
        if isinstance(line, bytes) and number == 1 and line.strip(_BLANK) in (b"{", b"["):
            yield 1, _read_rest(line, stream)
            return
        if isinstance(line, ProtocolError) or line.strip(_BLANK):
            yield number, line
    if number == 0:
        yield 1, ProtocolError("empty")


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
