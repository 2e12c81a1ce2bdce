"""HTTP CONNECT: does the proxy answer, take our login, and relay? In the clear, or in TLS (`https-proxy://`).

Source: RFC 9110 sections 9.3.6 (CONNECT), 11.7 (proxy authentication); RFC 7617 (Basic).
Only a success, a demand for a login, or a header that proxies add shows that a proxy answered: a bare 403 may be
anybody's page. In TLS whose certificate is valid for the proxy's name, its answer also proves who it is.
"""

import base64
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Refused, Send, Stack, Tcp, Tls
from probe.protocols.http.http1 import USER_AGENT, ResponseReader
from probe.protocols.http.turn import build_head, take_turn
from probe.protocols.relayed import goes_to, open_incoming, plan_errand, read_answer, split_relay
from probe.protocols.written.link import check_depth, parse_login_link

_PROXY_HEADERS = ("via", "proxy-agent", "proxy-connection", "proxy-authenticate", "x-squid-error")


class ProxyReply(msgspec.Struct, frozen=True, kw_only=True):
    """How the proxy answered, where nothing is relayed."""

    status: int
    reason: str
    agent: str = ""
    """What it calls itself."""


def build_connect(host: str, port: int, user: str, password: bytes | None) -> Send:
    """Return the request for a tunnel; the login in it is secret."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", authority), ("User-Agent", USER_AGENT), ("Proxy-Connection", "keep-alive")]
    if password is not None:
        login = base64.b64encode(user.encode() + b":" + password).decode()
        headers.append(("Proxy-Authorization", f"Basic {login}"))
    return build_head(f"CONNECT {authority} HTTP/1.1", headers)


def is_proxy(response: ResponseReader) -> bool:
    """Tell whether this can only be the answer of a proxy."""
    return 200 <= response.status < 300 or response.status == 407 or any(map(response.header, _PROXY_HEADERS))


def start(ask: Ask) -> Dialogue:
    """Ask for a tunnel and have the errand relayed through it."""
    incoming = open_incoming()
    errand = plan_errand(ask)
    password = ask.secrets.get("password")
    request = build_connect(errand.host, errand.port, ask.params.get("user", ""), password)
    response = yield from take_turn(incoming, request, head_only=True)
    if response is None:
        return None
    agent = response.header("proxy-agent") or response.header("server") or response.header("via")
    status = f"{response.status} {response.reason[:80]}".strip()
    if is_proxy(response):
        yield Reached(Depth.HELLO)
        if ask.params.get("tls") == "1" and ask.params.get("verify") != "no":
            yield Reached(Depth.PROOF)
    if not 200 <= response.status < 300:
        raise Refused(f"the proxy says: {status}" if is_proxy(response) else f"an HTTP server says: {status}")
    # No stage AUTH: whether the login was needed is not shown, as a proxy that wants none lets every login pass.
    if not goes_to(ask, Depth.DATA):
        return ProxyReply(status=response.status, reason=response.reason[:80], agent=agent[:80])
    yield Send(errand.data)
    return (yield from read_answer(incoming, errand, via=agent[:80], wrap=Send))


def choose_stack(params: Mapping[str, str]) -> Stack:
    """Return TCP, with TLS on it where the scheme said so."""
    if params.get("tls") != "1":
        return (Tcp(),)
    return (Tcp(), Tls(alpn=("http/1.1",), verify=params.get("verify") != "no"))


def parse(text: str) -> Parsed:
    """Read `http-proxy://[user:password@]host[:port]` and `https-proxy://…`.

    Raises:
        ValueError: it is not such a link.
    """
    secure = text.strip().lower().startswith("https-proxy:")
    known = frozenset({"relay", "payload", "depth", "sni"}) | ({"verify"} if secure else frozenset())
    parsed = parse_login_link(text, default_port=443 if secure else 8080, params=known, secrets=frozenset({"password"}))
    check_depth(parsed.params.get("depth", ""))
    if "relay" in parsed.params:
        split_relay(parsed.params["relay"])
    if not secure:
        return parsed
    return Parsed(
        host=parsed.host,
        port=parsed.port,
        params=MappingProxyType({**parsed.params, "tls": "1"}),
        secrets=parsed.secrets,
        label=parsed.label,
    )


SPEC = DialogueSpec(
    name="http-proxy",
    question="Does an HTTP proxy answer, and relay for us?",
    schemes=("http-proxy", "https-proxy"),
    default_port=8080,
    stack=choose_stack,
    start=start,
    parse=parse,
    secrets=("password",),
    proves=Depth.VOLUME,
    open_proves=Depth.DATA,
)
