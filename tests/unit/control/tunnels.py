"""A SOCKS5 proxy and a DNS server over TCP, for tunnels that end on loopback."""

import asyncio
import contextlib
import ipaddress

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.unit.checks.world import Behaviour


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until they end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    writer.close()


class Socks:
    """Connects where it is told; `hasty` says so before it tries, as ssh -D does."""

    def __init__(self, *, hasty: bool = False, code: int | None = None, open_ports: tuple[int, ...] = ()) -> None:
        self.asked: list[str] = []
        self._open_ports = open_ports
        """Where it connects in spite of `code`."""
        self._hasty = hasty
        self._code = code

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        head = await reader.readexactly(4)
        address = str(ipaddress.ip_address(await reader.readexactly(16 if head[3] == 4 else 4)))
        port = int.from_bytes(await reader.readexactly(2))
        self.asked.append(f"{address}:{port}")
        if self._code is not None and port not in self._open_ports:
            writer.write(bytes((5, self._code, 0, 1)) + bytes(6))
            return
        if self._hasty:
            writer.write(b"\x05\x00\x00\x01" + bytes(6))
        try:
            there_reader, there_writer = await asyncio.open_connection(address, port)
        except OSError:
            if not self._hasty:
                writer.write(b"\x05\x05\x00\x01" + bytes(6))
            return
        if not self._hasty:
            writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer))


def name_server(table: dict[str, list[str]]) -> Behaviour:
    """Answer A and AAAA over TCP from a table; a name that is not in it does not exist."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            length = int.from_bytes(await reader.readexactly(2))
            question = dns.message.from_wire(await reader.readexactly(length))
            name = question.question[0].name.to_text(omit_final_dot=True)
            kind = dns.rdatatype.to_text(question.question[0].rdtype)
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            addresses = [a for a in table.get(name, []) if (":" in a) == (kind == "AAAA")]
            if name not in table:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif addresses:
                answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *addresses))
            wire = answer.to_wire()
            writer.write(len(wire).to_bytes(2) + wire)
            await writer.drain()
        writer.close()

    return serve
