"""A server of a tunnel's protocol that needs no more than the package: `python -m … PROTOCOL ADDRESS PORT`.

It says `listening` once it does, and serves until it is killed.
"""

import asyncio
import sys

from probe.control.hello_answers import Hello
from probe.control.hello_ports import HelloPorts


async def serve(protocol: str, address: str, port: str) -> None:
    """Listen on TCP and UDP, for ever."""
    await HelloPorts({Hello(protocol): int(port)}, (address,)).start()
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
