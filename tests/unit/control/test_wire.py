"""The native contract as bytes: bounds, round trips, nonsense."""

import asyncio
import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.control import wire
from probe.model.control import ControlRequest
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.model.observation import BytesAt, DNSLookup, DNSReply, HTTPExchange, Resolver, TCPConnect, Transport
from probe.model.target import CheckName
from tests.unit.control.place import HEADERS, open_place

PLACE = Endpoint(address="93.184.216.34", port=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
GOOD = {"check": "web", "host": "a.test", "port": 443, "path": "/", "secure": True, "addresses": ["1.1.1.1"]}
FIELDS = st.sampled_from([*GOOD, "families", "timeout_s", "server_names", "query_type"])


@given(st.binary(max_size=200) | st.dictionaries(FIELDS, JSON).map(lambda odd: json.dumps(GOOD | odd).encode()))
def test_anything_is_a_request_within_bounds_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        request = wire.parse_request(data)
        assert 0 <= request.port <= 65535
        assert request.path.startswith("/")
        assert len(request.addresses) <= wire.MAX_ADDRESSES


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_is_an_answer_an_offer_or_a_protocol_error(data: bytes) -> None:
    for parse in (wire.parse_answer, wire.parse_offer):
        with contextlib.suppress(ProtocolError):
            parse(data)


def test_a_request_is_made_canonical() -> None:
    asked = ControlRequest(
        check=CheckName.WEB,
        host="ExAmple.ORG.",
        port=443,
        addresses=("2001:DB8::0001", "2001:db8::1"),
        server_names=("",),
    )
    read = wire.parse_request(wire.encode(asked))
    assert (read.host, read.addresses, read.server_names) == ("example.org", ("2001:db8::1",), ("",))


def test_an_answer_survives_the_wire() -> None:
    seen = TCPConnect(transaction=1, t0_s=0.0, t_s=0.1, endpoint=PLACE)
    answer = wire.ControlAnswer(control="x", version="1", started_at=1.0, runtime_s=0.1, observations=(seen,))
    assert wire.parse_answer(wire.encode(answer)) == answer


def test_fields_of_a_later_version_are_passed_over() -> None:
    written = {"control": "x", "version": "9", "started_at": 1, "runtime_s": 1, "observations": [], "new": {"a": 1}}
    assert wire.parse_answer(json.dumps(written).encode()).version == "9"


@pytest.mark.parametrize(("size", "kept"), [(wire.MAX_KEPT_BODY_BYTES, True), (wire.MAX_KEPT_BODY_BYTES + 1, False)])
def test_a_short_page_is_kept_and_a_long_one_is_its_hash(size: int, kept: bool) -> None:
    page = HTTPExchange(
        transaction=1,
        t0_s=0.0,
        t_s=0.1,
        endpoint=PLACE,
        method="GET",
        url="http://a.test/",
        secure=False,
        body=b"x" * size,
        body_bytes=size,
        body_sha256="ab",
        head=b"HTTP/1.1 200 OK",
        timeline=(BytesAt(t_s=0.1, body_bytes=1),),
    )
    stripped = wire.strip(page)
    assert isinstance(stripped, HTTPExchange)
    assert (bool(stripped.body), stripped.body_sha256, stripped.body_bytes) == (kept, "ab", size)
    assert (stripped.head, stripped.timeline) == (b"", ())


def test_raw_dns_messages_stay_at_home() -> None:
    lookup = DNSLookup(
        transaction=1,
        t0_s=0.0,
        t_s=0.1,
        resolver=Resolver(transport=Transport.UDP, endpoint=PLACE),
        name="a.test",
        query_type="A",
        replies=(DNSReply(t_s=0.1, raw=b"x"), DNSReply(t_s=0.2)),
    )
    stripped = wire.strip(lookup)
    assert isinstance(stripped, DNSLookup)
    assert [reply.raw for reply in stripped.replies] == [b"", b""]


async def test_no_bytes_on_the_socket_bring_the_server_down() -> None:
    garbage = [b"\x00" * 100, b"GET / HTTP/9\r\n\r\n", b"POST /api/v1/measure HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    garbage += [
        b"\x16\x03\x01\x02\x00",
        b"GET " + b"a" * 20000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ]
    async with open_place() as place:
        for data in garbage:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.write(data)
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 3)
            writer.close()
        assert (await place.ask("GET", "/-/healthy"))[0] == 200


async def test_a_compressed_bomb_is_refused() -> None:
    import gzip

    async with open_place() as place:
        headers = HEADERS | {"Content-Encoding": "gzip"}
        bomb = gzip.compress(b" " * 50_000_000)
        status, _, _ = await place.ask("POST", "/api/v1/measure", data=bomb, headers=headers)
    assert status in (400, 413)


@given(host=st.text(min_size=1, max_size=20), port=st.integers(1, 65535))
def test_any_host_is_read_as_a_host_or_refused(host: str, port: int) -> None:
    written = msgspec.json.encode({"check": "web", "host": host, "port": port})
    with contextlib.suppress(ProtocolError):
        assert wire.parse_request(written).host
