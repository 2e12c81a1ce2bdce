"""The world at work: every server of the plan on its own address, in one event loop."""

import asyncio
import socket
import ssl
import struct
import traceback
from collections.abc import Callable
from typing import cast

from probe.lab.world.box import PROXY_PORT, BoxService
from probe.lab.world.door import Balancer, Door, is_guarded
from probe.lab.world.h3 import QuicEnd, open_h3
from probe.lab.world.names import answer_query
from probe.lab.world.plan import NameServer, Service, Site, World
from probe.lab.world.relay import Serve
from probe.lab.world.secure import Keyring, build_context
from probe.lab.world.tunnels import StandIn
from probe.lab.world.web import WebService

BACKLOG = 256
Resolve = Callable[[bytes], bytes | None]


class Servers:
    """All listening sockets of a world; `open` and `close` around each scenario."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._servers: list[asyncio.Server] = []
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._quic: list[QuicEnd] = []
        self._tasks: set[asyncio.Future[None]] = set()

    async def open(self, world: World) -> None:
        """Start every server of the plan."""
        at: dict[str, list[Site]] = {}
        for site in world.sites.values():
            for address in site.live_addresses if site.is_up else ():
                at.setdefault(address, []).append(site)
        for address, sites in at.items():
            await self._open_site(world, address, tuple(sites))
        for resolver in world.resolvers:
            for address in resolver.addresses if resolver.is_up else ():
                await self._open_resolver(world, resolver, address)
        box = BoxService(world, self._keyring)
        for address in world.box.addresses:
            await self._listen(address, 80, box.serve_cleartext)
            await self._listen(address, 443, box.serve_secure)
            await self._listen(address, PROXY_PORT, box.serve_proxy)

    async def close(self) -> None:
        """Stop listening everywhere; connections that are open end by themselves."""
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()
        for end in self._quic:
            end.close()
        self._servers.clear()
        self._quic.clear()
        self._datagrams.clear()

    async def _open_site(self, world: World, address: str, sites: tuple[Site, ...]) -> None:
        offset_s = world.clock_offset_s
        cleartext = WebService(sites, secure=False, clock_offset_s=offset_s)
        balanced = Balancer(sites[0].turns)
        secure = WebService(sites, secure=True, clock_offset_s=offset_s)
        for port in {p for s in sites for p in s.http_ports}:
            await self._listen(address, port, balanced.before(cleartext.serve))
        for port in {p for s in sites for p in s.https_ports}:
            if is_guarded(sites):
                door = Door(sites, build_context(sites, self._keyring), secure)
                await self._listen(address, port, balanced.before(door.serve))
            else:
                await self._listen(address, port, secure.serve, build_context(sites, self._keyring))
        offering = tuple(site for site in sites if site.h3_ports)
        for port in {p for s in offering for p in s.h3_ports}:
            self._quic.append(await open_h3(address, port, offering, self._keyring, offset_s))
        for service in {service for s in sites for service in s.services}:
            await self._open_service(service, address)

    async def _open_service(self, service: Service, address: str) -> None:
        stand_in = StandIn(service)
        if service.over_tcp:
            await self._listen(address, service.port, stand_in.serve)
            return
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: stand_in, local_addr=(address, service.port))
        self._datagrams.append(transport)

    async def _open_resolver(self, world: World, resolver: NameServer, address: str) -> None:
        def resolve(wire: bytes) -> bytes | None:
            return answer_query(world, resolver, wire)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(resolve), local_addr=(address, 53))
        self._datagrams.append(transport)
        stream = _StreamResolver(resolve)
        await self._listen(address, 53, stream.serve)
        if resolver.server_name:
            site = Site(names=(resolver.server_name,), addresses=resolver.addresses)
            context = build_context((site,), self._keyring)
            await self._listen(address, 853, stream.serve, context)
            web = WebService((site,), secure=True, clock_offset_s=world.clock_offset_s)
            web.resolve = resolve
            await self._listen(address, 443, web.serve, context)

    async def _listen(self, address: str, port: int, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Real servers set it; asyncio does for sockets of its own making alone. Else the last segment waits a round
        # trip.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((address, port))

        def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # The loop holds tasks weakly, and the stream drops its own when the client leaves.
            task = asyncio.ensure_future(serve(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._forget)

        self._servers.append(await asyncio.start_server(keep, sock=listening, ssl=context, backlog=BACKLOG))

    def _forget(self, task: "asyncio.Future[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None and not isinstance(fault, OSError):
            traceback.print_exception(fault)


class _Datagrams(asyncio.DatagramProtocol):
    """A resolver on UDP."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: uvloop's transport has the methods without the base class.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._resolve(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


class _StreamResolver:
    """A resolver on TCP or TLS: messages with two bytes of length before each (RFC 1035 section 4.2.2)."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), 30.0))[0]
                answer = self._resolve(await reader.readexactly(length))
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            writer.close()
