"""A lab as a context manager: `async with Lab() as lab`, then scenarios, and programs in its client.

Whatever happens to this process, the lab goes with it: see `keeper`.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from types import TracebackType
from typing import Self

import msgspec

from probe.lab.keeper import CA_FILE, FOLDER
from probe.lab.line import Line
from probe.lab.messages import (
    LIMIT_BYTES,
    Count,
    Counted,
    Died,
    Exited,
    Forward,
    Kill,
    Message,
    Ready,
    Refused,
    Serve,
    Spawn,
    Write,
    decode,
    open_pair,
    send,
)
from probe.lab.scenarios.model import Client, Scenario
from probe.lab.world.atlas import DOMESTIC, ISP_RESOLVER, build_world
from probe.lab.world.plan import World
from probe.model.errors import UserError

SET_UP_S = 60.0
"""A lab is up in a second; on a machine on which many come up at once it takes its time."""
PATIENCE_S = 10.0
"""For its end, before it is forced, and what it used is counted to nobody."""
REMEDIES = {
    "probe.lab.client.tunnel": ("there is no TUN interface for the client's tunnel", "make /dev/net/tun accessible"),
    "probe.lab.client.beside": (
        "the client's ports cannot be taken",
        "allow writes to /proc/sys/net in the lab's namespace",
    ),
}
"""What a companion lacks when it does not come up, and how to get it."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class UnsupportedError(UserError):
    """A scenario needs what this kernel, or this machine, does not give; other scenarios do without."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What a program in the client left behind."""

    code: int
    """Exit code; negative = ended by that signal."""
    stdout: bytes
    stderr: bytes


class Lab:
    """A client, a line, a censor and a world in namespaces of their own; several may run side by side."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.world = build_world(seed)
        """As it is where nothing is wrong; scenarios start from it."""
        self._numbers = itertools.count(1)
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._keeper: subprocess.Popen[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pipes: list[socket.socket] = []
        self._companions: list[tuple[int, asyncio.Future[int]]] = []
        """What the scenario needs running beside the agent."""
        self._client = Client()

    async def __aenter__(self) -> Self:
        """Set up the lab, with a clean line.

        Raises:
            UserError: the kernel refuses what it needs.
        """
        if not sys.platform.startswith("linux"):
            raise UserError("lab", "network namespaces are Linux's", "run it on Linux, or in a Linux virtual machine")
        pairs = [open_pair() for _ in range(3)]
        self._pipes = [ours for ours, _ in pairs]
        theirs = [their for _, their in pairs]
        numbers = [str(end.fileno()) for end in theirs]
        argv = [sys.executable, "-m", "probe.lab.keeper", *numbers]
        descriptors = tuple(end.fileno() for end in theirs)
        self._keeper = _start(argv, descriptors)
        for end in theirs:
            end.close()
        for pipe in self._pipes:
            pipe.setblocking(False)
        try:
            async with asyncio.timeout(SET_UP_S):
                send(self._control, Serve(world=self.world))
                await self._expect_ready(self._control)
                await self.configure(self.world)
        except BaseException:
            self.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._control, self._hear)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the lab: process 1 goes, and the kernel takes the rest with it."""
        if self._pipes and self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._control)
        for pipe in self._pipes:
            pipe.close()
        self._pipes = []
        if self._keeper is not None:
            try:
                self._keeper.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._keeper.kill()
                self._keeper.wait()
            self._keeper = None
        for waiting in self._exits.values():
            waiting.cancel()

    @property
    def process_id(self) -> int:
        """Return the process that keeps the lab, on the host; all others of the lab are below it."""
        return 0 if self._keeper is None else self._keeper.pid

    @property
    def _control(self) -> socket.socket:
        return self._pipes[0]

    async def configure(self, world: World, forward: Forward | None = None) -> None:
        """Switch to another world, line and censor; all flow state is forgotten."""
        forward = Forward(seed=self.seed) if forward is None else forward
        forward = msgspec.structs.replace(forward, empty_addresses=world.empty_addresses)
        send(self._pipes[2], Serve(world=world))
        send(self._pipes[1], forward)
        await self._expect_ready(self._pipes[2])
        await self._expect_ready(self._pipes[1])

    async def play(self, scenario: Scenario, line: Line | None = None) -> None:
        """Switch to a scenario, on its own line unless another is given.

        Raises:
            UnsupportedError: something that the scenario needs is not to be had here.
        """
        rules = msgspec.structs.replace(scenario.rules, domestic=DOMESTIC, seed=self.seed)
        forward = Forward(rules=rules, line=line or scenario.line, seed=self.seed)
        client = scenario.client
        lines = [f"nameserver {address}" for address in client.nameservers or (ISP_RESOLVER,)]
        self.write_file("resolv.conf", "\n".join((*lines, *client.resolver_lines, "")))
        self.write_file("hosts", "\n".join(("127.0.0.1 localhost", "::1 localhost", *client.hosts, "")))
        await self._end_companions()
        await self.configure(scenario.world, forward)
        outside = scenario.world.sites["tunnel"].v4[0]
        if client.tunnel:
            await self._start_companion("probe.lab.client.tunnel", "far", outside, in_world=True)
            await self._start_companion("probe.lab.client.tunnel", "near", outside)
        for wanted, role in ((client.takes_ports, "ports"), (client.denies_descriptors, "descriptors")):
            if wanted:
                await self._start_companion("probe.lab.client.beside", role)
        if client.refused:
            await self._start_companion("probe.lab.client.beside", "refuse", client.refusal, *client.refused)
        if client.neighbour is not None:
            other = client.neighbour
            await self._start_companion(
                "probe.lab.client.beside", "greet", other.address, other.server_name, str(other.every_s)
            )
        self._client = client

    async def _start_companion(self, module: str, *words: str, in_world: bool = False) -> None:
        """Start a program that says `up` when it is, and wait until it does.

        Raises:
            UnsupportedError: the kernel refuses what it needs.
        """
        read, write = os.pipe2(os.O_CLOEXEC)
        argv = [sys.executable, "-m", module, *words]
        self._companions.append(self.spawn(argv, (write, write, write), in_world=in_world))
        os.close(write)
        said = await _read_all(read, first_line=True)
        if said != b"up\n":
            raise UnsupportedError("lab", *REMEDIES[module])

    async def _end_companions(self) -> None:
        """End them; what they have set up goes with them."""
        self._client = Client()
        for number, exited in self._companions:
            self.kill(number, signal.SIGTERM)
            await exited
        self._companions.clear()

    async def censor(self, scenario: Scenario) -> None:
        """Switch on a scenario's censor alone: its world is there already, and connections under way stay whole."""
        rules = msgspec.structs.replace(scenario.rules, domestic=DOMESTIC, seed=self.seed)
        empty = scenario.world.empty_addresses
        forward = Forward(rules=rules, line=scenario.line, empty_addresses=empty, seed=self.seed, keeps_packets=True)
        send(self._pipes[1], forward)
        await self._expect_ready(self._pipes[1])

    async def count(self) -> Counted:
        """Return what the forwarder has done since the last change."""
        send(self._pipes[1], Count())
        message = await self._receive(self._pipes[1])
        assert isinstance(message, Counted)
        return message

    def write_file(self, name: str, content: str | bytes) -> str:
        """Put a file where programs in the client find it, and return its path there."""
        data = content.encode() if isinstance(content, str) else content
        send(self._control, Write(name=name, content=data))
        return str(FOLDER / name)

    async def run_in_client(
        self, argv: list[str], *, timeout_s: float = 60.0, environment: dict[str, str] | None = None
    ) -> Finished:
        """Run a program in the client to its end.

        Raises:
            TimeoutError: it took longer; it is killed.
        """
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        number, exited = self.spawn(argv, (nothing, pipes[0][1], pipes[1][1]), environment=environment)
        for descriptor in (nothing, pipes[0][1], pipes[1][1]):
            os.close(descriptor)
        reads = [asyncio.ensure_future(_read_all(read)) for read, _ in pipes]
        try:
            async with asyncio.timeout(timeout_s):
                stdout, stderr = await asyncio.gather(*reads)
                return Finished(code=await exited, stdout=stdout, stderr=stderr)
        finally:
            for read in reads:
                read.cancel()
            self.kill(number)

    def spawn(
        self,
        argv: list[str],
        descriptors: tuple[int, ...],
        *,
        environment: dict[str, str] | None = None,
        in_world: bool = False,
    ) -> tuple[int, "asyncio.Future[int]"]:
        """Start a program in the client, or in the world; return its number, and its exit code when it ends.

        In the world it may listen at any address there on which the plan leaves the port free.

        Its first three descriptors are what programs have; those after them are listening sockets of our own network,
        which it finds as it would find systemd's.
        """
        number = next(self._numbers)
        self._exits[number] = asyncio.get_running_loop().create_future()
        order = Spawn(
            id=number,
            argv=tuple(argv),
            environment=build_environment({**self._client.environment, **(environment or {})}),
            folder=os.getcwd(),
            in_world=in_world,
        )
        socket.send_fds(self._control, [msgspec.json.encode(order)], list(descriptors))
        return number, self._exits[number]

    def kill(self, number: int, with_signal: int = signal.SIGKILL) -> None:
        """Send a signal to a program of the client, if it still runs."""
        if number in self._exits and self._pipes:
            # A lab that has ended has taken its programs with it.
            with contextlib.suppress(BrokenPipeError):
                send(self._control, Kill(id=number, signal=with_signal))

    def _hear(self) -> None:
        data = self._control.recv(LIMIT_BYTES)
        message = decode(data) if data else Died(part="keeper")
        if isinstance(message, Exited):
            waiting = self._exits.pop(message.id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message.code)
        elif isinstance(message, Died):
            asyncio.get_running_loop().remove_reader(self._control)
            for waiting in self._exits.values():
                if not waiting.done():
                    waiting.set_exception(RuntimeError(f"the lab's {message.part} has ended"))

    async def _expect_ready(self, pipe: socket.socket) -> None:
        message = await self._receive(pipe)
        if isinstance(message, Refused):
            raise UserError("lab", message.what, message.remedy)
        if not isinstance(message, Ready):
            raise RuntimeError(f"the lab said {message}")

    @staticmethod
    async def _receive(pipe: socket.socket) -> Message:
        try:
            data = await asyncio.get_running_loop().sock_recv(pipe, LIMIT_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            raise RuntimeError("a part of the lab has ended")
        return decode(data)


def build_environment(extra: dict[str, str]) -> dict[str, str]:
    """Return the environment of a program in the client: ours, with the lab's roots and without proxies and state."""
    kept = {key: value for key, value in os.environ.items() if key.lower() not in _PROXIES}
    roots = {key: str(CA_FILE) for key in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")}
    folders = {"HOME": str(FOLDER), "XDG_STATE_HOME": str(FOLDER / "state"), "XDG_CONFIG_HOME": str(FOLDER / "config")}
    return {**kept, **roots, **folders, "WALLPROBE_ACCEPT_RISK": "1", **extra}


def _start(argv: list[str], descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start the keeper; not by asyncio, so that it can be waited for where no loop runs any more."""
    # Ctrl-C reaches the whole process group. The keeper inherits the blocked signal, and ignores it before it unblocks.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=descriptors)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _read_all(descriptor: int, *, first_line: bool = False) -> bytes:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    with os.fdopen(descriptor, "rb") as pipe:
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            return await (reader.readline() if first_line else reader.read())
        finally:
            transport.close()
