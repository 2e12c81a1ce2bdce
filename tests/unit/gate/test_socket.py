"""The daemon's gate over its unix socket: server and client against each other, and against strangers."""

import asyncio
import contextlib
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from probe.gate import Gate, wire
from probe.gate.remote import GateUnreachable, RemoteGate
from probe.gate.server import GateServer
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError, UserError
from probe.model.experiment import Traffic
from probe.model.settings import Limits
from probe.net.clock import SystemClock

HERE = Endpoint(address="192.0.2.1", port=443)
THERE = Endpoint(address="2001:db8::2", port=443)


@pytest.fixture
def path():
    folder = Path(tempfile.mkdtemp(prefix="wp-gate-"))  # pytest's own folders are too long for a unix socket
    yield folder / wire.SOCKET_NAME
    shutil.rmtree(folder)


@pytest.fixture
def gate():
    return Gate(Limits(connections_per_s=1e6, dns_per_s=1e6, sockets=5), SystemClock(), None)


@pytest_asyncio.fixture
async def server(gate, path):
    server = GateServer(gate, path)
    await server.start()
    yield server
    await server.close()


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in the other end, which tells nobody
            await asyncio.sleep(0.005)


async def test_a_grant_is_asked_for_and_released_over_the_socket(server, gate, path):
    remote = await RemoteGate.connect(path)
    grant = await remote.ask(Traffic.CONNECT, HERE, "m")
    assert (grant.endpoint, grant.traffic, grant.hot) == (HERE, Traffic.CONNECT, False)
    assert gate.stats().in_flight == 1
    remote.release(grant, bytes_sent=10, bytes_received=20)
    await until(lambda: gate.stats().in_flight == 0)
    assert gate.stats().bytes_received_total == 20
    await remote.close()


async def test_the_socket_is_for_its_owner_only(server, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_two_clients_share_places_and_heat(server, gate, path):
    one, two = await RemoteGate.connect(path), await RemoteGate.connect(path)
    first = await one.ask(Traffic.CONNECT, HERE, "same-name")
    waiting = asyncio.create_task(two.ask(Traffic.CONNECT, HERE, "same-name"))
    await until(lambda: gate.stats().waiting_for_endpoint == 1)
    one.triggered(HERE)
    one.release(first)
    grant = await waiting
    assert grant.hot
    assert grant.queued_s > 0
    await one.close()
    await two.close()


async def test_a_client_that_dies_gives_back_all_it_held_and_waited_for(server, gate, path):
    remote = await RemoteGate.connect(path)
    for _ in range(5):
        await remote.ask(Traffic.CONNECT, HERE, "m")
    waiting = asyncio.create_task(remote.ask(Traffic.CONNECT, THERE, "m"))
    await until(lambda: gate.stats().queued == 1)
    waiting.cancel()
    await remote.close()
    await until(lambda: (gate.stats().in_flight, gate.stats().queued) == (0, 0))
    assert gate.stats().sockets_in_flight == 0


async def test_a_cancelled_ask_is_withdrawn_at_the_daemon(server, gate, path):
    remote = await RemoteGate.connect(path)
    held = await remote.ask(Traffic.CONNECT, HERE, "a")
    waiting = asyncio.create_task(remote.ask(Traffic.CONNECT, HERE, "b"))
    await until(lambda: gate.stats().queued == 1)
    waiting.cancel()
    await until(lambda: gate.stats().queued == 0)
    remote.release(held)
    await until(lambda: gate.stats().in_flight == 0)
    await remote.close()


async def test_asks_that_are_cancelled_at_once_leave_nothing_behind(server, gate, path):
    remote = await RemoteGate.connect(path)
    for _ in range(200):
        task = asyncio.create_task(remote.ask(Traffic.CONNECT, HERE, "m"))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    grant = await remote.ask(Traffic.CONNECT, HERE, "n")
    assert gate.stats().in_flight == 1
    remote.release(grant)
    await until(lambda: (gate.stats().in_flight, gate.stats().queued) == (0, 0))
    await remote.close()


async def test_without_a_daemon_the_gate_is_unreachable(path):
    with pytest.raises(GateUnreachable, match="no daemon answers"):
        await RemoteGate.connect(path)


async def test_a_daemon_that_goes_away_while_somebody_waits_makes_the_gate_unreachable(gate, path):
    server = GateServer(gate, path)
    await server.start()
    remote = await RemoteGate.connect(path)
    held = await remote.ask(Traffic.CONNECT, HERE, "a")
    waiting = asyncio.create_task(remote.ask(Traffic.CONNECT, HERE, "b"))
    await until(lambda: gate.stats().queued == 1)
    await server.close()
    with pytest.raises(GateUnreachable):
        await asyncio.wait_for(waiting, 5)
    remote.release(held)
    assert gate.stats().in_flight == 0
    assert not path.exists()
    await remote.close()


async def test_a_daemon_that_comes_back_is_found_again(gate, path):
    first = GateServer(gate, path)
    await first.start()
    remote = await RemoteGate.connect(path)
    held = await remote.ask(Traffic.CONNECT, HERE, "a")
    await first.close()
    second = GateServer(gate, path)
    await second.start()
    grant = await remote.ask(Traffic.CONNECT, HERE, "a")
    remote.release(held)
    remote.release(grant)
    await until(lambda: gate.stats().in_flight == 0)
    await remote.close()
    await second.close()


async def test_a_socket_that_a_dead_daemon_left_is_taken_over(gate, path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    server = GateServer(gate, path)
    await server.start()
    await (await RemoteGate.connect(path)).close()
    await server.close()


async def test_a_second_daemon_on_the_same_path_is_the_users_error(server, gate, path):
    with pytest.raises(UserError, match="another wallprobe daemon"):
        await GateServer(gate, path).start()


async def test_a_file_in_the_way_is_the_users_error_and_stays(gate, path):
    path.write_text("mine")
    with pytest.raises(UserError, match="no socket"):
        await GateServer(gate, path).start()
    assert path.read_text() == "mine"


async def test_a_path_that_is_too_long_is_the_users_error(gate, path):
    with pytest.raises(UserError, match="cannot"):
        await GateServer(gate, path.parent / ("x" * 200)).start()


async def exchange(path: Path, data: bytes) -> tuple[bytes, ...]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    with contextlib.suppress(OSError):
        writer.write_eof()
    async with asyncio.timeout(5):
        lines = await reader.read()
    writer.close()
    return tuple(lines.splitlines())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"{}\n",
        b"\xff\xfe\n",
        b"[" * 4000 + b"\n",
        b"x" * 20_000,
        b'{"type":"ask","id":1,"traffic":"teleport","holder":"m"}\n',
        b'{"type":"triggered","endpoint":{"address":"192.0.2.9","port":1}}\n',
        wire.build_line(wire.AskFor(id=1, traffic=Traffic.DNS, holder="m")) * 2,
        wire.build_line(wire.Release(id=1, bytes_sent=-1)),
    ],
)
async def test_nonsense_is_answered_by_a_reason_and_the_connection_is_closed(server, gate, path, data):
    lines = await exchange(path, data)
    assert isinstance(wire.parse_server_line(lines[0]), wire.Hello)
    assert isinstance(wire.parse_server_line(lines[-1]), wire.Refused)
    await until(lambda: (gate.stats().in_flight, gate.stats().queued) == (0, 0))


async def test_more_grants_than_a_client_may_have_are_refused(server, gate, path):
    flood = b"".join(wire.build_line(wire.AskFor(id=number, traffic=Traffic.DNS, holder="m")) for number in range(1100))
    lines = await exchange(path, flood)
    assert b"more than" in lines[-1]
    await until(lambda: gate.stats().in_flight == 0)


async def test_too_many_clients_are_turned_away_and_told(server, path):
    remotes = [await RemoteGate.connect(path) for _ in range(64)]
    with pytest.raises(GateUnreachable, match="too many clients"):
        await RemoteGate.connect(path)
    for remote in remotes:
        await remote.close()
    await (await RemoteGate.connect(path)).close()


@pytest.mark.parametrize("cut", range(0, 90, 7))
async def test_a_line_that_is_cut_anywhere_is_no_line(server, gate, path, cut):
    line = wire.build_line(wire.AskFor(id=1, traffic=Traffic.CONNECT, endpoint=HERE, holder="m"))
    lines = await exchange(path, line[: min(cut, len(line) - 1)])
    assert len(lines) == 1
    assert gate.stats().grants_total == 0


async def test_a_line_that_comes_byte_by_byte_is_a_line(server, path):
    reader, writer = await asyncio.open_unix_connection(path)
    for number in wire.build_line(wire.AskFor(id=1, traffic=Traffic.CONNECT, endpoint=HERE, holder="m")):
        writer.write(bytes([number]))
        await writer.drain()
    await reader.readline()
    assert isinstance(wire.parse_server_line(await reader.readline()), wire.Granted)
    writer.close()


@given(st.one_of(st.binary(max_size=200), st.text(max_size=80).map(str.encode)))
def test_any_bytes_are_a_line_or_a_protocol_error(data):
    for parse in (wire.parse_client_line, wire.parse_server_line):
        with contextlib.suppress(ProtocolError):
            parse(data)


@given(
    st.builds(
        wire.AskFor,
        id=st.integers(-(2**62), 2**62),
        traffic=st.sampled_from(Traffic),
        endpoint=st.none() | st.builds(Endpoint, address=st.text(max_size=40), port=st.integers(0, 65535)),
        holder=st.text(max_size=60),
    )
)
def test_what_is_built_is_read_back_and_is_one_line(line):
    data = wire.build_line(line)
    assert data.count(b"\n") == 1
    assert wire.parse_client_line(data) == line


async def test_a_run_is_handed_over_whole_between_other_lines(gate, path):
    taken: list[bytes] = []
    server = GateServer(gate, path, lambda run: bool(taken.append(run)) or run != b"no")
    await server.start()
    remote = await RemoteGate.connect(path)
    run = bytes(range(256)) * 1000
    stored, grant, refused = await asyncio.gather(
        remote.keep(run), remote.ask(Traffic.CONNECT, HERE, "m"), remote.keep(b"no")
    )
    assert (stored, refused) == (True, False)
    assert sorted(taken) == sorted([run, b"no"])
    remote.release(grant)
    assert not await remote.keep(b"")
    assert not await remote.keep(bytes(wire.KEEP_BYTES + 1))
    assert len(taken) == 2, "what is too large is not even sent"
    await server.close()
    assert not await remote.keep(run), "and nobody is there any more"
    await remote.close()


async def test_a_run_that_ends_too_early_or_is_larger_than_any_is_no_run(gate, path):
    taken: list[bytes] = []
    server = GateServer(gate, path, lambda run: bool(taken.append(run)))
    await server.start()
    for size, sent in ((100, b"x" * 99), (wire.KEEP_BYTES + 1, b"x"), (-1, b"x")):
        reader, writer = await asyncio.open_unix_connection(path)
        await reader.readline()
        writer.write(b'{"type":"keep","id":1,"size":%d}\n' % size + sent)
        writer.write_eof()
        async with asyncio.timeout(5):
            assert b"kept" not in await reader.read()
        writer.close()
    assert taken == []
    await server.close()
