"""Pieces compressed apart are one gzip file that everybody reads to its end."""

import contextlib
import gzip
import shutil
import subprocess
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.web.gzip_pieces import HEAD, Stream, pack

TEXTS = st.lists(st.binary(max_size=2000) | st.text(alphabet="ab\n", max_size=5000).map(str.encode), max_size=8)


LIBRARIES = st.sampled_from([None, zlib])
"""The quickest that is installed, and the one that always is."""


def put_together(texts: list[bytes], library: Any = None) -> bytes:
    stream = Stream()
    return HEAD + b"".join([stream.add(pack(text, library)) for text in texts]) + stream.end()


@given(TEXTS, LIBRARIES)
def test_what_was_compressed_in_pieces_is_read_as_one_text(texts, library):
    assert gzip.decompress(put_together(texts, library)) == b"".join(texts)


@given(TEXTS, LIBRARIES)
def test_it_is_a_single_member_with_nothing_behind_it(texts, library):
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(put_together(texts, library)) == b"".join(texts)
    assert reader.eof
    assert reader.unused_data == b""


@given(TEXTS, st.data())
def test_a_wrong_byte_in_a_piece_is_noticed(texts, data):
    whole = bytearray(put_together([*texts, b"the last one"]))
    at = data.draw(st.integers(len(HEAD), len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(OSError, EOFError, zlib.error):
        assert gzip.decompress(bytes(whole)) == b"".join([*texts, b"the last one"])  # a bit that says nothing


def test_a_long_text_is_counted_right():
    texts = [bytes(1_000_003), b"x" * 70_001, b"", b"end"]
    whole = put_together(texts)
    assert int.from_bytes(whole[-8:-4], "little") == zlib.crc32(b"".join(texts))
    assert gzip.decompress(whole) == b"".join(texts)


@pytest.mark.skipif(shutil.which("gzip") is None, reason="gzip is not installed")
def test_the_command_of_that_name_accepts_it(tmp_path):
    packed = tmp_path / "page.gz"
    packed.write_bytes(put_together([b"one\n", b"two\n" * 9999]))
    assert subprocess.run(["gzip", "-t", packed], capture_output=True, check=False).stderr == b""
