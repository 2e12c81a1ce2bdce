import contextlib
import os
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.model.settings import WebSettings
from probe.web.listen import ListenAddress, format_address, is_loopback, open_listeners, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9785", "127.0.0.1", 9785),
        (":9785", "", 9785),
        ("[::1]:9785", "::1", 9785),
        ("localhost:0", "localhost", 0),
    ],
)
def test_the_three_ways_to_write_an_address_are_read(text, host, port):
    assert parse_listen(text) == ListenAddress(host=host, port=port)


@pytest.mark.parametrize(
    "text", ["", "9785", "::1:9785", "host:", "host:65536", "host:-1", "host:٣", "[::1]", "host:http"]
)
def test_anything_else_is_one_line_with_a_remedy(text):
    with pytest.raises(UserError, match=r"such as 127\.0\.0\.1:9785"):
        parse_listen(text)


@given(st.text())
def test_any_text_is_an_address_or_a_user_error(text):
    with contextlib.suppress(UserError):
        assert 0 <= parse_listen(text).port <= 65535


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_known(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "localhost", ""])
def test_what_is_not_a_loopback_literal_is_not(address):
    assert not is_loopback(address)


@pytest.mark.parametrize("place", [":0", "0.0.0.0:0", "[::]:0"])
def test_nothing_is_opened_beyond_loopback_without_protection(place):
    with pytest.raises(UserError, match=r"web\.config_file"):
        open_listeners(WebSettings(listen=("127.0.0.1:0", place)), {})


def test_beyond_loopback_is_opened_when_the_user_insists():
    sockets = open_listeners(WebSettings(listen=(":0",), allow_insecure=True), {})
    assert {one.getsockname()[0] for one in sockets} & {"0.0.0.0", "::"}
    for one in sockets:
        one.close()


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match="the port is in use"):
            open_listeners(WebSettings(listen=(f"127.0.0.1:{port}",)), {})


def test_an_address_of_another_machine_is_one_line():
    with pytest.raises(UserError, match="not an address of this machine"):
        open_listeners(WebSettings(listen=("192.0.2.1:0",)), {})


def test_sockets_opened_before_an_error_are_closed_again():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    with pytest.raises(UserError):
        open_listeners(WebSettings(listen=(f"127.0.0.1:{free}", "nonsense")), {})
    socket.create_server(("127.0.0.1", free)).close()


def test_sockets_meant_for_another_process_are_left_alone():
    environ = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}
    [one] = open_listeners(WebSettings(listen=("127.0.0.1:0",)), environ)
    assert format_address(one).startswith("127.0.0.1:")
    one.close()


def test_sockets_that_systemd_passed_are_taken_instead():
    # In a child, because descriptor 3 is not free here.
    code = (
        "import os, socket\n"
        "from probe.model.settings import WebSettings\n"
        "from probe.web.listen import format_address, open_listeners\n"
        "ours = socket.create_server(('127.0.0.1', 0))\n"
        "port = ours.getsockname()[1]\n"
        "os.dup2(ours.fileno(), 3)\n"
        "environ = {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}\n"
        "[passed] = open_listeners(WebSettings(listen=('127.0.0.1:1',)), environ)\n"
        "assert format_address(passed) == f'127.0.0.1:{port}', format_address(passed)\n"
        "print('taken')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "taken\n", done.stderr
