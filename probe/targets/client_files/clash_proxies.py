"""The servers of Clash's and Mihomo's YAML. Source: wiki.metacubex.one, "proxies"."""

from collections.abc import Iterator

from probe.model.written import Written, items, pairs
from probe.targets.client_files.server_node import CHAIN, Node

_NO_SERVERS = frozenset({"direct", "dns", "reject", "pass", "compatible", ""})
_BY_USER = frozenset({"vmess", "vless", "tuic"})
_AMNEZIA = "amnezia-wg-option"


def read_clash(proxies: Written) -> Iterator[Node]:
    """Return the servers in their order."""
    for written in items(proxies):
        node = Node.of(written)
        if node.kind in _NO_SERVERS:
            continue
        node.kind = {"ss": "shadowsocks", "hy2": "hysteria2"}.get(node.kind, node.kind)
        if node.word("dialer-proxy") not in ("", "DIRECT"):
            node.kind = CHAIN
            yield node
            continue
        if node.kind == "wireguard":
            yield from _read_wireguard(node)
            continue
        _read_login(node)
        _read_carrier(node)
        yield node


def _read_login(node: Node) -> None:
    node.password = node.word("password") or node.word("auth")
    match node.kind:
        case "shadowsocks":
            node.user = node.word("cipher")
            node.params["plugin"] = _read_plugin(node)
        case "socks5" | "http":
            node.user = node.word("username")
        case "vmess":
            node.params["encryption"] = node.word("cipher")
        case "hysteria2":
            node.params |= {"obfs": node.word("obfs"), "obfs-password": node.word("obfs-password")}
            node.params["pinSHA256"] = node.word("fingerprint")
    if node.kind in _BY_USER:
        node.user = node.word("uuid")
        node.password = node.password if node.kind == "tuic" else ""


def _read_plugin(node: Node) -> str:
    plugin = node.word("plugin")
    if plugin != "obfs":
        return plugin
    return f"obfs-local;obfs={node.word('plugin-opts', 'mode')};obfs-host={node.word('plugin-opts', 'host')}"


def _read_carrier(node: Node) -> None:
    if node.kind == "http" and node.says("tls"):
        node.kind = "https-proxy"
        node.params |= {"verify": "no" if node.says("skip-cert-verify") else "", "sni": node.word("sni")}
        return
    if node.kind in ("shadowsocks", "socks5", "http"):
        if node.says("tls"):
            node.params["tls"] = "1"  # which is refused, as it must be
        return
    node.params["sni"] = node.word("servername") or node.word("sni")
    node.params["alpn"] = node.word("alpn")
    node.params["insecure"] = "1" if node.says("skip-cert-verify") else ""
    if node.kind in ("vmess", "vless", "trojan"):
        _read_stream(node)


def _read_stream(node: Node) -> None:
    network = node.word("network")
    if network == "ws" and node.says("ws-opts", "v2ray-http-upgrade"):
        network = "httpupgrade"
    node.params |= {
        "type": network,
        "path": node.word("ws-opts", "path") or node.word("ws-path"),
        "host": node.word("ws-opts", "headers", "Host") or node.word("ws-headers", "Host"),
        "flow": node.word("flow"),
    }
    if node.find("reality-opts") is not None:
        node.params["security"] = "reality"
    elif node.kind != "trojan":
        node.params["security"] = "tls" if node.says("tls") else "none"


def _read_wireguard(node: Node) -> Iterator[Node]:
    addresses = [one for one in (node.word("ip"), node.word("ipv6")) if one]
    common = {name: node.word(_AMNEZIA, name) for name in pairs(node.find(_AMNEZIA))}
    common |= {"privatekey": node.word("private-key"), "address": ",".join(addresses)}
    for peer in [Node.of(one, "wireguard") for one in items(node.find("peers"))] or [node]:
        peer.params = common | {
            "publickey": peer.word("public-key"),
            "presharedkey": peer.word("pre-shared-key"),
            "reserved": peer.word("reserved"),
        }
        yield peer
