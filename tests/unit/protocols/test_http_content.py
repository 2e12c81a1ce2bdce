"""Content codings and titles, of good pages and of garbage."""

import gzip
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.protocols.http.content import MAX_TITLE_CHARS, decode_content, extract_title
from tests.yardstick import measure_cpu_s

HTML = "text/html; charset=utf-8"


@given(st.binary(max_size=2000), st.integers(1, 3000))
def test_a_coded_body_comes_back_up_to_the_limit(body, limit):
    raw = zlib.compressobj(wbits=-15)
    codings = {
        "": body,
        "identity": body,
        "GZIP ": gzip.compress(body),
        "x-gzip": gzip.compress(body[:9]) + gzip.compress(body[9:]),
        "deflate": zlib.compress(body),
    }
    for coding, data in codings.items():
        assert decode_content(data, coding, limit) == (body[:limit], len(body) > limit)
    assert decode_content(raw.compress(body) + raw.flush(), "deflate", limit)[0] == body[:limit]


def test_a_cut_body_gives_what_can_be_read():
    data = gzip.compress(bytes(range(256)) * 40)
    plain, more = decode_content(data[: len(data) // 2], "gzip", 65536)
    assert (bytes(range(256)) * 40).startswith(plain)
    assert plain
    assert not more


def test_a_bomb_is_bounded():
    bomb = gzip.compress(bytes(50_000_000))
    assert decode_content(bomb, "gzip", 65536) == (bytes(65536), True)
    many = gzip.compress(b"") * 20_000
    assert decode_content(many, "gzip", 65536) == (b"", False)


def test_bytes_after_the_last_member_are_ignored():
    assert decode_content(gzip.compress(b"page") + b"\0\0garbage", "gzip", 100) == (b"page", False)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_that_is_not_what_it_says_is_an_error(coding):
    with pytest.raises(ProtocolError, match="bad content coding"):
        decode_content(b"<html>not compressed at all</html>", coding, 100)


def test_a_coding_we_did_not_ask_for_stays_on():
    assert decode_content(b"\x0b\x02\x80", "br", 100) == (b"\x0b\x02\x80", False)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "", "br", "gzip, gzip"]))
@example(b"\x1f\x8b", "gzip")
def test_any_bytes_decode_or_are_a_protocol_error(data, coding):
    try:
        plain, _ = decode_content(data, coding, 100)
    except ProtocolError:
        return
    assert len(plain) <= 100


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (b"<html><head><title>Hello</title>", "Hello"),
        (b"<title>\n  A &amp; B\t&#8364;  C </title>", "A & B \u20ac C"),
        (b"<TITLE lang=en>Upper</TITLE>", "Upper"),
        (b"<title>first</title><title>second</title>", "first"),
        (b"<title>no end", "no end"),
        (b"<title", ""),
        (b"<titles>x</titles>", ""),
        (b"<title></title>", ""),
        (b"no title", ""),
        ("<title>\u4f60\u597d</title>".encode(), "\u4f60\u597d"),
        (b"<title>\xff\xfe</title>", "\ufffd\ufffd"),
        (b"<title>&#xD800;&#1114112;&bogus;</title>", "\ufffd\ufffd&bogus;"),
    ],
)
def test_a_title_is_read(page, title):
    assert extract_title(page, HTML) == title


def test_the_charset_of_the_header_comes_before_that_of_the_page():
    page = '<meta charset="gbk"><title>\u8bbf\u95ee\u88ab\u7981\u6b62</title>'
    assert extract_title(page.encode("gbk"), "text/html") == "\u8bbf\u95ee\u88ab\u7981\u6b62"
    assert extract_title(page.encode(), "text/html; charset=UTF-8") == "\u8bbf\u95ee\u88ab\u7981\u6b62"
    shifted = "<title>\u65e5\u672c</title>".encode("iso-2022-jp")
    assert extract_title(shifted, "text/html; charset=iso-2022-jp") == "\u65e5\u672c"


@pytest.mark.parametrize("charset", ["hex", "rot13", "nope", "undefined", "idna", "utf-7", "unicode_escape", "utf-16"])
def test_a_nonsense_charset_does_no_harm(charset):
    title = extract_title(b"<title>+2AA- \xc3\xa9 \\ud800</title>", f"text/html; charset={charset}")
    title.encode()


def test_a_title_is_bounded():
    assert len(extract_title(b"<title>" + b"x" * 60_000, HTML)) == MAX_TITLE_CHARS


@given(
    st.lists(st.one_of(st.sampled_from([b"<title", b">", b"</title>", b"&#", b";", b"\x1b$B"]), st.binary(max_size=8)))
)
def test_any_page_has_some_title(pieces):
    title = extract_title(b"".join(pieces), HTML)
    assert len(title) <= MAX_TITLE_CHARS
    title.encode()


@pytest.mark.parametrize(
    "piece", [b"<title", b"<title ", b"<title>", b"<", b"&", b"&#x", b"\x00", b"<tITLE", b"charset="]
)
def test_no_page_takes_long(piece):
    page = piece * (524288 // len(piece))
    assert measure_cpu_s(lambda: extract_title(page, HTML)) < 0.1
