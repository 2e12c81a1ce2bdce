"""The servers of sing-box's JSON. Source: sing-box.sagernet.org, "Outbound", "Endpoint", "V2Ray Transport", "TLS"."""

from collections.abc import Iterator

from probe.model.written import Written, items
from probe.targets.client_files.server_node import CHAIN, Node

_NO_SERVERS = frozenset({"direct", "block", "dns", "selector", "urltest", "tor", "tailscale", ""})
_STREAMS = frozenset({"vmess", "vless", "trojan", "anytls"})
_NO_TLS = frozenset({"shadowsocks", "socks", "http"})


def read_sing_box(outbounds: Written) -> Iterator[Node]:
    """Return the servers in their order."""
    tags = {node.word("tag"): node.kind for node in map(Node.of, items(outbounds))}
    direct = {"", "direct", *(tag for tag, kind in tags.items() if kind == "direct")}
    for written in items(outbounds):
        node = Node.of(written)
        node.port = node.word("server_port")
        if node.kind in _NO_SERVERS:
            continue
        if node.word("detour") not in direct:
            node.kind = CHAIN
            yield node
            continue
        if node.kind == "wireguard":
            yield from _read_wireguard(node)
            continue
        _read_login(node)
        _read_tls(node)
        if node.kind in _STREAMS:
            _read_transport(node)
        yield node


def _read_login(node: Node) -> None:
    node.user = node.word("uuid") or node.word("method") or node.word("username")
    node.password = node.word("password")
    match node.kind:
        case "vmess":
            node.params["encryption"] = node.word("security")
        case "vless":
            node.params["flow"] = node.word("flow")
        case "hysteria2":
            node.params |= {"obfs": node.word("obfs", "type"), "obfs-password": node.word("obfs", "password")}
        case "shadowsocks" if node.word("plugin"):
            node.params["plugin"] = f"{node.word('plugin')};{node.word('plugin_opts')}"
        case "socks" if node.word("version") in ("4", "4a"):
            node.kind = "socks4"


def _read_tls(node: Node) -> None:
    is_on = node.says("tls", "enabled")
    insecure = node.says("tls", "insecure")
    if node.kind == "http" and is_on:
        node.kind = "https-proxy"
        node.params |= {"verify": "no" if insecure else "", "sni": node.word("tls", "server_name")}
    if node.kind in _NO_TLS or node.kind == "https-proxy":
        return
    node.params |= {
        "sni": node.word("tls", "server_name"),
        "alpn": node.word("tls", "alpn"),
        "insecure": "1" if insecure else "",
    }
    if node.kind in _STREAMS:
        security = "tls" if is_on else "none"
        node.params["security"] = "reality" if node.says("tls", "reality", "enabled") else security


def _read_transport(node: Node) -> None:
    node.params |= {
        "type": node.word("transport", "type"),
        "path": node.word("transport", "path"),
        "host": node.word("transport", "headers", "Host") or node.word("transport", "host"),
    }


def _read_wireguard(node: Node) -> Iterator[Node]:
    common = {
        "privatekey": node.word("private_key"),
        "address": node.word("address") or node.word("local_address"),
    }
    several = items(node.find("peers"))
    for written in several:
        peer = Node.of(written, "wireguard")
        peer.host = peer.word("address").strip("[]") or peer.host
        peer.port = peer.word("port") or peer.word("server_port")
        peer.params = common | _read_peer(peer, peer.word("public_key"))
        yield peer
    if not several:
        node.params = common | _read_peer(node, node.word("peer_public_key"))
        yield node


def _read_peer(peer: Node, public_key: str) -> dict[str, str]:
    reserved = peer.word("reserved")
    return {"publickey": public_key, "presharedkey": peer.word("pre_shared_key"), "reserved": reserved}
