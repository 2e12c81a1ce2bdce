"""Stand-ins for servers of tunnels: they answer the first packet as real ones do, and carry on talking after it.

Source: OpenVPN's protocol (P_CONTROL_HARD_RESET_SERVER_V2), WireGuard's paper section 5.4.3 (a response of 92 bytes),
RFC 7296 sections 1.2 and 3.10.1 (an answer to IKE_SA_INIT may be INVALID_KE_PAYLOAD alone).
Less than these: nothing is encrypted. Where that matters, put the real server there: `Lab.spawn(in_world=True)`.
"""

import asyncio
import struct
from typing import assert_never, cast

from probe.lab.censor.signatures import Signature, read_signature
from probe.lab.world.plan import Service

_SESSION = b"answerer"


class StandIn(asyncio.DatagramProtocol):
    """A server of one kind at one port."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: set[tuple[str, int]] = set()
        """Who has begun properly; whatever they send then is answered in kind."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer by."""
        # A cast, not a check: uvloop's transport has the methods without the base class.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a datagram."""
        answer = answer_first(self._service, data)
        if answer is not None:
            self._known.add(addr[:2])
        elif addr[:2] in self._known:
            answer = data
        if answer is not None:
            self._transport.sendto(answer, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a connection, chunk by chunk: what comes at once is taken for one message."""
        try:
            first = await asyncio.wait_for(reader.read(4096), 30.0)
            answer = answer_first(self._service, first)
            while answer:
                writer.write(answer)
                await writer.drain()
                answer = await asyncio.wait_for(reader.read(4096), 30.0)
        except (TimeoutError, OSError):
            pass
        finally:
            writer.close()


def answer_first(service: Service, data: bytes) -> bytes | None:
    """Return the answer to a first packet; `None` = it is not one, and real servers keep silent."""
    if service.speaks is None:
        return data
    if read_signature(data, is_stream=service.over_tcp) is not service.speaks:
        return None
    match service.speaks:
        case Signature.OPENVPN:
            client = data[3:11] if service.over_tcp else data[1:9]
            answer = b"\x40" + _SESSION + b"\x01" + bytes(4) + client + bytes(4)
            return struct.pack("!H", len(answer)) + answer if service.over_tcp else answer
        case Signature.WIREGUARD:
            return b"\x02\0\0\0" + _SESSION[:4] + data[4:8] + bytes(80)
        case Signature.IKEV2:
            refusal = struct.pack("!BxHBBHH", 0, 10, 0, 0, 17, 19)
            return data[:8] + _SESSION + struct.pack("!BBBBII", 41, 0x20, 34, 0x20, 0, 28 + len(refusal)) + refusal
        case _:
            assert_never(service.speaks)
