"""Asks controls for their view of a target: several in order of health, each answer kept for a while.

That no control can be reached is a finding of its own, never an error: the report then says why.
"""

import asyncio
import collections
import secrets
from collections.abc import Collection, Mapping

import msgspec

from probe.control import wire
from probe.control.health import Health
from probe.control.ooni_client import build_helper_request, read_observations
from probe.control.policy import Policy
from probe.control.reach import Reach, Reply
from probe.control.tunnel import ANY_PORT, TunnelReach
from probe.model.control import ControlKind, ControlReport, ControlRequest, EchoRange
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.model.observation import Resolver
from probe.model.settings import ControlSettings
from probe.model.target import CheckName
from probe.net.stack import Stack

MAX_AGE_S = 3600.0
ECHO_AGE_S = 3600.0
REACHED_WITHIN_S = 1.5
"""Whoever is not reached by then is left to it, and the next is asked meanwhile."""
MOST_KEPT = 2048
MOST_ECHO_PORTS = 16384
_PATHS = {
    ControlKind.WALLPROBE: "/api/v1/measure",
    ControlKind.PEER: "/api/v1/peer/measure",
    ControlKind.OONI: "/",
}
_ECHO = "/api/v1/echo"
_SAW_NOTHING = "could not look at the place"

_Key = tuple[CheckName, str, int, str, bool, str, tuple[str, ...], str]


class _Kept(msgspec.Struct, frozen=True):
    """An answer and when it was asked for, in boot seconds."""

    request: ControlRequest
    report: ControlReport
    asked_boot_s: float


class _EchoKept(msgspec.Struct, frozen=True):
    range: EchoRange | None
    asked_boot_s: float


class ControlClient:
    """Long-lived; one per process. Close it before the stack."""

    def __init__(
        self,
        controls: tuple[ControlSettings, ...],
        stack: Stack,
        *,
        environ: Mapping[str, str],
        families: tuple[int, ...] = (4, 6),
        max_age_s: float = MAX_AGE_S,
        resolvers: tuple[Resolver, ...] = (),
        tunnel_policy: Policy = ANY_PORT,
        reached_within_s: float = REACHED_WITHIN_S,
    ) -> None:
        """Read the certificates that the settings name; `resolvers` are those that tunnels ask.

        Raises:
            UserError: one cannot be used.
        """
        self._clock = stack.clock
        self._reaches: tuple[Reach | TunnelReach, ...] = tuple(
            Reach(settings, stack, environ, families)
            if settings.url
            else TunnelReach(settings, stack, families=families, resolvers=resolvers, policy=tunnel_policy)
            for settings in controls
        )
        self._health = {reach: Health() for reach in self._reaches}
        self._max_age_s = max_age_s
        self._reached_within_s = reached_within_s
        self._kept: collections.OrderedDict[_Key, _Kept] = collections.OrderedDict()
        self._asking: dict[ControlRequest, asyncio.Task[ControlReport]] = {}
        self._under_way: set[asyncio.Task[ControlReport]] = set()
        self._echo: dict[Reach | TunnelReach, _EchoKept] = {}
        self._echo_used: dict[tuple[Endpoint, bool], float] = {}
        self._echo_turn = secrets.randbelow(MOST_ECHO_PORTS)

    def __bool__(self) -> bool:
        """Tell whether any control is configured."""
        return bool(self._reaches)

    @property
    def first_name(self) -> str:
        """Return whom a question goes to first; empty = nobody can be asked now."""
        return next((reach.name for reach in self._in_order()), "")

    def health(self) -> dict[str, bool]:
        """Return for each control whether it answered last time; one that was never asked counts as well."""
        return {reach.name: not self._health[reach].failures for reach in self._reaches}

    async def close(self) -> None:
        """Drop the questions under way."""
        tasks = (*self._asking.values(), *self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(self, request: ControlRequest, *, max_age_s: float | None = None) -> ControlReport:
        """Return what a control sees of a target, at most so old: an hour unless said, 0 = asked now.

        A question that somebody else is asking at this moment is shared; cancelling one asker leaves it to the other.
        """
        request = _settle(request)
        kept = self.find_kept(request, self._max_age_s if max_age_s is None else max_age_s)
        if kept is not None:
            return kept
        task = self._asking.get(request)
        if task is None:
            task = self._asking[request] = asyncio.get_running_loop().create_task(self._ask_and_keep(request))
            task.add_done_callback(lambda _: self._asking.pop(request, None))
        return await asyncio.shield(task)

    async def ask_another(self, request: ControlRequest, heard: Collection[str]) -> ControlReport | None:
        """Return what a control that was not heard yet sees, asked now; `None` = nobody else can be asked."""
        names = {reach.name for reach in self._in_order()} - set(heard)
        return await self._ask_in_turn(_settle(request), names) if names else None

    def find_kept(self, request: ControlRequest, max_age_s: float) -> ControlReport | None:
        """Return a kept answer, if one is young enough and knows all the addresses asked about; nobody is asked."""
        request = _settle(request)
        kept = self._kept.get(_key_of(request))
        if kept is None:
            return None
        age_s = self._clock.boot_s() - kept.asked_boot_s
        if age_s >= max_age_s or not set(request.addresses) <= set(kept.request.addresses):
            return None
        return msgspec.structs.replace(kept.report, age_s=age_s)

    async def _ask_and_keep(self, request: ControlRequest) -> ControlReport:
        report = await self._ask_in_turn(request)
        if report.answered:
            self._keep(request, report)
        return report

    async def _ask_in_turn(self, request: ControlRequest, names: Collection[str] | None = None) -> ControlReport:
        """Ask one control after another until one has looked; the healthy first, those in a pause not at all.

        The next is asked as well where one cannot be reached for a while; what that one comes to is heard in the end.
        With `names` only these are asked.
        """
        tried: list[str] = []
        last: ControlReport | None = None
        blind: ControlReport | None = None
        """One that answered, and could not look at the place: better than nothing, if nobody else can."""
        slow: dict[str, asyncio.Task[ControlReport]] = {}
        for reach in self._in_order():
            if names is not None and reach.name not in names:
                continue
            if reach.settings.kind is ControlKind.OONI and request.check is not CheckName.WEB:
                tried.append(f"{reach.name}: an OONI test helper measures web pages only")
                continue
            asking = await self._start_asking(reach, request)
            if not asking.done():
                slow[reach.name] = asking
                continue
            last = asking.result()
            if last.answered and last.looked(request.check):
                waiting = (f"{name}: not reached within {self._reached_within_s} s" for name in slow)
                return msgspec.structs.replace(last, tried=(*tried, *waiting))
            blind = blind or (last if last.answered else None)
            tried.append(f"{reach.name}: {last.failure or _SAW_NOTHING}")
        for name, asking in slow.items():
            last = await asking
            if last.answered and last.looked(request.check):
                return msgspec.structs.replace(last, tried=tuple(tried))
            blind = blind or (last if last.answered else None)
            tried.append(f"{name}: {last.failure or _SAW_NOTHING}")
        return msgspec.structs.replace(blind or last or self._build_unasked(tried), tried=tuple(tried))

    async def _start_asking(self, reach: Reach | TunnelReach, request: ControlRequest) -> asyncio.Task[ControlReport]:
        """Ask; return when it has answered, or was not reached for a while."""
        loop, through = asyncio.get_running_loop(), asyncio.Event()
        asking = loop.create_task(self._ask_one(reach, request, through))
        self._under_way.add(asking)
        asking.add_done_callback(self._under_way.discard)
        reached = loop.create_task(through.wait())
        try:
            await asyncio.wait({asking, reached}, timeout=self._reached_within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reached.cancel()
        if through.is_set():
            await asyncio.wait({asking})
        return asking

    def _in_order(self) -> list[Reach | TunnelReach]:
        now_s = self._clock.boot_s()
        ready = [reach for reach in self._reaches if self._health[reach].is_ready(now_s)]
        return sorted(ready, key=lambda reach: self._health[reach].failures > 0)

    def _build_unasked(self, tried: list[str]) -> ControlReport:
        """Return the report when nobody could be asked: all are in a pause, or none measures such a thing."""
        resting = [reach for reach in self._reaches if self._health[reach].last_failure]
        if resting:
            failure = self._health[resting[0]].last_failure
            return ControlReport(control=resting[0].name, asked_at=self._clock.wall_s(), failure=failure)
        name = self._reaches[0].name if self._reaches else ""
        failure = "no control can be asked this" if tried else "no control is configured"
        return ControlReport(control=name, asked_at=self._clock.wall_s(), failure=failure)

    async def _ask_one(
        self, reach: Reach | TunnelReach, request: ControlRequest, through: asyncio.Event
    ) -> ControlReport:
        if isinstance(reach, TunnelReach):
            through.set()  # what is slow here may be the target
            report = await reach.ask(request)
            self._note(reach, Reply(failure=report.failure, unreachable=report.unreachable))
            return report
        started_boot_s = self._clock.boot_s()
        asked_at = self._clock.wall_s()
        ooni = reach.settings.kind is ControlKind.OONI
        body = build_helper_request(request) if ooni else wire.encode(request)
        reply = await reach.send("POST", _PATHS[reach.settings.kind], body, through)
        report = ControlReport(
            control=reach.name,
            kind=reach.settings.kind,
            asked_at=asked_at,
            runtime_s=self._clock.boot_s() - started_boot_s,
            asn=reach.settings.asn,
            country=reach.settings.country,
        )
        try:
            report = _read_report(reply, request, report)
        except ProtocolError as error:
            reply = Reply(failure=f"http: {error}", way=reply.way)
            report = msgspec.structs.replace(report, failure=reply.failure)
        self._note(reach, reply)
        return report

    def _note(self, reach: Reach | TunnelReach, reply: Reply) -> None:
        health = self._health[reach]
        if not reply.failure:
            health.succeed()
        elif not reply.own_fault:
            health.fail(reply.failure, self._clock.boot_s(), retry_after_s=reply.retry_after_s)

    def _keep(self, request: ControlRequest, report: ControlReport) -> None:
        key = _key_of(request)
        self._kept[key] = _Kept(request, report, self._clock.boot_s() - report.runtime_s)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    async def find_echo(self) -> EchoRange | None:
        """Return the echo ports of the healthiest control that has any; `None` = there are none."""
        for reach in self._in_order():
            if not isinstance(reach, Reach) or reach.settings.kind is not ControlKind.WALLPROBE:
                continue
            kept = self._echo.get(reach)
            if kept is None or self._clock.boot_s() - kept.asked_boot_s >= ECHO_AGE_S:
                reply = await reach.send("GET", _ECHO)
                self._note(reach, reply)
                if reply.failure:
                    continue
                kept = self._echo[reach] = _EchoKept(_read_range(reach, reply), self._clock.boot_s())
            if kept.range is not None:
                return kept.range
        return None

    async def take_echoes(self, count: int, cool_down_s: float, *, over_udp: bool = False) -> tuple[Endpoint, ...]:
        """Return so many echo ports that were not taken within the cool-down, or fewer where fewer are left.

        What goes by UDP closes no TCP port: each counts for itself.
        """
        taken = [await self.take_echo(cool_down_s, over_udp=over_udp) for _ in range(count)]
        return tuple(endpoint for endpoint in taken if endpoint is not None)

    async def take_echo(self, cool_down_s: float, *, over_udp: bool = False) -> Endpoint | None:
        """Return an echo port that was not taken within the cool-down; `None` = there is none left."""
        found = await self.find_echo()
        if found is None:
            return None
        now_s = self._clock.boot_s()
        self._echo_used = {place: at for place, at in self._echo_used.items() if now_s - at < cool_down_s}
        ports = [port for low, high in (found.udp if over_udp else found.tcp) for port in range(low, high + 1)]
        for _ in ports:
            self._echo_turn += 1
            endpoint = Endpoint(address=found.address, port=ports[self._echo_turn % len(ports)])
            if (endpoint, over_udp) not in self._echo_used:
                self._echo_used[endpoint, over_udp] = now_s
                return endpoint
        return None


def _settle(request: ControlRequest) -> ControlRequest:
    """Return the question as it is asked: what is the same reads the same."""
    return msgspec.structs.replace(request, addresses=tuple(sorted(set(request.addresses)))[: wire.MAX_ADDRESSES])


def _key_of(request: ControlRequest) -> _Key:
    return (
        request.check,
        request.host,
        request.port,
        request.path,
        request.secure,
        request.query_type,
        request.server_names,
        request.greeting,
    )


def _read_report(reply: Reply, request: ControlRequest, report: ControlReport) -> ControlReport:
    """Fill in what came back.

    Raises:
        ProtocolError: it is no answer.
    """
    replace = msgspec.structs.replace
    if reply.failure:
        return replace(report, failure=reply.failure, unreachable=reply.unreachable, way=reply.way)
    if report.kind is ControlKind.OONI:
        return replace(report, observations=read_observations(reply.body, request))
    answer = wire.parse_answer(reply.body)
    return replace(
        report,
        asn=report.asn or answer.asn,
        country=report.country or answer.country,
        cut_short=answer.cut_short,
        observations=answer.observations,
        known=answer.known,
    )


def _read_range(reach: Reach, reply: Reply) -> EchoRange | None:
    """Return the ports, if there are any and we know their address: a proxy would get there, we would not."""
    try:
        offer = wire.parse_offer(reply.body)
    except ProtocolError:
        return None
    count = 0
    for low, high in (*offer.tcp, *offer.udp):
        if not 0 < low <= high <= 65535:
            return None
        count += high - low + 1
    if not offer.tcp or not reply.address or count > 2 * MOST_ECHO_PORTS:
        return None
    return EchoRange(
        control=reach.name, address=reply.address, tcp=offer.tcp, udp=offer.udp, cert_sha256=offer.cert_sha256
    )
