"""ICMP errors read from real sockets on loopback, and from any bytes."""

import socket
import struct
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.failure import IcmpError
from probe.net import error_queue

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's")


def _closed_port(family: socket.AddressFamily, address: str) -> int:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        return int(sock.getsockname()[1])


def _drain_soon(sock: socket.socket) -> tuple[IcmpError, ...]:
    until = time.monotonic() + 2
    while time.monotonic() < until:
        if errors := error_queue.drain(sock):
            return errors
        time.sleep(0.001)
    return ()


@pytest.mark.parametrize(
    ("family", "address", "expected"),
    [(socket.AF_INET, "127.0.0.1", (3, 3)), (socket.AF_INET6, "::1", (1, 4))],
)
def test_a_closed_udp_port_names_the_host_that_refused(
    family: socket.AddressFamily, address: str, expected: tuple[int, int]
) -> None:
    port = _closed_port(family, address)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        assert error_queue.enable(sock)
        sock.connect((address, port))
        sock.send(b"anyone there?")
        errors = _drain_soon(sock)
    assert errors == (IcmpError(type=expected[0], code=expected[1], offender=address),)


def test_a_closed_tcp_port_leaves_the_queue_empty() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with socket.socket() as sock:
            sock.setblocking(False)
            error_queue.enable(sock)
            assert sock.connect_ex(taken.getsockname()) != 0
            time.sleep(0.02)
            assert error_queue.drain(sock) == ()


def test_draining_a_closed_socket_gives_nothing() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.close()
    assert not error_queue.enable(sock)
    assert error_queue.drain(sock) == ()


def test_an_error_of_our_own_host_is_not_an_icmp_error() -> None:
    local = struct.pack("=IBBBBII", 90, 1, 0, 0, 0, 0, 0)
    assert error_queue.parse_extended_error(local) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_an_icmp_error_or_nothing(data: bytes) -> None:
    parsed = error_queue.parse_extended_error(data)
    assert parsed is None or isinstance(parsed, IcmpError)
