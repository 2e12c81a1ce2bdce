"""Measures as OONI's test helper does, and says it in its words.

The name first, then TCP, and TLS on 443, at every address of either side, and the page meanwhile. QUIC is not measured:
the real one has it switched off unless its operator asks for it, and then says the same.
"""

import asyncio
import contextlib
import dataclasses
import ipaddress
from collections.abc import Iterable
from typing import TypeVar

from probe.control import ooni_wire as wire
from probe.control.ooni_wire import IPFlag
from probe.control.view import OutsideView, dial, fetch, shake_hands
from probe.model.endpoint import Endpoint, is_literal
from probe.model.observation import DNSLookup, HTTPExchange, TCPConnect, TLSHandshake
from probe.model.target import Header
from probe.net.context import Context
from probe.protocols.http.redirect import REDIRECTS, WebAddress
from probe.protocols.ooni.failure import map_dns_failure, map_http_failure, map_tcp_failure, write_failure

MAX_BODY_BYTES = 1024 * 1024
"""OONI's probes keep 512 KiB; lengths are compared, so ours must not be shorter."""
MOST_ADDRESSES = 32
_TIMEOUT_S = 15.0
_LOOKUP_S = 4.0
_WHOLE_S = 28.0
"""Probes wait 30 s."""
_Seen = TypeVar("_Seen")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HelperPorts:
    """Where sites and TLS are; elsewhere only in tests."""

    http: int = 80
    https: int = 443


class OoniHelper:
    """Long-lived; shares view and policy with the rest of the server."""

    def __init__(self, view: OutsideView, *, ports: HelperPorts | None = None) -> None:
        self._view = view
        self._ports = ports or HelperPorts()

    async def measure(self, request: wire.HelperRequest) -> wire.HelperAnswer:
        """Measure what a probe asks.

        Raises:
            ProtocolError: the URL is none.
        """
        address, has_port = wire.parse_url(request.http_request)
        run = _Run(self._view, address)
        probe_addresses = read_addresses(request.tcp_connect or ())
        # What is not there when time is over counts as timed out.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WHOLE_S), asyncio.TaskGroup() as group:
                await run.resolve()
                endpoints = self._list_endpoints(address, has_port, (*probe_addresses, *run.resolved))
                run.dial_all(endpoints, self._ports.https, group)
                group.create_task(run.fetch(wire.read_headers(request.http_request_headers)))
        return run.build_answer(probe_addresses)

    def _list_endpoints(self, address: WebAddress, has_port: bool, addresses: Iterable[str]) -> list[Endpoint]:
        if has_port:
            ports: tuple[int, ...] = (address.port,)
        else:
            ports = (self._ports.https,) if address.secure else (self._ports.http, self._ports.https)
        chosen = self._view.choose(addresses, most=MOST_ADDRESSES)
        return [Endpoint(address=one, port=port) for one in chosen for port in ports]


class _Run:
    """One measurement. Endpoints and page have a journal each: both dial the same places."""

    def __init__(self, view: OutsideView, address: WebAddress) -> None:
        self._view = view
        self._address = address
        self._names = view.open_context(timeout_s=_LOOKUP_S, families=(4, 6))
        self._endpoints = view.open_context(timeout_s=_TIMEOUT_S, families=(4, 6))
        self._page = view.open_context(timeout_s=_TIMEOUT_S, families=(4, 6), body_limit_bytes=MAX_BODY_BYTES)
        self._dialled: list[Endpoint] = []
        self.resolved: tuple[str, ...] = ()

    async def resolve(self) -> None:
        """Ask for the name."""
        self.resolved = await self._view.lookup_own(self._names, self._address.host)

    def dial_all(self, endpoints: Iterable[Endpoint], tls_port: int, group: asyncio.TaskGroup) -> None:
        """Connect everywhere, and shake hands where TLS lives."""
        for endpoint in endpoints:
            self._dialled.append(endpoint)
            if endpoint.port == tls_port:
                group.create_task(shake_hands(self._endpoints, endpoint, self._address.host))
            else:
                group.create_task(dial(self._endpoints, endpoint))

    async def fetch(self, headers: tuple[Header, ...]) -> None:
        """Get the page, over an address of our own."""
        addresses = self._view.choose(self.resolved)
        if addresses:
            await fetch(self._page, self._address, addresses, headers)

    def build_answer(self, probe_addresses: tuple[str, ...]) -> wire.HelperAnswer:
        """Say what was seen; what is missing timed out."""
        connects = {seen.endpoint: seen for seen in seen_of(self._endpoints, TCPConnect)}
        handshakes = {seen.endpoint: seen for seen in seen_of(self._endpoints, TLSHandshake)}
        return wire.HelperAnswer(
            tcp_connect={str(endpoint): _describe_connect(connects.get(endpoint)) for endpoint in self._dialled},
            tls_handshake={str(endpoint): self._describe_handshake(seen) for endpoint, seen in handshakes.items()},
            http_request=self._describe_page(),
            dns=self._describe_names(),
            ip_info=self._describe_addresses(probe_addresses, handshakes.values()),
        )

    def _describe_handshake(self, seen: TLSHandshake) -> wire.TLSOutcome:
        failure = write_failure(seen.failure, seen.alert)
        return wire.TLSOutcome(server_name=self._address.host, status=failure is None, failure=failure)

    def _describe_names(self) -> wire.DNSOutcome:
        if is_literal(self._address.host):
            return wire.DNSOutcome(failure=None, addrs=[])
        failures = [seen.failure for seen in seen_of(self._names, DNSLookup) if seen.failure is not None]
        failure = map_dns_failure(failures[0].code) if failures and not self.resolved else None
        return wire.DNSOutcome(failure=failure, addrs=list(self.resolved))

    def _describe_page(self) -> wire.HTTPOutcome:
        """Return the last page; of one that broke off its head is told, and no length, as the real helper does."""
        pages = [seen for seen in seen_of(self._page, HTTPExchange) if seen.status and not _leads_on(seen)]
        page = next((seen for seen in pages if seen.failure is None), pages[-1] if pages else None)
        if page is None:
            return wire.HTTPOutcome(failure=self._name_page_failure())
        failure = None if _names_no_place(page) else page.failure
        return wire.HTTPOutcome(
            body_length=len(page.body) if failure is None else 0,
            discovered_h3_endpoint=self._find_h3(),
            failure=None if failure is None else map_http_failure(failure.code),
            title=page.title if failure is None else "",
            headers=_fold_headers(page),
            status_code=page.status,
        )

    def _find_h3(self) -> str:
        """Return where HTTP/3 is offered: by the first answer of the chain, as the real helper looks for it."""
        first = next((seen for seen in seen_of(self._page, HTTPExchange) if seen.status), None)
        return (
            "" if first is None else wire.find_h3_endpoint(_fold_headers(first).get("Alt-Svc", ""), self._address.host)
        )

    def _name_page_failure(self) -> str:
        """Return why there is no page: what failed last on the way, the name only if nothing else did."""
        if not self.resolved:
            return "dns_lookup_error"
        observations = self._page.journal.observations
        last_hop = max((seen.hop for seen in observations), default=0)
        failed = [seen for seen in observations if seen.hop == last_hop and seen.failure is not None]
        for seen in reversed(failed):
            if seen.failure is not None and not isinstance(seen, DNSLookup):
                return map_http_failure(seen.failure.code)
        if failed:
            return "dns_lookup_error"
        return "unknown_error" if observations or not self._view.choose(self.resolved) else "generic_timeout_error"

    def _describe_addresses(
        self, probe_addresses: tuple[str, ...], handshakes: Iterable[TLSHandshake]
    ) -> dict[str, wire.IPKnowledge]:
        valid = {seen.endpoint.address for seen in handshakes if seen.verified and seen.failure is None}
        resolved = () if is_literal(self._address.host) else self.resolved
        described: dict[str, wire.IPKnowledge] = {}
        for address in dict.fromkeys((*probe_addresses, *resolved)):
            flags = IPFlag(0)
            if address in probe_addresses:
                flags |= IPFlag.RESOLVED_BY_PROBE
            if address in resolved:
                flags |= IPFlag.RESOLVED_BY_HELPER
            if self._view.policy.refuses_address(address):
                flags |= IPFlag.BOGON
            if address in valid:
                flags |= IPFlag.VALID_FOR_DOMAIN
            described[address] = wire.IPKnowledge(asn=self._view.asn_of(address), flags=int(flags))
        return described


def seen_of(ctx: Context, kind: type[_Seen]) -> list[_Seen]:
    """Return the observations of one kind."""
    return [seen for seen in ctx.journal.observations if isinstance(seen, kind)]


def read_addresses(endpoints: Iterable[str]) -> tuple[str, ...]:
    """Return the address literals of `1.2.3.4:443` and `[::1]:443`, each once; what is neither is left out."""
    found: dict[str, None] = {}
    for text in endpoints:
        host = text.rpartition(":")[0].strip("[]")
        if is_literal(host):
            found[str(ipaddress.ip_address(host))] = None
    return tuple(found)


def _describe_connect(seen: TCPConnect | None) -> wire.TCPOutcome:
    if seen is None:
        return wire.TCPOutcome(status=False, failure="generic_timeout_error")
    failure = None if seen.failure is None else map_tcp_failure(seen.failure.code)
    return wire.TCPOutcome(status=failure is None, failure=failure)


def _leads_on(page: HTTPExchange) -> bool:
    """Tell whether an answer is not the last one of its chain."""
    return page.status in REDIRECTS and not _names_no_place(page)


def _names_no_place(page: HTTPExchange) -> bool:
    """Tell whether an answer is a redirect without a Location: for Go the last page, and no failure."""
    return page.status in REDIRECTS and not page.location


def _fold_headers(page: HTTPExchange) -> dict[str, str]:
    """Return the first value of each header, under its name as Go spells it."""
    headers: dict[str, str] = {}
    for name, value in page.headers:
        headers.setdefault(wire.canonical_name(name), value)
    return headers
