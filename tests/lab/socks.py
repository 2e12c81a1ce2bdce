"""`python -m tests.lab.socks ADDRESS PORT`: a SOCKS5 proxy in the lab's uncensored part."""

import asyncio
import sys

from tests.unit.control.tunnels import Socks


async def serve(address: str, port: int) -> None:
    server = await asyncio.start_server(Socks().serve, address, port)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
