"""The one way between the client and the world: routers, line and censor in a single loop.

Source: RFC 1812 section 5.3.1 (TTL). Frames are Ethernet on both sides; nobody asks for neighbours, all are known.
"""

import heapq
import ipaddress
import itertools
import os
import select
import socket
import time

import msgspec

from probe.lab.censor.engine import Engine, Injection
from probe.lab.censor.icmp import build_echo_reply, build_time_exceeded
from probe.lab.censor.packet import Protocol, lower_ttl, parse_packet
from probe.lab.censor.sighting import Matcher
from probe.lab.line import Lane
from probe.lab.messages import LIMIT_BYTES, Count, Counted, Forward, Ready, decode, send
from probe.lab.world.atlas import DOMESTIC, ROUTERS_V4, ROUTERS_V6
from probe.model.errors import ProtocolError

CENSOR_HOP = 2
"""The censor sees what survives this many routers."""
DOMESTIC_HOPS = 3
FRAMES_PER_TURN = 64
MTU_BYTES = 1500


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A descriptor that carries Ethernet frames, and the header of those we send."""

    descriptor: int
    header_v4: bytes
    header_v6: bytes


class Path:
    """Routers, line and censor: what leaves at the other end, and when. Sans-IO."""

    def __init__(self, setup: Forward, now_s: float) -> None:
        self.setup = setup
        self.engine = Engine(setup.rules, now_s)
        self.dropped = 0
        self.injected = 0
        self._lanes = {
            True: Lane(setup.line, setup.seed, now_s),
            False: Lane(setup.line, setup.seed + 1, now_s),
        }
        self._matcher = Matcher()
        self._empty = {ipaddress.ip_address(a).packed for a in setup.empty_addresses}
        self._routers = {
            4: [ipaddress.ip_address(a).packed for a in ROUTERS_V4],
            6: [ipaddress.ip_address(a).packed for a in ROUTERS_V6],
        }

    def carry(self, raw: bytes, *, outward: bool, now_s: float) -> list[tuple[float, bool, bytes]]:
        """Return what leaves: when, whether towards the world, and the packet."""
        version = raw[0] >> 4
        if version not in (4, 6) or len(raw) < 20 * (version - 3):
            return []
        remote = (raw[16:20] if outward else raw[12:16]) if version == 4 else (raw[24:40] if outward else raw[8:24])
        if outward and (remote in self._routers[version] or remote[:2] in (b"\xff\x02", b"\xfe\x80")):
            return self._answer_as_router(raw, version, now_s)
        left_s = self._lanes[outward].admit(len(raw), version, now_s)
        if left_s is None:
            self.dropped += 1
            return []
        line = self.setup.line
        domestic = self._matcher.covers(DOMESTIC, remote)
        beyond_s = line.transit_delay_s / (4 if domestic else 1)
        hops = DOMESTIC_HOPS if domestic else len(self._routers[version])
        ttl = raw[8] if version == 4 else raw[7]
        at_s = left_s + (line.access_delay_s if outward else beyond_s)
        moves: list[tuple[float, bool, bytes]] = []
        before = CENSOR_HOP if outward else hops - CENSOR_HOP
        passing: bytes | None = raw
        if not self.engine.idle and ttl > before:
            decision = self.engine.inspect(raw, outward=outward, now_s=now_s)
            passing = decision.packet
            at_s += decision.delay_s
            moves = [self._inject(one, at_s, beyond_s, hops) for one in decision.injections]
        if passing is None:
            self.dropped += 1
            return moves
        if ttl <= hops:
            return moves + self._expire(passing, ttl, outward=outward, version=version, now_s=now_s)
        if outward and remote in self._empty:
            self.dropped += 1
            return moves
        rest_s = beyond_s if outward else line.access_delay_s
        arriving = (at_s + rest_s, outward, lower_ttl(passing, hops))
        moves += [arriving] * (2 if self._lanes[outward].doubles() else 1)
        return moves

    def _inject(self, one: Injection, at_s: float, beyond_s: float, hops: int) -> tuple[float, bool, bytes]:
        """Send a censor's packet from where it stands."""
        self.injected += 1
        away_s = self.setup.line.access_delay_s if one.to_client else beyond_s
        steps = CENSOR_HOP if one.to_client else hops - CENSOR_HOP
        ttl = one.raw[8] if one.raw[0] >> 4 == 4 else one.raw[7]
        raw = lower_ttl(one.raw, steps) if ttl > steps else one.raw
        return (at_s + away_s + one.after_s, not one.to_client, raw)

    def _answer_as_router(self, raw: bytes, version: int, now_s: float) -> list[tuple[float, bool, bytes]]:
        try:
            reply = build_echo_reply(parse_packet(raw))
        except ProtocolError:
            return []
        line = self.setup.line
        if reply is None or line.is_cut or (line.loses_ipv6 if version == 6 else line.loses_ipv4):
            return []
        return [(now_s + 2 * self.setup.line.access_delay_s, False, reply)]

    def _expire(
        self, raw: bytes, ttl: int, *, outward: bool, version: int, now_s: float
    ) -> list[tuple[float, bool, bytes]]:
        """Have the router at which the TTL ran out say so; towards the world nobody listens."""
        self.dropped += 1
        protocol = raw[9] if version == 4 else raw[6]
        if not outward or (protocol in (Protocol.ICMP, Protocol.ICMP6) and build_echo_reply(parse_packet(raw)) is None):
            return []
        hop = max(ttl, 1)
        line = self.setup.line
        share = min(1.0, max(0, hop - CENSOR_HOP) / max(1, len(self._routers[version]) - CENSOR_HOP))
        back_s = 2 * (line.access_delay_s + line.transit_delay_s * share)
        return [(now_s + back_s, False, build_time_exceeded(self._routers[version][hop - 1], raw))]


class Forwarder:
    """The loop: frames from either port through the path and out of the other, each at its time."""

    def __init__(self, client: Port, world: Port, control: socket.socket) -> None:
        self._ports = {True: world, False: client}
        """By direction: where a packet leaves."""
        self._control = control
        self._path = Path(Forward(), time.monotonic())
        self._waiting: list[tuple[float, int, bool, bytes]] = []
        self._numbers = itertools.count()
        self._packets = 0

    def run(self) -> None:
        """Forward until the control pipe closes."""
        poll = select.epoll()
        sources = {self._ports[False].descriptor: True, self._ports[True].descriptor: False}
        for descriptor in (*sources, self._control.fileno()):
            poll.register(descriptor, select.EPOLLIN)
        while True:
            timeout_s = -1.0 if not self._waiting else max(0.0, self._waiting[0][0] - time.monotonic())
            for descriptor, _events in poll.poll(timeout_s):
                if descriptor in sources:
                    self._take_frames(descriptor, outward=sources[descriptor])
                elif not self._obey():
                    return
            self._release()

    def _take_frames(self, descriptor: int, *, outward: bool) -> None:
        for _ in range(FRAMES_PER_TURN):
            try:
                frame = os.read(descriptor, 65536)
            except (BlockingIOError, InterruptedError):
                return
            if len(frame) < 34 or frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
                continue
            self._packets += 1
            raw = frame[14:]
            if raw[0] >> 4 == 4:
                raw = raw[: raw[2] << 8 | raw[3]]
            for move in self._path.carry(raw, outward=outward, now_s=time.monotonic()):
                heapq.heappush(self._waiting, (move[0], next(self._numbers), move[1], move[2]))

    def _release(self) -> None:
        """Send everything whose time has come."""
        waiting, now_s = self._waiting, time.monotonic()
        while waiting and waiting[0][0] <= now_s:
            _, _, outward, raw = heapq.heappop(waiting)
            port = self._ports[outward]
            header = port.header_v4 if raw[0] >> 4 == 4 else port.header_v6
            try:
                os.write(port.descriptor, header + raw)
            except OSError:
                # A full queue or a packet over the MTU: on a real line it would be lost just so.
                self._path.dropped += 1

    def _obey(self) -> bool:
        data = self._control.recv(LIMIT_BYTES)
        if not data:
            return False
        message = decode(data)
        if isinstance(message, Forward):
            self._path = Path(message, time.monotonic())
            if not message.keeps_packets:
                self._waiting.clear()
            self._packets = 0
            send(self._control, Ready())
        elif isinstance(message, Count):
            path = self._path
            counted = Counted(
                packets=self._packets, dropped=path.dropped, injected=path.injected, strikes=path.engine.strikes
            )
            send(self._control, counted)
        return True
