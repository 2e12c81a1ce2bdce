"""OONI measurements of realistic shape, written here: the worlds of OONI's quality suite, seen by its probe 0.5.

Source: ooni/probe-cli, `internal/webconnectivityqa` (what the network does in each of the fifty cases, and what the
probe reports of it) and `internal/netemx` (hosts and addresses).
"""

import base64
import ipaddress
from typing import Any
from urllib.parse import urlsplit

EXAMPLE, PROXY, BLOCK_SERVER, BADSSL, LARGE = (
    "93.184.216.34", "130.192.182.17", "83.224.65.41", "104.154.89.105", "52.35.36.75",
)  # fmt: skip
BITLY, YANDEX, CACHE, HTTPBIN = "67.199.248.11", "5.255.255.80", "104.16.132.229", "172.67.144.64"
PAGE = "<!doctype html><html><head><title>Default Web Page</title></head>" + "<p>words</p>" * 120 + "</html>"
DENIED = "<html><head><title>Access Denied</title></head><body>Access Denied</body></html>"
CAPTCHA = "<html><head><title>Please prove</title></head><body class='h-captcha'>captcha</body></html>"
_LEAF = {"format": "base64", "data": base64.b64encode(b"\x30\x03\x02\x01\x00").decode()}


class World:
    """Collects the records of one measurement."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, Any] = {
            "agent": "redirect", "client_resolver": "130.192.3.21", "retries": None, "socksproxy": None,
            "network_events": None, "queries": [], "requests": [], "tcp_connect": [], "tls_handshakes": [],
            "control": None, "control_failure": None, "x_dns_duplicate_responses": None,
            "x_doh": {"queries": [], "requests": []}, "blocking": None, "accessible": None,
        }  # fmt: skip
        self._flow = 10000
        self._now = 0.0

    def _tick(self, seconds: float = 0.02) -> tuple[float, float]:
        begun, self._now = self._now, round(self._now + seconds, 6)
        return begun, self._now

    def lookup(
        self, name: str, *addresses: str, failure: str | None = None, engine: str = "getaddrinfo", depth: int = 0,
        resolver: str = "",
    ) -> "World":  # fmt: skip
        t0, t = self._tick()
        self._flow += 1
        self.keys["queries"].append(
            {
                "answers": [_answer(address) for address in addresses], "engine": engine, "failure": failure,
                "hostname": name, "query_type": "ANY" if engine == "getaddrinfo" else "A", "resolver_hostname": None,
                "resolver_port": None, "resolver_address": resolver, "t0": t0, "t": t, "transaction_id": self._flow,
                "tags": ["classic", f"depth={depth}"] if engine == "getaddrinfo" else [f"depth={depth}"],
            }
        )  # fmt: skip
        return self

    def late(self, name: str, *addresses: str) -> "World":
        """One more reply to the question asked last."""
        t0, t = self._tick()
        question = self.keys["queries"][-1]
        reply = question | {"answers": [_answer(a) for a in addresses], "failure": None, "t0": t0, "t": t}
        self.keys["x_dns_duplicate_responses"] = [reply]
        return self

    def flow(
        self, address: str, port: int, name: str = "", *, tcp: str | None = None, tls: str | None = None,
        page: dict[str, Any] | None = None, depth: int = 0,
    ) -> "World":  # fmt: skip
        """Connect, shake hands where the port is 443, and fetch where a page is given."""
        self._flow += 1
        tags = [f"depth={depth}", f"fetch_body={str(page is not None).lower()}"]
        t0, t = self._tick(10.0 if tcp == "generic_timeout_error" else 0.02)
        here = {"transaction_id": self._flow, "tags": tags}
        status = {"failure": tcp, "success": tcp is None}
        self.keys["tcp_connect"].append({"ip": address, "port": port, "status": status, "t0": t0, "t": t} | here)
        if tcp is None and port == 443:
            t0, t = self._tick(10.0 if tls == "generic_timeout_error" else 0.03)
            self.keys["tls_handshakes"].append(
                {
                    "network": "tcp", "address": f"{address}:{port}",
                    "cipher_suite": "" if tls else "TLS_AES_128_GCM_SHA256",
                    "failure": tls, "negotiated_protocol": "" if tls else "http/1.1", "no_tls_verify": False,
                    "peer_certificates": [] if tls and not tls.startswith("ssl_") else [_LEAF] * 3,
                    "server_name": name, "tls_version": "" if tls else "TLSv1.3", "t0": t0, "t": t,
                } | here
            )  # fmt: skip
        if page is not None and tcp is None and tls is None:
            t0, t = self._tick()
            self.keys["requests"].insert(0, page | {"address": f"{address}:{port}", "t0": t0, "t": t} | here)
        return self

    def control(
        self, *addresses: str, dns: str | None = None, tcp: dict[str, str | None] | None = None,
        tls: dict[str, str | None] | None = None, status: int = 200, body: str = PAGE, title: str = "Default Web Page",
        http: str | None = None,
    ) -> "World":  # fmt: skip
        page = {
            "body_length": -1 if http else len(body), "discovered_h3_endpoint": "", "failure": http,
            "title": "" if http else title, "headers": {} if http else {"Content-Type": "text/html"},
            "status_code": -1 if http else status,
        }  # fmt: skip
        self.keys["control"] = {
            "tcp_connect": {k: {"status": v is None, "failure": v} for k, v in (tcp or {}).items()},
            "tls_handshake": {
                k: {"server_name": urlsplit(self.url).hostname, "status": v is None, "failure": v}
                for k, v in (tls or {}).items()
            },
            "quic_handshake": {}, "http_request": page, "http3_request": None,
            "dns": {"failure": dns, "addrs": list(addresses)},
            "ip_info": {address: {"asn": 15133, "flags": 10} for address in addresses},
        }  # fmt: skip
        return self

    def no_control(self, failure: str) -> "World":
        self.keys["control_failure"] = failure
        return self

    def verdict(self, blocking: str | bool | None, accessible: bool | None) -> dict[str, Any]:
        """Return the measurement."""
        return {
            "annotations": {"architecture": "amd64", "engine_name": "ooniprobe-engine", "platform": "linux"},
            "data_format_version": "0.2.0", "input": self.url, "measurement_start_time": "2024-02-12 20:33:47",
            "probe_asn": "AS137", "probe_cc": "IT", "probe_ip": "127.0.0.1", "probe_network_name": "Consortium GARR",
            "report_id": "", "resolver_asn": "AS137", "resolver_ip": "130.192.3.21",
            "resolver_network_name": "Consortium GARR", "software_name": "ooniprobe", "software_version": "3.21.0",
            "test_helpers": {"backend": {"address": "https://0.th.ooni.org/", "type": "https"}},
            "test_name": "web_connectivity", "test_runtime": self._now, "test_start_time": "2024-02-12 20:33:40",
            "test_version": "0.5.28",
            "test_keys": self.keys | {"blocking": blocking, "accessible": accessible},
        }  # fmt: skip


def _answer(address: str) -> dict[str, Any]:
    kind, key = ("AAAA", "ipv6") if ":" in address else ("A", "ipv4")
    known = ipaddress.ip_address(address).is_global
    asn, name = (15133, "Edgecast Inc.") if known else (0, "")
    return {"asn": asn, "as_org_name": name, "answer_type": kind, key: address, "ttl": None}


def page(
    url: str, status: int = 200, body: str = PAGE, *, location: str = "", failure: str | None = None
) -> dict[str, Any]:
    headers = {"Content-Type": "text/html"} | ({"Location": location} if location else {})
    return {
        "network": "tcp", "alpn": "http/1.1", "failure": failure,
        "request": {
            "method": "GET", "url": url, "headers": {"Accept": "*/*"}, "headers_list": [["Accept", "*/*"]], "body": "",
            "body_is_truncated": False, "x_transport": "tcp",
            "tor": {"exit_ip": None, "exit_name": None, "is_tor": False},
        },
        "response": {
            "code": 0 if failure else status, "headers": {} if failure else headers, "body": "" if failure else body,
            "headers_list": [] if failure else [[k, v] for k, v in headers.items()], "body_is_truncated": False,
        },
    }  # fmt: skip


ORG, COM = "https://www.example.org/", "https://www.example.com/"
CLEAR = "http://www.example.com/"
NAME = "www.example.com"
RESET, SILENT, FIN, REFUSED = "connection_reset", "generic_timeout_error", "eof_error", "connection_refused"
_BOTH = {f"{EXAMPLE}:443": None, f"{EXAMPLE}:80": None}
_DOH = "https://dns.google/dns-query"


def _seen(world: World, name: str, *addresses: str, depth: int = 0) -> World:
    """A name that all resolvers know."""
    world.lookup(name, *addresses, depth=depth)
    world.lookup(name, *addresses, engine="udp", resolver="8.8.8.8:53", depth=depth)
    return world.lookup(name, *addresses, engine="doh", resolver=_DOH, depth=depth)


def _secure(url: str = COM, name: str = NAME, at: str = EXAMPLE, **how: Any) -> World:
    return _seen(World(url), name, at).flow(at, 443, name, **({"page": page(url)} | how))


def _clear(shown: dict[str, Any], tls: str | None = None) -> World:
    return _seen(World(CLEAR), NAME, EXAMPLE).flow(EXAMPLE, 80, page=shown).flow(EXAMPLE, 443, NAME, tls=tls)


def _redirected(number: str, there: str, shown: dict[str, Any] | None, **how: Any) -> World:
    url = f"https://bit.ly/{number}"
    world = _seen(World(url), "bit.ly", BITLY)
    world.flow(BITLY, 443, "bit.ly", page=page(url, 308, "", location=there))
    if "nx" in how:
        return world.lookup(NAME, failure="dns_nxdomain_error", depth=1).control(BITLY, tcp={f"{BITLY}:443": None})
    _seen(world, NAME, EXAMPLE, depth=1)
    world.flow(EXAMPLE, 443 if there.startswith("https") else 80, NAME, page=shown, depth=1, **how)
    return world.control(BITLY, tcp={f"{BITLY}:443": None}, tls={f"{BITLY}:443": None})


def _ok(world: World) -> World:
    return world.control(EXAMPLE, tcp=_BOTH, tls={f"{EXAMPLE}:443": None})


def _bad_certificate(host: str, failure: str) -> dict[str, Any]:
    url = f"https://{host}/"
    place = f"{BADSSL}:443"
    world = _secure(url, host, BADSSL, tls=failure)
    return world.control(BADSSL, tcp={place: None}, tls={place: failure}, http=failure).verdict(False, False)


def make_worlds() -> dict[str, dict[str, Any]]:
    """Return measurements by the name of their case; half of the fifty, one or more of each kind."""
    forged = World(COM).lookup(NAME, "10.10.34.35").lookup(NAME, EXAMPLE, engine="doh", resolver=_DOH)
    forged.flow("10.10.34.35", 443, NAME, tcp=SILENT).flow(EXAMPLE, 443, NAME)
    nxdomain = World(COM).lookup(NAME, failure="dns_nxdomain_error").lookup(NAME, EXAMPLE, engine="doh", resolver=_DOH)
    nxdomain.flow(EXAMPLE, 443, NAME)
    spoofed = World(COM).lookup(NAME, PROXY).lookup(NAME, PROXY, engine="udp", resolver="8.8.8.8:53")
    spoofed.late(NAME, EXAMPLE).flow(PROXY, 443, NAME, page=page(COM)).flow(EXAMPLE, 443, NAME)
    ghost = World("https://itsat.info/").lookup("itsat.info", BLOCK_SERVER)
    ghost.flow(BLOCK_SERVER, 443, "itsat.info", tcp=REFUSED)
    local = World(COM).lookup(NAME, "127.0.0.1").lookup(NAME, EXAMPLE, engine="doh", resolver=_DOH)
    down = World("http://www.example.xyz/").lookup("www.example.xyz", failure="dns_nxdomain_error")
    captcha = _seen(World("http://www.cloudflare-cache.com/"), "www.cloudflare-cache.com", CACHE)
    captcha.flow(CACHE, 80, page=page("http://www.cloudflare-cache.com/", 503, CAPTCHA))
    failing = {f"{EXAMPLE}:443": None}
    return {
        "badSSLWithUnknownAuthorityWithConsistentDNS": _bad_certificate(
            "untrusted-root.badssl.com", "ssl_unknown_authority"
        ),
        "badSSLWithWrongServerName": _bad_certificate("wrong.host.badssl.com", "ssl_invalid_hostname"),
        "cloudflareCAPTCHAWithHTTP": captcha.control(CACHE, tcp={f"{CACHE}:80": None}).verdict("http-diff", False),
        "controlFailureWithSuccessfulHTTPSWebsite": _secure().no_control(RESET).verdict(False, True),
        "controlFailureWithSuccessfulHTTPWebsite": _clear(page(CLEAR)).no_control(RESET).verdict(None, None),
        "dnsBlockingBOGON": _ok(forged).verdict("dns", False),
        "dnsBlockingNXDOMAIN": _ok(nxdomain).verdict("dns", False),
        "dnsHijackingToLocalhostWithHTTPS": _ok(local.flow(EXAMPLE, 443, NAME)).verdict("dns", False),
        "dnsHijackingToProxyWithHTTPSURL": _ok(spoofed).verdict(False, True),
        "ghostDNSBlockingWithHTTPS": ghost.control(
            dns="dns_name_error", tcp={f"{BLOCK_SERVER}:443": REFUSED}, http="dns_lookup_error"
        ).verdict("dns", False),
        "httpBlockingConnectionReset": _ok(_clear(page(CLEAR, failure=RESET))).verdict("http-failure", False),
        "httpDiffWithConsistentDNS": _ok(_clear(page(CLEAR, body=DENIED))).verdict("http-diff", False),
        "redirectThenConnectionRefused": _redirected("32447", CLEAR, page(CLEAR), tcp=REFUSED).verdict(
            "http-failure", False
        ),
        "redirectThenConnectionResetForHTTP": _redirected("32447", CLEAR, page(CLEAR, failure=RESET)).verdict(
            "http-failure", False
        ),
        "redirectThenConnectionResetForHTTPS": _redirected("21645", COM, page(COM), tls=RESET).verdict(
            "http-failure", False
        ),
        "redirectThenEOFForHTTPS": _redirected("21645", COM, page(COM), tls=FIN).verdict("http-failure", False),
        "redirectThenNXDOMAIN": _redirected("21645", COM, None, nx=True).verdict("dns", False),
        "redirectThenTimeoutForHTTPS": _redirected("21645", COM, page(COM), tls=SILENT).verdict("http-failure", False),
        "redirectThenSuccess": _redirected("21645", COM, page(COM)).verdict(False, True),
        "successWithHTTP": _ok(_clear(page(CLEAR))).verdict(False, True),
        "successWithHTTPS": _ok(_secure()).verdict(False, True),
        "tcpBlockingConnectTimeout": _ok(_secure(tcp=SILENT)).verdict("tcp_ip", False),
        "throttlingWithHTTPS": _ok(_secure(page=page(COM) | {"failure": SILENT})).verdict("http-failure", False),
        "tlsBlockingConnectionReset": _secure(tls=RESET)
        .control(EXAMPLE, tcp=_BOTH, tls=failing)
        .verdict("http-failure", False),
        "websiteDownNXDOMAIN": down.control(dns="dns_name_error", http="dns_lookup_error").verdict(False, False),
        "websiteDownTCPConnect": _seen(World("http://www.example.com:444/"), NAME, EXAMPLE)
        .flow(EXAMPLE, 444, tcp=REFUSED)
        .control(EXAMPLE, tcp={f"{EXAMPLE}:444": REFUSED}, http="connection_refused_error")
        .verdict(False, False),
    }
