"""Resolvers as people write them: `udp://9.9.9.9`, `dot://9.9.9.9#dns.quad9.net`, `doh+https://8.8.8.8/dns-query#dns.google`.

Always with an address, so that a poisoned name cannot break its own check; the name to verify follows the `#`.
Source: RFC 7858 (853 for DNS over TLS), RFC 8484 section 4.1 (path).
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from probe.model.endpoint import Endpoint
from probe.model.errors import UserError
from probe.model.observation import Resolver, Transport
from probe.protocols.written.fields import Fields

_SCHEMES = {
    "udp": (Transport.UDP, 53),
    "tcp": (Transport.TCP, 53),
    "dot": (Transport.DOT, 853),
    "doh+https": (Transport.DOH, 443),
}
_SYSTEM = ("system", Transport.GETADDRINFO.value)
_EXAMPLES = "write system, udp://9.9.9.9, dot://9.9.9.9#dns.quad9.net or doh+https://8.8.8.8/dns-query#dns.google"
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62}\.?)+").fullmatch

SYSTEM = Resolver(transport=Transport.GETADDRINFO, system=True)
"""This host's own resolver function: what `system` means in a list of resolvers."""


def parse_resolver(uri: str) -> Resolver:
    """Read a resolver; a bare address means UDP.

    Raises:
        UserError: it is no resolver, or it has a name where an address must be.
    """
    text = uri.strip()
    if text.lower() in _SYSTEM:
        return SYSTEM
    if "://" not in text:
        text = f"udp://[{text}]" if text.count(":") > 1 and not text.startswith("[") else f"udp://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UserError(uri, "this is no resolver", _EXAMPLES) from error
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        raise UserError(uri, f"resolvers have no scheme {parts.scheme!r}", _EXAMPLES)
    transport, default_port = scheme
    _refuse_surplus(uri, parts, transport)
    endpoint = Endpoint(address=_parse_address(uri, parts), port=default_port if port is None else port)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Resolver(
        transport=transport, endpoint=endpoint, server_name=parts.fragment.lower(), path=path or "/dns-query"
    )


def read_resolvers(fields: Fields, default: tuple[str, ...]) -> tuple[Resolver, ...]:
    """Read a list under `resolvers`, each once; where there is none, `default`.

    `system` is asked anyway and needs no place in the list. What is no resolver is collected in `fields`.
    """
    if not fields.has("resolvers"):
        return tuple(parse_resolver(uri) for uri in default)
    resolvers: list[Resolver] = []
    for item in fields.items("resolvers"):
        try:
            resolver = parse_resolver(item.value if isinstance(item.value, str) else "")
        except UserError as error:
            fields.fail(item, f"resolvers: {error.what}", error.remedy)
            continue
        if not resolver.system and resolver not in resolvers:
            resolvers.append(resolver)
    return tuple(resolvers)


def _parse_address(uri: str, parts: SplitResult) -> str:
    host = parts.hostname or ""
    address, percent, zone = host.partition("%")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        remedy = f"write its address and put the name behind a #: {parts.scheme}://ADDRESS#{host or 'NAME'}"
        raise UserError(uri, f"a resolver is given by address, not as {host!r}", remedy) from error
    return f"{parsed}{percent}{zone}"


def _refuse_surplus(uri: str, parts: SplitResult, transport: Transport) -> None:
    """Refuse what would be silently ignored."""
    if parts.username or parts.password:
        raise UserError(uri, "a resolver takes no user or password", _EXAMPLES)
    if transport is not Transport.DOH and (parts.path not in ("", "/") or parts.query):
        raise UserError(uri, f"{parts.scheme} takes no path", _EXAMPLES)
    if parts.fragment and transport in (Transport.UDP, Transport.TCP):
        raise UserError(uri, f"{parts.scheme} carries no certificate to check a name against", "leave the # out")
    if parts.fragment and _HOST_NAME(parts.fragment.lower()) is None:
        raise UserError(uri, f"{parts.fragment!r} is not a name", _EXAMPLES)
    if parts.port == 0:
        raise UserError(uri, "port 0 cannot be reached", _EXAMPLES)
