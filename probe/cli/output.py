"""Where a command writes what it exports: a file, or standard output."""

import contextlib
import sys
from collections.abc import Iterator
from typing import BinaryIO

from probe.model.errors import UserError


@contextlib.contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """Give a file to write to; `-` is standard output.

    Raises:
        UserError: it cannot be written.
    """
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with open(path, "wb") as file:
            yield file
    except OSError as error:
        raise UserError(path, f"cannot be written: {error.strerror or error}", "give another --output") from error
