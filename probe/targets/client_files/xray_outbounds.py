"""The servers of Xray's and V2Ray's JSON. Source: xtls.github.io/en/config, "Outbound" of each protocol, "Transport".

Both forms of an outbound are read: with lists of servers and users in it, and the newer one with a single server. One
that dials through another server of the file is no endpoint that can be asked by itself.
"""

from collections.abc import Iterator

from probe.model.written import Written, items, pairs
from probe.targets.client_files.server_node import CHAIN, Node

_NO_SERVERS = frozenset({"freedom", "blackhole", "dns", "loopback", ""})
_IN_TLS = frozenset({"vmess", "vless", "trojan"})


def read_xray(outbounds: Written) -> Iterator[Node]:
    """Return the servers in their order."""
    # A freedom outbound that others dial through cuts hellos up, and leads to no other server.
    direct = {Node.of(one).word("tag") for one in items(outbounds) if _kind(one) == "freedom"}
    for written in items(outbounds):
        kind = _kind(written)
        if kind in _NO_SERVERS:
            continue
        outbound = Node.of(written, kind)
        through = outbound.word("streamSettings", "sockopt", "dialerProxy") or outbound.word("proxySettings", "tag")
        if through and through not in direct:
            outbound.kind = CHAIN
            yield outbound
            continue
        yield from _read_wireguard(outbound) if kind == "wireguard" else _read_servers(outbound)


def _kind(written: Written) -> str:
    return Node.of(written).word("protocol").lower()


def _read_servers(outbound: Node) -> Iterator[Node]:
    settings = outbound.find("settings")
    several = items(pairs(settings).get("vnext")) or items(pairs(settings).get("servers"))
    for written in several or ((settings,) if settings is not None else ()):
        server = Node.of(written, outbound.kind)
        server.host = server.word("address").strip("[]")
        for user in items(server.find("users")) or (written,):
            yield _read_user(outbound, server, Node.of(user))


def _read_user(outbound: Node, server: Node, user: Node) -> Node:
    """Return the endpoint of one user at one server."""
    node = Node(kind=server.kind, line=server.line, fields=server.fields, host=server.host, port=server.port)
    node.password = server.word("password") or user.word("password")
    match node.kind:
        case "vmess" | "vless":
            node.user, node.password = user.word("id") or user.word("uuid"), ""
            node.params["encryption"] = user.word("security" if node.kind == "vmess" else "encryption")
            node.params["flow"] = user.word("flow")
        case "shadowsocks":
            node.user = server.word("method")
        case "socks" | "http":
            node.user, node.password = user.word("user"), user.word("pass")
        case "hysteria":
            node.kind = "hysteria2" if outbound.word("settings", "version") == "2" else node.kind
            node.password = outbound.word("streamSettings", "hysteriaSettings", "auth") or node.password
    if node.kind in (*_IN_TLS, "hysteria2"):
        _read_stream(outbound, node)
    elif outbound.word("streamSettings", "security") not in ("", "none"):
        node.params["tls"] = "1"  # which is refused, as it must be
    return node


def _read_stream(outbound: Node, node: Node) -> None:
    def stream(*path: str) -> str:
        return outbound.word("streamSettings", *path)

    security, network = stream("security").lower(), stream("network").lower()
    kind = "reality" if security == "reality" else "tls"
    node.params |= {
        "sni": stream(f"{kind}Settings", "serverName"),
        "alpn": stream("tlsSettings", "alpn"),
        "insecure": "1" if outbound.says("streamSettings", "tlsSettings", "allowInsecure") else "",
    }
    if node.kind == "hysteria2":
        return
    settings = {"ws": "wsSettings", "websocket": "wsSettings", "httpupgrade": "httpupgradeSettings"}.get(network, "")
    node.params |= {
        "security": security or "none",
        "type": "ws" if network == "websocket" else network,
        "path": stream(settings, "path") if settings else "",
        "host": (stream(settings, "host") or stream(settings, "headers", "Host")) if settings else "",
        "headerType": stream("tcpSettings", "header", "type") or stream("rawSettings", "header", "type"),
    }


def _read_wireguard(outbound: Node) -> Iterator[Node]:
    common = {
        "privatekey": outbound.word("settings", "secretKey"),
        "address": outbound.word("settings", "address"),
        "reserved": outbound.word("settings", "reserved"),
    }
    for written in items(outbound.find("settings", "peers")):
        peer = Node.of(written, "wireguard")
        host, _, peer.port = peer.word("endpoint").rpartition(":")
        peer.host = host.strip("[]")
        peer.params = common | {"publickey": peer.word("publicKey"), "presharedkey": peer.word("preSharedKey")}
        yield peer
