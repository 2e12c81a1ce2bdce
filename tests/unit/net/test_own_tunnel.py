import socket
import subprocess
import sys

from probe.model.endpoint import Endpoint
from probe.net.own_tunnel import is_in_use

ROUTES = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
tun0 00000000 00000000 0001 0 0 0 00000080 0 0 0
eth0 017100CB 0102000A 0007 0 0 0 FFFFFFFF 0 0 0
eth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0
"""


def test_a_route_to_one_host_alone_is_a_tunnels(tmp_path):
    (tmp_path / "route").write_text(ROUTES)
    assert is_in_use(Endpoint(address="203.0.113.1", port=1194), tmp_path)
    assert not is_in_use(Endpoint(address="203.0.113.2", port=1194), tmp_path)
    assert not is_in_use(Endpoint(address="10.0.2.0", port=1194), tmp_path), "a network's route is none"


HOLD = (
    "import socket, sys; c = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print(1, flush=True); input()"
)


def test_an_open_connection_of_another_program_is_seen_and_our_own_is_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        place = Endpoint(address="127.0.0.1", port=port)
        with socket.create_connection(("127.0.0.1", port)):
            assert not is_in_use(place), "a check is not its own user"
        command = [sys.executable, "-c", HOLD, str(port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"1\n"
            assert is_in_use(place)
            other.kill()


def test_where_the_kernel_tells_nothing_nothing_is_known(tmp_path):
    assert not is_in_use(Endpoint(address="203.0.113.1", port=1194), tmp_path)
    assert not is_in_use(Endpoint(address="2001:db8::1", port=1194), tmp_path)
