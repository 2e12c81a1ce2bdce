"""HTTP/1.1 requests and responses, with h11 as the oracle."""

import itertools
from collections.abc import Iterable

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.target import Header
from probe.protocols.http.http1 import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    OutgoingRequest,
    ResponseReader,
    build_request,
    list_headers,
)

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN
EMPTY = b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"
BARE_LF = b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"


def read(*pieces: bytes, method: str = "GET", limit: int = 65536) -> ResponseReader:
    reader = ResponseReader(method=method, body_limit_bytes=limit)
    for piece in pieces:
        reader.feed(piece)
    return reader


def feed_all(reader: ResponseReader, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        reader.feed(piece)


def what(reader: ResponseReader) -> tuple[object, ...]:
    return reader.status, reader.reason, tuple(reader.headers), reader.head, reader.body, reader.complete


def parse_by_h11(data: bytes) -> h11.Request:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    return request


def test_a_request_looks_like_a_browsers():
    data = build_request(OutgoingRequest(host="example.org", port=443, secure=True))
    lines = data.decode().split("\r\n")
    assert lines[:2] == ["GET / HTTP/1.1", "Host: example.org"]
    names = [line.split(":")[0] for line in lines[1:-2]]
    assert names == ["Host", "User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Connection"]
    assert "Mozilla/5.0" in lines[2]
    assert data.endswith(b"Connection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("host", "port", "secure", "authority"),
    [
        ("a.example", 443, True, "a.example"),
        ("a.example", 80, False, "a.example"),
        ("a.example", 80, True, "a.example:80"),
        ("127.0.0.1", 8080, False, "127.0.0.1:8080"),
        ("::1", 443, True, "[::1]"),
        ("::1", 8443, True, "[::1]:8443"),
    ],
)
def test_host_has_brackets_and_port_where_it_needs_them(host, port, secure, authority):
    request = OutgoingRequest(host=host, port=port, secure=secure, path="/x?y=1")
    assert dict(parse_by_h11(build_request(request)).headers)[b"host"] == authority.encode()
    assert request.url == f"{'https' if secure else 'http'}://{authority}/x?y=1"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("given", [(), (Header(name="user-agent", value="mine"), Header(name="HOST", value="b"))])
def test_headers_that_are_listed_are_those_that_are_sent(method, given):
    request = OutgoingRequest(method=method, host="2001:db8::1", port=8080, secure=True, headers=given)
    sent = build_request(request).partition(b"\r\n")[2]
    listed = "".join(f"{name}: {value}\r\n" for name, value in list_headers(request))
    assert f"{listed}\r\n".encode() == sent


def test_headers_of_the_target_replace_ours_of_the_same_name():
    given = (Header(name="user-agent", value="mine"), Header(name="X-Key", value="1"), Header(name="HOST", value="b"))
    data = build_request(OutgoingRequest(host="a", port=80, secure=False, headers=given))
    headers = list(parse_by_h11(data).headers)
    assert [value for name, value in headers if name == b"user-agent"] == [b"mine"]
    assert [value for name, value in headers if name == b"host"] == [b"b"]
    assert headers[-1] == (b"x-key", b"1")


def test_a_body_comes_with_its_length():
    data = build_request(OutgoingRequest(method="POST", host="a", port=80, secure=False, body=b"abc"))
    assert dict(parse_by_h11(data).headers)[b"content-length"] == b"3"
    assert data.endswith(b"\r\n\r\nabc")


def test_a_post_without_a_body_says_so():
    data = build_request(OutgoingRequest(method="POST", host="a", port=80, secure=False))
    assert dict(parse_by_h11(data).headers)[b"content-length"] == b"0"


TEXT = st.text(max_size=30)


@given(
    path=TEXT.map(lambda text: f"/{text}"),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    name=st.from_regex(r"[A-Za-z][A-Za-z-]{0,10}", fullmatch=True).filter(
        lambda name: name.lower() not in ("transfer-encoding", "content-length", "upgrade", "connection", "host")
    ),
    value=TEXT,
)
@example(path="/a b\r\nX: y", method="GET", name="X", value="1\r\nEvil: 2\r\n\r\nGET /")
def test_no_path_or_header_can_smuggle_in_a_line(path, method, name, value):
    request = OutgoingRequest(
        method=method, host="a", port=80, secure=False, path=path, headers=(Header(name=name, value=value),)
    )
    head = build_request(request)
    fields = {"host", "user-agent", "accept", "accept-language", "accept-encoding", "connection", name.lower()}
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert len(lines) == 1 + len(fields) + (method == "POST")
    assert len(lines[0].split(b" ")) == 3
    assert lines[0].isascii()


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, UNTIL_CLOSE, INTERIM, EMPTY, BARE_LF])
def test_a_response_reads_the_same_however_it_is_cut(data):
    whole = read(data)
    assert (whole.end(), whole.status) == (True, 204 if data is EMPTY else 200)
    assert whole.body == (b"" if data is EMPTY else b"hello")
    bytewise = read(*(data[n : n + 1] for n in range(len(data))))
    assert bytewise.end()
    assert what(bytewise) == what(whole)
    for cut in range(len(data) + 1):
        halves = read(data[:cut], data[cut:])
        assert halves.end()
        assert what(halves) == what(whole)


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, INTERIM, EMPTY])
def test_a_response_cut_short_is_never_whole(data):
    for cut in range(len(data)):
        assert not read(data[:cut]).end()


def test_the_head_is_kept_as_received():
    assert read(PLAIN).head == PLAIN.removesuffix(b"hello")
    assert read(INTERIM).head == INTERIM.removesuffix(b"hello")
    assert read(b"\r\n" + PLAIN).head == b"\r\n" + PLAIN.removesuffix(b"hello")


def test_bytes_after_the_end_change_nothing():
    reader = read(PLAIN + b"HTTP/1.1 500 No\r\nX: y\r\n\r\n")
    assert what(reader) == what(read(PLAIN))
    assert what(read(PLAIN, b"\xff\xff")) == what(read(PLAIN))


def test_trailers_are_dropped():
    assert read(CHUNKED).headers == (("Transfer-Encoding", "chunked"),)
    endless = read(CHUNKED[:-2])
    endless.feed(b"a:\r\n" * 10_000)
    assert (endless.status, endless.body, endless.complete) == (200, b"hello", False)


def test_a_response_to_head_has_no_body():
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", method="HEAD")
    assert reader.complete


def test_a_switch_of_protocols_ends_the_response():
    reader = read(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x00\x01")
    assert (reader.status, reader.complete, reader.body) == (101, True, b"")


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 10737418240\r\n"])
def test_reading_stops_at_the_body_limit(framing):
    reader = read(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n", limit=100)
    reader.feed(b"x" * 60)
    assert not reader.complete
    reader.feed(b"x" * 60)
    assert (reader.complete, reader.truncated, reader.body, reader.body_bytes) == (True, True, b"x" * 100, 120)


def test_a_body_of_just_the_limit_is_whole():
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x" * 100, limit=100)
    assert (reader.complete, reader.truncated) == (True, False)


def test_framing_without_end_ends():
    reader = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
    for _ in range(20):
        reader.feed(b"x" * 65536)
        if reader.complete:
            break
    assert (reader.complete, reader.truncated, reader.body) == (True, True, b"")


def test_ten_thousand_headers_are_refused():
    data = b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 10_000 + b"\r\n"
    with pytest.raises(ProtocolError, match=f"more than {MAX_HEADERS}"):
        read(data)
    reader = ResponseReader()
    with pytest.raises(ProtocolError):
        feed_all(reader, (data[n : n + 1] for n in range(len(data))))
    assert len(reader.headers) <= MAX_HEADERS


@pytest.mark.parametrize("piece", [b"x" * 65536, b"x" * 1000])
def test_a_head_without_end_is_refused(piece):
    reader = read(b"HTTP/1.1 200 OK\r\nX: ")
    with pytest.raises(ProtocolError, match="head longer"):
        feed_all(reader, itertools.repeat(piece, 100))
    assert len(reader.head) == MAX_HEAD_BYTES


def test_interim_responses_without_end_are_refused():
    reader = ResponseReader()
    with pytest.raises(ProtocolError, match="head longer"):
        feed_all(reader, itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 10_000))
    assert reader.status == 0


@pytest.mark.parametrize(
    "data",
    [
        b"<html>blocked</html>",
        b"\x16\x03\x01\x02",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
    ],
)
def test_other_protocols_are_refused_and_kept(data):
    reader = ResponseReader()
    with pytest.raises(ProtocolError, match=data[:16].hex()):
        reader.feed(data)
    assert (reader.head, reader.status) == (data, 0)


def test_garbage_instead_of_a_chunk_is_refused():
    reader = ResponseReader()
    with pytest.raises(ProtocolError):
        reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n")
    assert (reader.status, reader.body) == (200, b"hi")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nA:b\r\n c\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 \xff\xfe\r\nX: \xe9\x01\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n",
    ],
)
def test_what_browsers_forgive_is_forgiven(data):
    reader = read(data)
    assert (reader.status, reader.body, reader.complete) == (200, b"hi", True)


@given(st.binary(max_size=200), st.integers(0, 200))
@example(PLAIN, 3)
def test_any_bytes_are_a_response_a_part_of_one_or_a_protocol_error(data, cut):
    check_any(data, cut)


FRAGMENTS = [
    b"HTTP/1.1 ",
    b"200",
    b" OK",
    b"\r\n",
    b"\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked",
    b"5",
    b"x",
]


@given(st.lists(st.one_of(st.sampled_from([*FRAGMENTS, b"HTTP/1.1 100 C\r\n\r\n"]), st.binary(max_size=4))))
def test_anything_like_http_is_a_response_a_part_of_one_or_a_protocol_error(fragments):
    data = b"".join(fragments)
    check_any(data, len(data) // 2)


def check_any(data: bytes, cut: int) -> None:
    outcomes = []
    for pieces in ([data], [data[:cut], data[cut:]], [data[n : n + 1] for n in range(len(data))]):
        reader = ResponseReader()
        try:
            for piece in pieces:
                reader.feed(piece)
        except ProtocolError:
            outcomes.append(("error", reader.status))
        else:
            outcomes.append((reader.end(), what(reader)))
    assert outcomes[0] == outcomes[1] == outcomes[2]


TOKEN = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).map(lambda name: f"X-{name}")
VALUE = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@given(
    status=st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    headers=st.lists(st.tuples(TOKEN, VALUE), max_size=8),
    body=st.binary(max_size=300),
    chunked=st.booleans(),
    sizes=st.lists(st.integers(1, 60), max_size=10),
)
def test_what_h11_writes_we_read(status, headers, body, chunked, sizes):
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert isinstance(server.next_event(), h11.Request)
    framing = [("Transfer-Encoding", "chunked")] if chunked else [("Content-Length", str(len(body)))]
    response = h11.Response(status_code=status, headers=[*headers, *framing], reason=b"Why Not")
    data = server.send(response) or b""
    for piece in (body[:7], body[7:]):
        data += (server.send(h11.Data(data=piece)) or b"") if piece else b""
    data += server.send(h11.EndOfMessage()) or b""

    reader = ResponseReader()
    rest = data
    for size in sizes:
        reader.feed(rest[:size])
        rest = rest[size:]
    reader.feed(rest)
    assert (reader.complete, reader.status, reader.body) == (True, status, body)
    ours = [(name.lower(), value) for name, value in reader.headers]
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.receive_data(data)
    theirs = client.next_event()
    assert isinstance(theirs, h11.Response)
    assert ours == [(name.decode(), value.decode()) for name, value in theirs.headers]
