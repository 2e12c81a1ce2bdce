"""What every request passes: is it meant for us, and what every answer carries.

A page in somebody's browser can reach a server on loopback. Two things keep it out: a `Host` that is not this machine
means that a name was pointed here (DNS rebinding; over TLS a browser has looked at our certificate before), and a
change asked for by another site says so in `Sec-Fetch-Site` or `Origin`.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from probe.web.connections import Connections
from probe.web.listen import is_loopback

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PREFIX = web.AppKey("prefix", str)
"""What stands before every path; a page's links begin with `request.config_dict[PREFIX]`."""
TELEMETRY = web.AppKey("telemetry", str)
"""Where the metrics are, prefix included."""
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN_SITES = ("same-origin", "none")

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on an answer."""
    put_headers(response)


def put_headers(response: web.StreamResponse) -> None:
    """Put on what every answer carries; what stands there already stays."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "wallprobe"


def parse_host(header: str) -> str:
    """Return the host of a `Host` header in lower case, without port and brackets; empty if it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".") if header else ""
    except ValueError:
        return ""


def is_rebound(header: str, local_address: str, welcome: str = "localhost") -> bool:
    """Tell whether a request that came in over loopback names another host than this machine, or the `welcome` one.

    No header at all is a simple client of HTTP/1.0; a browser always sends one.
    """
    if not header or not is_loopback(local_address):
        return False
    host = parse_host(header)
    return not (host in (welcome, "localhost") or host.endswith(".localhost") or is_loopback(host))


def is_cross_site(request: web.Request) -> bool:
    """Tell whether another site's page asks for a change; no browser, no header, no objection."""
    if request.method in _SAFE_METHODS:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN_SITES
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("Host", "")


def is_foreign_page(request: web.Request) -> bool:
    """Tell whether a browser asks on behalf of another site's page, be it for a picture."""
    return request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES


def refuse_strangers(connections: Connections | None = None, external_url: str = "") -> Middleware:
    """Return the middleware that all requests pass; behind a proxy, the host of `external_url` is ours too."""
    welcome = parse_host(urlsplit(external_url).netloc) or "localhost"

    @web.middleware
    async def guard(request: web.Request, handler: Answer) -> web.StreamResponse:  # aiohttp asks for this name
        if connections is not None:
            connections.serve(request.protocol)
        try:
            return await _check(request, handler, welcome)
        finally:
            if connections is not None:
                connections.served(request.protocol)

    return guard


async def _check(request: web.Request, answer: Answer, welcome: str) -> web.StreamResponse:
    local = request.transport.get_extra_info("sockname") if request.transport is not None else None
    local_address = local[0] if isinstance(local, tuple) else ""
    if not request.secure and is_rebound(request.headers.get("Host", ""), local_address, welcome):
        return refuse(request, 421, "this host name is not served on loopback")
    if is_cross_site(request):
        return refuse(request, 403, "asked for by another site")
    try:
        return await answer(request)
    except web.HTTPMethodNotAllowed as error:
        refused = refuse(request, 405, "method not allowed")
        refused.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return refused
    except web.HTTPNotFound:
        return refuse(request, 404, "nothing here")


def own_path(request: web.Request) -> str:
    """Return the path without what `web.route_prefix` puts before it."""
    return request.path.removeprefix(request.config_dict.get(PREFIX, ""))


def refuse(request: web.Request, status: int, reason: str) -> web.Response:
    """Return an error as the path's readers expect it: JSON under /api, else a line of text."""
    if own_path(request).startswith("/api/"):
        return web.json_response({"error": reason}, status=status)
    return web.Response(status=status, text=f"{reason}\n")
