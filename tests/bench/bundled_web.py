"""Stands in for nginx where there is none: `python bundled_web.py FOLDER STATUS_PORT` serves the folder's page."""

import asyncio
import ssl
import sys
from pathlib import Path

# As nginx's stub_status, which counts the question itself, too.
_STATUS = "Active connections: 1\nserver accepts handled requests\n {count} {count} {count}\n"


def build_answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def main(folder: Path, status_port: int) -> None:
    page = build_answer("200 OK", (folder / "index.html").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    count = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            count += 1
            if b" /status " in head:
                writer.write(build_answer("200 OK", _STATUS.format(count=count).encode()))
            else:
                writer.write(build_answer("204 No Content", b"") if b" /generate_204 " in head else page)
            await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    servers = [
        await asyncio.start_server(answer, "0.0.0.0", 443, ssl=context, backlog=4096),
        await asyncio.start_server(answer, "0.0.0.0", 80, backlog=4096),
        await asyncio.start_server(answer, "127.0.0.1", status_port),
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
