"""Routers that refuse, in network namespaces: the failure names who sent the ICMP error."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs network namespaces"),
]

TOPOLOGY = """
    set -e
    ip link set lo up
    ip link add near type veth peer name far
    unshare --net sleep 60 & router=$!
    trap 'kill $router' EXIT
    while [ "$(readlink /proc/$router/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
    ip link set far netns $router
    ip addr add 10.0.0.1/24 dev near
    ip addr add 2001:db8::1/64 dev near nodad
    ip link set near up
    nsenter -t $router -n sh -ec '
        ip link set lo up
        ip addr add 10.0.0.2/24 dev far
        ip addr add 2001:db8::2/64 dev far nodad
        ip link set far up
        echo 1 > /proc/sys/net/ipv4/ip_forward
        echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
        echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
        echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
        ip route add prohibit 10.1.0.0/16
        ip route add unreachable 10.2.0.0/16
        ip route add blackhole 10.3.0.0/16
        ip -6 route add prohibit 2001:db8:1::/48
    '
    ip route add default via 10.0.0.2
    ip -6 route add default via 2001:db8::2
    "$PYTHON" -c "$PROGRAM"
"""

PROGRAM = """
    import asyncio, os, uvloop
    from probe.model.endpoint import Endpoint
    from probe.net.connect import connect
    from probe.net.echo import echo
    from probe.net.stack import Stack
    from tests.fakes import make_context

    async def main():
        stack = Stack.open()
        ctx = make_context(stack, timeout_s=0.6)
        for address in ("10.1.0.1", "10.2.0.1", "10.3.0.1", "2001:db8:1::1"):
            async with connect(ctx, Endpoint(address=address, port=80)) as channel:
                assert channel is None
            assert not await echo(ctx, address)
        for seen in ctx.journal.observations:
            icmp = seen.failure.icmp
            sender = (icmp.type, icmp.code, icmp.offender) if icmp else ()
            print(type(seen).__name__, seen.failure.code.value, *sender)
        print(*(silence.layer for silence in ctx.journal.silences))
        await stack.close()

    (uvloop.run if os.environ["LOOP"] == "uvloop" else asyncio.run)(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_refusing_router_is_named_and_a_silent_one_is_silent(loop: str) -> None:
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", textwrap.dedent(TOPOLOGY)],
        env=os.environ | {"LOOP": loop, "PYTHON": sys.executable, "PROGRAM": textwrap.dedent(PROGRAM)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("no network namespace may be made here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "TCPConnect host_unreachable 3 13 10.0.0.2",
        "ICMPEcho host_unreachable 3 13 10.0.0.2",
        "TCPConnect host_unreachable 3 1 10.0.0.2",
        "ICMPEcho host_unreachable 3 1 10.0.0.2",
        "TCPConnect generic_timeout_error",
        "ICMPEcho generic_timeout_error",
        "TCPConnect host_unreachable 1 1 2001:db8::2",
        "ICMPEcho host_unreachable 1 1 2001:db8::2",
        "tcp icmp",
    ]
