"""What carries a proxy's stream: TCP or TLS, and on it nothing, a WebSocket, or a bare HTTP upgrade.

Source: the share link proposals of XTLS (github.com/XTLS/Xray-core discussion 716) for the names `security`, `type`,
`sni`, `host`, `path`; RFC 6455 for the upgrade. A path's `?ed=` only asks clients to send early, so it is left away.
"""

import re
from collections.abc import Mapping

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Reached, Send, Stack, Tcp, Tls
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies.websocket import FrameReader, build_upgrade, masked, parse_upgrade, split_head
from probe.protocols.relayed import open_incoming
from probe.protocols.written.link import NotSpokenError, tidy_hello
from probe.protocols.written.share_link import is_true

PARAMS = frozenset({"security", "type", "sni", "host", "path", "alpn", "insecure"})
_PLAIN = frozenset({"", "tcp", "raw"})
_UPGRADES = frozenset({"ws", "httpupgrade"})
_NAME = re.compile(r"[!-~]*").fullmatch
"""What can stand in a header."""
_INSECURE = ("insecure", "allowInsecure", "allowinsecure", "allow_insecure", "skip-cert-verify")
_BROWSER_ALPN = "h2,http/1.1"
_OTHERS = frozenset({"grpc", "gun", "h2", "http", "kcp", "mkcp", "quic", "splithttp", "xhttp"})
"""Carriers that links name and that are not spoken here."""


def read_carrier(given: Mapping[str, str], *, security: str) -> dict[str, str]:
    """Return the carrier's part of a link's params under the names we use.

    Raises:
        ValueError: it is carried by something that is not spoken here.
    """
    params = {key: given[key] for key in PARAMS - {"insecure"} if given.get(key)}
    params["security"] = params.get("security", security).lower()
    if params["security"] not in ("none", "tls", "reality"):
        raise ValueError("security is none, tls or reality")
    kind = params.pop("type", "").lower()
    if not kind and is_true(given.get("ws", "")):
        kind, params["path"] = "ws", given.get("wspath") or params.get("path", "/")
    if given.get("plugin"):
        raise NotSpokenError("its plugin is not spoken here")
    # Of a REALITY server only the cover site is asked, whatever its users' streams are carried by.
    if params["security"] != "reality":
        _check_kind(kind, given.get("headerType", ""))
        if kind in _UPGRADES:
            params["type"] = kind
    if any(is_true(given.get(key, "")) for key in _INSECURE):
        params["insecure"] = "1"
    if "sni" not in params and given.get("peer"):
        params["sni"] = given["peer"]
    if not _NAME(params.get("host", "")):
        raise ValueError("its host is no name")
    return tidy_hello(params)


def _check_kind(kind: str, disguise: str) -> None:
    if kind not in _PLAIN | _UPGRADES:
        named = f" {kind}" if kind in _OTHERS else ""
        raise NotSpokenError(f"its transport{named} is not spoken here; tcp, ws and httpupgrade are")
    # `headerType` has a meaning for plain TCP alone; links of other transports carry it along.
    if kind in _PLAIN and disguise == "http":
        raise NotSpokenError("its disguise as HTTP (headerType=http) is not spoken here")


def choose_stack(params: Mapping[str, str]) -> Stack:
    """Return the layers below the stream."""
    if params.get("security", "none") == "none":
        return (Tcp(),)
    # A WebSocket is HTTP/1.1, whatever the link offers besides.
    alpn = "http/1.1" if params.get("type") in _UPGRADES else params.get("alpn", _BROWSER_ALPN)
    return (Tcp(), Tls(alpn=tuple(alpn.split(",")), verify="insecure" not in params))


class Carrier:
    """The stream in both directions."""

    def __init__(self, ask: Ask, incoming: Incoming, *, framed: bool) -> None:
        self._ask = ask
        self._framed = framed
        checked = ask.params.get("security") == "tls" and "insecure" not in ask.params
        greeted = ask.params.get("type") in _UPGRADES
        self.proven = (*(() if greeted else (Depth.HELLO,)), *((Depth.PROOF,) if checked else ()), Depth.AUTH)
        """The stages that the proxy's first right byte proves; the certificate was checked by the layer below."""
        self.incoming = FrameReader(incoming) if framed else incoming

    def send(self, data: bytes, *secret_spans: tuple[int, int]) -> Send:
        """Return what puts these bytes on the wire; spans are those of the data."""
        if not self._framed:
            return Send(data, secret_spans=secret_spans)
        frame, start = masked(data, self._ask.entropy)
        # The mask stands in the clear just before, so what it covers is as readable as before.
        return Send(frame, secret_spans=tuple((start + first, start + end) for first, end in secret_spans))


def open_carrier(ask: Ask) -> Reading[Carrier | None]:
    """Do what must be done before the proxy's own first byte; `None` if an upgrade stays unanswered.

    Raises:
        Refused: a web server answers instead.
        ProtocolError: something else does.
    """
    incoming = open_incoming()
    kind = ask.params.get("type", "")
    if kind not in _UPGRADES:
        return Carrier(ask, incoming, framed=False)
    key = ask.entropy(16) if kind == "ws" else None
    path = ask.params.get("path", "/").partition("?ed=")[0]
    host = ask.params.get("host") or ask.params.get("sni") or ask.host
    yield Send(build_upgrade(host, path if path.startswith("/") else f"/{path}", key))
    head = yield from incoming.take_message(split_head)
    if head is None:
        return None
    parse_upgrade(head, key)
    yield Reached(Depth.HELLO)
    return Carrier(ask, incoming, framed=kind == "ws")
