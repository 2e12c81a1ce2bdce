"""With which TTL a server's packets come, and whether what ends a connection comes with another: from ordinary sockets.

Source: ip(7) `IP_MINTTL`, ipv6(7) `IPV6_MINHOPCOUNT` (the receiver's half of RFC 5082): our kernel drops what comes
with less. A connection opens only over a floor that the server's own packets pass, so some eight connections find their
TTL. Then hellos, or requests in the clear, go out on connections that opened without a floor: over one just above the
server's TTL only somebody else's packets are heard, over one just below it only a lower packet is lost. Before each the
neutral name must pass over the lower floor. Linux only: elsewhere nothing is appended.
"""

import dataclasses

from probe.model.endpoint import AddressFamily, Endpoint
from probe.model.failure import FailureCode
from probe.model.observation import Ending, HTTPExchange, TLSHandshake
from probe.model.path_trace import HopAnswer, HopSeen, PathTrace, TraceKind
from probe.net.channel import Channel
from probe.net.connect import connect
from probe.net.context import Context, Journal
from probe.net.exchange import exchange
from probe.net.secure import secure
from probe.protocols.http.http1 import OutgoingRequest

MARGIN = 3
"""Ways of different length to one server move its TTL by a hop or two; only more than that is somebody else."""
HIGHEST = 255
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.5, 3.0
ROUND_TRIPS = 4
_ENDINGS = {Ending.RESET: HopAnswer.RESET, Ending.FIN: HopAnswer.FIN, Ending.SILENCE: HopAnswer.SILENT}
_ENDED = (HopAnswer.RESET, HopAnswer.FIN)


async def compare_ttls(ctx: Context, endpoint: Endpoint, test: str, neutral: str, *, path: str | None = None) -> None:
    """Find the server's TTL and hold what ends the test name's connections against it; append up to three `PathTrace`.

    With a `path`, names go out as the hosts of requests for it in the clear.
    """
    has = ctx.stack.capabilities
    if not (has.min_hop_count if endpoint.family is AddressFamily.V6 else has.min_ttl) or ctx.stack.tunnel is not None:
        return
    await _Comparison(ctx, endpoint, test, neutral, path).run()


class _Sweep:
    """One trace in the making."""

    def __init__(self, ctx: Context, name: str, kind: TraceKind) -> None:
        self.name, self.kind = name, kind
        self.transaction = ctx.journal.next_transaction()
        self.started_s = ctx.journal.elapsed_s()
        self.hops: list[HopSeen] = []


class _Comparison:
    """One server, two names."""

    def __init__(self, ctx: Context, endpoint: Endpoint, test: str, neutral: str, path: str | None) -> None:
        self._ctx = ctx
        self._endpoint = endpoint
        self._path = path
        self._wait_s = min(ctx.timeout_s, LONGEST_WAIT_S)
        self._opened = _Sweep(ctx, "", TraceKind.FLOOR_SYN)
        kind = TraceKind.FLOOR_HELLO if path is None else TraceKind.FLOOR_REQUEST
        self._neutral, self._test = _Sweep(ctx, neutral, kind), _Sweep(ctx, test, kind)

    async def run(self) -> None:
        """Make the connections one after another; what was seen until something gave out is kept."""
        try:
            ttl = await self._find_ttl()
            if ttl:
                await self._compare(max(1, ttl - MARGIN), ttl + 1 + MARGIN)
        finally:
            for sweep in (self._opened, self._neutral, self._test):
                if sweep.hops:
                    self._append(sweep)

    async def _find_ttl(self) -> int:
        """Return the highest floor over which a connection opens; 0 = that could not be told."""
        if await self._open(0) is not HopAnswer.ANSWERED:
            return 0
        low, high = 1, HIGHEST
        while low < high:
            middle = (low + high + 1) // 2
            match await self._open(middle):
                case HopAnswer.ANSWERED:
                    low = middle
                case HopAnswer.SILENT:
                    high = middle - 1
                case _:
                    return 0
        return low

    async def _compare(self, below: int, above: int) -> None:
        if above <= HIGHEST:
            if await self._say(self._neutral, above) is not HopAnswer.SILENT:
                return  # the server's own packets come that high as well
            if await self._say_cold(below, above) in _ENDED:
                await self._say_cold(below, above)
                return
        if await self._say_cold(below, below) not in (HopAnswer.SILENT, HopAnswer.ANSWERED):
            return
        # Without a floor the name must be ended as before; else the block itself has passed meanwhile.
        if await self._say_cold(below, 0) in _ENDED:
            await self._say_cold(below, below)

    async def _say_cold(self, below: int, floor: int) -> HopAnswer | None:
        """Say the test name over a floor, once the neutral one has passed there; `None` = it did not."""
        if await self._say(self._neutral, below) is not HopAnswer.ANSWERED:
            return None
        return await self._say(self._test, floor)

    async def _open(self, floor: int) -> HopAnswer:
        quiet = self._quiet()
        started_s = self._ctx.journal.elapsed_s()
        async with connect(quiet, self._endpoint, min_ttl=floor) as channel:
            if channel is not None:
                answer = HopAnswer.ANSWERED
                if not floor and channel.rtt_s is not None:
                    self._wait_s = min(self._wait_s, max(SHORTEST_WAIT_S, ROUND_TRIPS * channel.rtt_s))
            else:
                failure = quiet.journal.observations[-1].failure
                silent = failure is not None and failure.code is FailureCode.TIMEOUT
                answer = HopAnswer.SILENT if silent else HopAnswer.INSTRUMENT
        self._note(self._opened, floor, answer, started_s)
        return answer

    async def _say(self, sweep: _Sweep, floor: int) -> HopAnswer:
        quiet = self._quiet()
        started_s = self._ctx.journal.elapsed_s()
        answer = HopAnswer.UNOPENED
        async with connect(quiet, self._endpoint) as channel:
            if channel is not None:
                if floor:
                    channel.set_floor(floor)
                answer = await self._talk(quiet, channel, sweep.name)
        self._note(sweep, floor, answer, started_s)
        return answer

    async def _talk(self, quiet: Context, channel: Channel, name: str) -> HopAnswer:
        if self._path is None:
            await secure(quiet, channel, server_name=name, verify=False)
        else:
            request = OutgoingRequest(host=name, port=self._endpoint.port, secure=False, path=self._path)
            await exchange(quiet, channel, request)
        seen = quiet.journal.observations[-1]
        assert isinstance(seen, TLSHandshake | HTTPExchange)
        if seen.failure is None or seen.bytes_received:
            return HopAnswer.ANSWERED
        return _ENDINGS.get(seen.ending, HopAnswer.INSTRUMENT) if seen.ending else HopAnswer.INSTRUMENT

    def _quiet(self) -> Context:
        """Return a context with a journal of its own: of many connections one trace is kept."""
        return dataclasses.replace(self._ctx, journal=Journal(self._ctx.stack.clock), timeout_s=self._wait_s)

    def _note(self, sweep: _Sweep, floor: int, answer: HopAnswer, started_s: float) -> None:
        took_s = self._ctx.journal.elapsed_s() - started_s
        sweep.hops.append(HopSeen(ttl=floor, answer=answer, took_s=took_s))

    def _append(self, sweep: _Sweep) -> None:
        ctx = self._ctx
        ctx.journal.append(
            PathTrace(
                transaction=sweep.transaction,
                t0_s=sweep.started_s,
                t_s=ctx.journal.elapsed_s(),
                endpoint=self._endpoint,
                kind=sweep.kind,
                server_name=sweep.name,
                hops=tuple(sweep.hops),
                role=ctx.role,
                hop=ctx.hop,
                experiment=ctx.experiment,
                asn=ctx.asn_of(self._endpoint.address),
            )
        )
