import ipaddress
import socket
import subprocess
import sys

import pytest

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


def write_route(address: str, length: int, flags: int) -> str:
    fields = [ipaddress.ip_address(address).packed.hex(), f"{length:02x}", "0" * 32, "00", "0" * 32]
    return " ".join([*fields, "00000400", "00000001", "00000000", f"{flags:08x}", "     eth0"]) + "\n"


@pytest.mark.parametrize(
    ("length", "flags", "used"),
    [
        (128, 0x0003, True),
        (128, 0x0001, True),
        (64, 0x0001, False),
        (128, 0x80200001, False),
        (128, 0x01000003, False),
        (128, 0x00100001, False),
        (128, 0x0201, False),
    ],
    ids=["by a router", "on the link", "a network", "our own", "remembered size", "anycast", "refused"],
)
def test_of_ipv6_a_route_that_somebody_made_for_the_host(tmp_path, length, flags, used):
    routes = write_route("::", 0, 0x0003) + write_route("2001:db8::7", length, flags)
    (tmp_path / "ipv6_route").write_text(routes)
    assert is_in_use(Endpoint(address="2001:db8:0:0::7", port=1194), tmp_path) is used
    assert not is_in_use(Endpoint(address="2001:db8::8", port=1194), tmp_path)


def loopback_has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not loopback_has_ipv6(), reason="this host has no IPv6")
@pytest.mark.parametrize(
    ("listens", "dials", "asked"), [("::1", "::1", "::1"), ("::", "::ffff:127.0.0.1", "127.0.0.1")]
)
def test_a_connection_over_ipv6_is_seen_and_one_over_ipv4_of_such_a_socket(listens, dials, asked):
    with socket.create_server((listens, 0), family=socket.AF_INET6, dualstack_ipv6=listens == "::") as server:
        port = server.getsockname()[1]
        place = Endpoint(address=asked, port=port)
        hold = HOLD.replace("create_connection(('127.0.0.1'", f"create_connection(({dials!r}")
        with socket.create_connection((dials, port)):
            assert not is_in_use(place), "a check is not its own user"
        with subprocess.Popen(
            [sys.executable, "-c", hold, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout.readline() == b"1\n"
            assert is_in_use(place)
            assert not is_in_use(Endpoint(address=asked, port=port ^ 1))
            other.kill()


def test_a_route_in_the_kernel_of_a_network_of_its_own():
    """Not our reading of the kernel's source, but the kernel."""
    script = (
        "ip tuntap add tap0 mode tap && ip link set lo up && ip link set tap0 up && "
        "ip -6 addr add 2001:db8:1::1/64 dev tap0 nodad && ip -6 route add 2001:db8:77::9/128 dev tap0 && "
        f'exec {sys.executable} -c "from probe.net.own_tunnel import is_in_use as u; '
        "from probe.model.endpoint import Endpoint as E; "
        "print([u(E(address=a, port=1)) for a in ('2001:db8:77::9', '2001:db8:1::1', '2001:db8:1::2')])\""
    )
    done = subprocess.run(["unshare", "-rn", "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no such network here: {done.stderr[-200:]}")
    assert done.stdout == "[True, False, False]\n"
