"""The server that ships, over an agent that measures nothing: `python -m tests.deploy.serve PORT [web.yml]`."""

import asyncio
import sys

from probe.cli.loop import loop_factory
from probe.model.settings import WebSettings
from probe.web.server import start_web
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent


async def main(port: str, config_file: str = "") -> None:
    agent = FakeAgent([make_snapshot(number) for number in range(3)])
    server = await start_web(agent, WebSettings(listen=(f"127.0.0.1:{port}",), config_file=config_file), {})
    print("ready", flush=True)
    # The test holds our standard input: when it goes, so do we.
    await asyncio.to_thread(sys.stdin.read)
    await server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main(*sys.argv[1:]))
