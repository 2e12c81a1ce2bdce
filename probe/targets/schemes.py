"""What each scheme of this version makes of an address: one function each, listed in `SCHEMES`.

The same target always gets the same canonical address, however it was written.
"""

import difflib
import re
from collections.abc import Callable
from urllib.parse import unquote

import msgspec

from probe.model.errors import UserError
from probe.model.target import CheckName
from probe.protocols.written.resolver_uri import parse_resolver
from probe.targets.hosts import HostError, bracket, parse_host
from probe.targets.traits import NO_WORDS
from probe.targets.written_address import WrittenAddress, quote_address

QUERY_TYPES = frozenset(["A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "SVCB", "TXT"])
FORMS = (
    "write https://…, http://…, h3://…, tcp://host:port, tls://…, dns://name, dot://…, doh+https://… or icmp://…, "
    "or a tunnel's link (openvpn://, wireguard://, ss://, vless://, trojan:// …) or file (office.ovpn, wg0.conf)"
)
_ALPN = re.compile(r"[A-Za-z0-9./_-]{1,64}(?:,[A-Za-z0-9./_-]{1,64}){0,7}", re.ASCII).fullmatch
_HTTP_PORTS = frozenset({80, 8080})
_HTTPS_PORTS = frozenset({443, 8443})


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a scheme makes of an address."""

    check: CheckName
    address: str
    host: str
    port: int
    path: str = "/"
    secure: bool = True
    params: dict[str, str] = NO_WORDS


def _bare(written: WrittenAddress, text: str, source: str) -> Parsed:
    """Return what an address without a scheme asks for: the site, or, with a port that sites do not have, that port."""
    if "." not in written.host and ":" not in written.host and written.host != "localhost":
        raise UserError(source, f"{quote_address(text)} is not a full name", f"write https://{written.host}/ if it is")
    if written.port is None or written.port in _HTTPS_PORTS:
        return _web(msgspec.structs.replace(written, scheme="https"), text, source)
    if written.port in _HTTP_PORTS or written.path or written.query is not None:
        return _web(msgspec.structs.replace(written, scheme="http"), text, source)
    return _tcp(msgspec.structs.replace(written, scheme="tcp"), text, source)


def _web(written: WrittenAddress, _text: str, _source: str) -> Parsed:
    secure = written.scheme == "https"
    default_port = 443 if secure else 80
    port = written.port or default_port
    path = (written.path or "/") + ("" if written.query is None else f"?{written.query}")
    place = _host_port(written.host, port, default_port)
    return Parsed(
        check=CheckName.WEB,
        address=f"{written.scheme}://{place}{'' if path == '/' else path}",
        host=written.host,
        port=port,
        path=path,
        secure=secure,
    )


def _h3(written: WrittenAddress, _text: str, _source: str) -> Parsed:
    """Return the question for a page over HTTP/3, whatever becomes of it over TCP."""
    port = written.port or 443
    path = (written.path or "/") + ("" if written.query is None else f"?{written.query}")
    address = f"h3://{_host_port(written.host, port, 443)}{'' if path == '/' else path}"
    return Parsed(check=CheckName.H3, address=address, host=written.host, port=port, path=path)


def _tcp(written: WrittenAddress, text: str, source: str) -> Parsed:
    _read_query(written, (), text, source)
    if written.port is None:
        raise UserError(source, f"{quote_address(text)} has no port", f"write tcp://{bracket(written.host)}:443")
    address = f"tcp://{bracket(written.host)}:{written.port}"
    return Parsed(check=CheckName.TCP, address=address, host=written.host, port=written.port)


def _tls(written: WrittenAddress, text: str, source: str) -> Parsed:
    query = _read_query(written, ("sni", "alpn"), text, source)
    port = written.port or 443
    params = {}
    if "sni" in query and query["sni"].lower() != written.host:
        params["sni"] = _name(query["sni"], text, source) if query["sni"] else ""
    if "alpn" in query:
        if _ALPN(query["alpn"]) is None:
            raise UserError(source, f"{quote_address(text)}: no ALPN names", "write alpn=h2,http/1.1")
        params["alpn"] = query["alpn"]
    tail = "&".join(f"{key}={value}" for key, value in params.items())
    address = f"tls://{bracket(written.host)}:{port}" + (f"?{tail}" if tail else "")
    return Parsed(check=CheckName.TLS, address=address, host=written.host, port=port, params=params or NO_WORDS)


def _dns(written: WrittenAddress, text: str, source: str) -> Parsed:
    query = _read_query(written, ("resolver", "type"), text, source)
    if written.port is not None:
        remedy = f"write dns://{bracket(written.host)}?resolver=udp://ADDRESS:{written.port}"
        raise UserError(source, f"{quote_address(text)}: a name has no port", remedy)
    params = {}
    if "type" in query:
        params["type"] = _query_type(query["type"], text, source)
    if "resolver" in query:
        # The name behind a resolver's # is, to a URL parser, the fragment of the whole address.
        asked = query["resolver"]
        if written.fragment and "#" not in asked:
            asked += f"#{written.fragment}"
        params["resolver"] = _resolver(asked, source)
    tail = "&".join(f"{key}={value}" for key, value in sorted(params.items(), reverse=True))
    address = f"dns://{bracket(written.host)}" + (f"?{tail}" if tail else "")
    return Parsed(check=CheckName.DNS, address=address, host=written.host, port=53, params=params or NO_WORDS)


def _encrypted_dns(written: WrittenAddress, text: str, source: str) -> Parsed:
    """Return the question to a resolver that is itself the target: `dot://9.9.9.9#dns.quad9.net?name=…`."""
    is_doh = written.scheme == "doh+https"
    path = (written.path if written.path not in ("", "/") else "/dns-query") if is_doh else "/"
    query = _read_query(written, ("name", "type"), text, source, with_path=is_doh)
    default_port = 443 if is_doh else 853
    port = written.port or default_port
    params = {"path": path} if is_doh else {}
    if written.fragment and written.fragment.lower() != written.host:
        params["sni"] = _name(written.fragment, text, source)
    if "name" in query:
        params["name"] = _name(query["name"], text, source)
    if "type" in query:
        params["type"] = _query_type(query["type"], text, source)
    tail = "&".join(f"{key}={params[key]}" for key in ("name", "type") if key in params)
    address = f"{written.scheme}://{_host_port(written.host, port, default_port)}{path if is_doh else ''}"
    address += (f"?{tail}" if tail else "") + (f"#{params['sni']}" if "sni" in params else "")
    check = CheckName.DOH if is_doh else CheckName.DOT
    return Parsed(check=check, address=address, host=written.host, port=port, path=path, params=params or NO_WORDS)


def _icmp(written: WrittenAddress, text: str, source: str) -> Parsed:
    _read_query(written, (), text, source)
    if written.port is not None:
        remedy = f"write icmp://{bracket(written.host)}, or tcp:// to ask a port"
        raise UserError(source, f"{quote_address(text)}: an echo has no port", remedy)
    return Parsed(check=CheckName.ICMP, address=f"icmp://{bracket(written.host)}", host=written.host, port=0)


SCHEMES: dict[str, Callable[[WrittenAddress, str, str], Parsed]] = {
    "": _bare,
    "https": _web,
    "http": _web,
    "h3": _h3,
    "tcp": _tcp,
    "tls": _tls,
    "dns": _dns,
    "dot": _encrypted_dns,
    "doh+https": _encrypted_dns,
    "icmp": _icmp,
}


def _host_port(host: str, port: int, default_port: int) -> str:
    return bracket(host) if port == default_port else f"{bracket(host)}:{port}"


def _read_query(
    written: WrittenAddress, known: tuple[str, ...], text: str, source: str, *, with_path: bool = False
) -> dict[str, str]:
    """Return the parameters; refuse what would be silently ignored."""
    if written.path not in ("", "/") and not with_path:
        what = f"{quote_address(text)}: {written.scheme}:// takes no path"
        remedy = "write dns://NAME?resolver=udp://ADDRESS" if written.scheme == "dns" else "end it after the host"
        raise UserError(source, what, remedy)
    pairs: dict[str, str] = {}
    for piece in (written.query or "").split("&"):
        key, _, value = piece.partition("=")
        if not piece:
            continue
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known) or 'none'}"
            raise UserError(source, f"{written.scheme}:// has no parameter {key[:30]!r}", remedy)
        if key in pairs:
            raise UserError(source, f"{quote_address(text)}: {key} is given twice", "leave one of them")
        pairs[key] = unquote(value)
    return pairs


def _name(value: str, text: str, source: str) -> str:
    try:
        return parse_host(value)
    except HostError as error:
        raise UserError(source, f"{quote_address(text)}: {error}", "give a full name") from None


def _query_type(value: str, text: str, source: str) -> str:
    if value.upper() not in QUERY_TYPES:
        remedy = f"use one of {', '.join(sorted(QUERY_TYPES))}"
        raise UserError(source, f"{quote_address(text)}: no DNS type {value[:20]!r}", remedy)
    return value.upper()


def _resolver(value: str, source: str) -> str:
    try:
        return str(parse_resolver(value))
    except UserError as error:
        raise UserError(source, f"resolver: {error.what}", error.remedy) from None
