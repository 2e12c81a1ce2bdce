"""Does a web page come, by every address of its name, and where does it lead?

All paths (address × family) open side by side. The first that is ready is elected and fetches the page; the others
stop there, and fetch only when the elected one fails. Redirects are followed hop by hop, each hop with its own
observations; a hop that leads into a private network is not dialled, unless the target itself lives in one.
"""

import asyncio
import contextlib
import dataclasses

from probe.checks.paths import MAX_PATHS
from probe.model.endpoint import Endpoint, is_literal
from probe.model.errors import ProtocolError
from probe.model.observation import HTTPExchange
from probe.model.target import Header, Target
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.exchange import MAX_REDIRECTS, exchange
from probe.net.lookup import lookup_system
from probe.net.secure import secure
from probe.net.stream import ByteStream
from probe.protocols.http.http1 import OutgoingRequest
from probe.protocols.http.redirect import (
    KEEPS_METHOD,
    REDIRECTS,
    Cookie,
    WebAddress,
    build_cookie_header,
    keep_cookies,
    parse_location,
)
from probe.protocols.special_address import is_special

_ELECTED_SHARE = 0.4
"""Of `timeout_s`: the others wait no longer for the elected one, so that silence costs 1.4 timeouts, not two."""
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


async def run(target: Target, ctx: Context, *, addresses: tuple[str, ...] | None = None) -> None:
    """Fetch the page, and the pages that it redirects to.

    `addresses` is where the host leads, when that is known already; `None` = ask.
    """
    if target.family is not None:
        ctx = dataclasses.replace(ctx, families=(int(target.family),))
    async with asyncio.TaskGroup() as paths:
        await _follow(target, ctx, paths, addresses)


async def _follow(target: Target, ctx: Context, paths: asyncio.TaskGroup, known: tuple[str, ...] | None) -> None:
    """Visit hop after hop; a slow path of an earlier hop goes on meanwhile."""
    request = _build_first(target)
    jar: tuple[Cookie, ...] = ()
    at_home = True
    for hop in range(MAX_REDIRECTS + 1):
        here = ctx if hop == 0 else dataclasses.replace(ctx, hop=hop)
        addresses = known if hop == 0 and known is not None else await lookup_system(here, request.host)
        if hop == 0:
            at_home = all(is_special(address) for address in addresses)
        addresses = choose_addresses(addresses, at_home=at_home or hop == 0, families=here.families)
        answer = await _Visit(here, request, paths).run(addresses)
        if answer is None:
            return
        following = _build_next(request, answer, jar)
        if following is None:
            return
        request, jar = following


def choose_addresses(addresses: tuple[str, ...], *, at_home: bool, families: tuple[int, ...]) -> tuple[str, ...]:
    """Return the addresses to dial: each once, of our families, and only `at_home` those of private networks.

    A page must not be able to send us into the network that we stand in.
    """
    chosen = (address for address in dict.fromkeys(addresses) if (6 if ":" in address else 4) in families)
    return tuple(address for address in chosen if at_home or not is_special(address))[:MAX_PATHS]


def _build_first(target: Target) -> OutgoingRequest:
    if target.request is None:
        return OutgoingRequest(host=target.host, port=target.port, secure=target.secure, path=target.path)
    return OutgoingRequest(
        method=target.request.method,
        host=target.host,
        port=target.port,
        secure=target.secure,
        path=target.path,
        headers=target.request.headers,
        body=target.request.body.encode(),
    )


def _build_next(
    request: OutgoingRequest, answer: HTTPExchange, jar: tuple[Cookie, ...]
) -> tuple[OutgoingRequest, tuple[Cookie, ...]] | None:
    """Return the request that a redirect asks for and the cookies so far; `None` = it is none."""
    if answer.status not in REDIRECTS:
        return None
    here = WebAddress(secure=request.secure, host=request.host, port=request.port, path=request.path)
    try:
        there = parse_location(here, answer.location)
    except ProtocolError:
        return None  # already a failure of the exchange
    jar = keep_cookies(jar, here, answer.headers)
    headers: tuple[Header, ...] = ()
    method, body = "HEAD" if request.method == "HEAD" else "GET", b""
    if answer.status in KEEPS_METHOD:
        same_site = (there.secure, there.host, there.port) == (here.secure, here.host, here.port)
        method, body = request.method, request.body
        headers = tuple(h for h in request.headers if same_site or h.name.lower() not in _CREDENTIALS)
    if cookies := build_cookie_header(jar, there):
        headers = (*(h for h in headers if h.name.lower() != "cookie"), Header(name="Cookie", value=cookies))
    following = OutgoingRequest(
        method=method,
        host=there.host,
        port=there.port,
        secure=there.secure,
        path=there.path,
        headers=headers,
        body=body,
    )
    return following, jar


class _Visit:
    """One hop: its paths, which of them is elected, and the answer that came first."""

    def __init__(self, ctx: Context, request: OutgoingRequest, paths: asyncio.TaskGroup) -> None:
        self._ctx = ctx
        self._request = request
        self._paths = paths
        self._alone = True
        self._open_paths = 0
        self._elected: Endpoint | None = None
        self._elected_done = asyncio.Event()
        self._answer: HTTPExchange | None = None
        self._partial: HTTPExchange | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, addresses: tuple[str, ...]) -> HTTPExchange | None:
        """Try all paths; return the first whole answer once it is there, else what came of one, else `None`."""
        endpoints = [Endpoint(address=address, port=self._request.port) for address in addresses]
        self._open_paths = len(endpoints)
        self._alone = len(endpoints) == 1
        if self._alone:
            await self._try_path(endpoints[0])
        elif endpoints:
            for endpoint in endpoints:
                self._paths.create_task(self._try_path(endpoint))
            await self._over
        return self._answer or self._partial

    async def _try_path(self, endpoint: Endpoint) -> None:
        try:
            if not self._may_confirm or not await self._look(endpoint, quick=True):
                await self._look(endpoint, quick=False)
        finally:
            self._open_paths -= 1
            if not self._open_paths:
                self._end()

    @property
    def _may_confirm(self) -> bool:
        """Tell whether a quicker handshake will do, as long as it succeeds."""
        ctx, request = self._ctx, self._request
        return ctx.confirms and request.secure and ctx.stack.trust.quick is not None and not is_literal(request.host)

    async def _look(self, endpoint: Endpoint, *, quick: bool) -> bool:
        """Connect, shake hands and fetch; return False when the handshake failed, of whatever library it was."""
        async with connect(self._ctx, endpoint) as channel:
            if channel is None:
                return True
            if not self._request.secure:
                await self._take_turn(channel)
                return True
            stream = await secure(
                self._ctx,
                channel,
                server_name=self._request.host,
                # Another path may be elected: then nothing would carry the end of our handshake.
                request_follows=self._alone,
                quick=quick,
            )
            if stream is not None:
                await self._take_turn(stream)
            return stream is not None

    async def _take_turn(self, stream: ByteStream) -> None:
        """Fetch if elected, or if the elected path failed or has been at it for too long."""
        elected = self._elected is None
        if elected:
            self._elected = stream.endpoint
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ELECTED_SHARE * self._ctx.timeout_s):
                    await self._elected_done.wait()
            if self._answer is not None:
                return
        fetched = await exchange(self._ctx, stream, self._request)
        if fetched.status and fetched.ending is None:
            self._answer = self._answer or fetched
            self._end()
        elif fetched.status:
            self._partial = self._partial or fetched
        if elected:
            self._elected_done.set()

    def _end(self) -> None:
        self._elected_done.set()
        if not self._over.done():
            self._over.set_result(None)
