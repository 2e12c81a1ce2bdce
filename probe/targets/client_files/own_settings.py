"""Settings of clients that know one server alone: Hysteria 2, NaïveProxy, Trojan and TUIC.

Source: v2.hysteria.network/docs/advanced/Full-Client-Config, github.com/klzgrad/naiveproxy (USAGE.txt),
trojan-gfw.github.io/trojan/config, github.com/EAimTY/tuic (tuic-client's README).
"""

from collections.abc import Iterator

from probe.model.written import Written, words
from probe.targets.client_files.server_node import Node


def read_own(root: Written) -> Iterator[Node]:
    """Return the server of such settings; nothing where they are of another kind."""
    node = Node.of(root)
    if node.find("relay", "server") is not None:
        yield _read_tuic(Node.of(node.fields["relay"], "tuic"))
    elif node.find("remote_addr") is not None:
        yield _read_trojan(node)
    elif node.find("auth") is not None and node.find("server") is not None:
        yield _read_hysteria(node)


def find_naive(root: Written) -> tuple[tuple[int, str], ...]:
    """Return the links that NaïveProxy's settings hold as they are, by line."""
    proxy = Node.of(root).find("proxy")
    links = words(proxy)
    line = proxy.line if proxy is not None else 1
    return tuple((line, f"naive+{link}") for link in links if link.startswith(("https://", "quic://")))


def _read_tuic(relay: Node) -> Node:
    _split_place(relay, relay.word("server"))
    relay.user, relay.password = relay.word("uuid"), relay.word("password")
    relay.params = {"alpn": relay.word("alpn")}
    return relay


def _read_trojan(node: Node) -> Node:
    node.kind, node.host, node.port = "trojan", node.word("remote_addr").strip("[]"), node.word("remote_port")
    node.password = (words(node.find("password")) or [""])[0]
    checked = node.word("ssl", "verify").lower() != "false"
    node.params = {
        "sni": node.word("ssl", "sni"), "alpn": node.word("ssl", "alpn"), "insecure": "" if checked else "1",
    }  # fmt: skip
    return node


def _read_hysteria(node: Node) -> Node:
    node.kind = "hysteria2"
    _split_place(node, node.word("server"))
    node.password = node.word("auth")
    node.params = {
        "sni": node.word("tls", "sni"),
        "insecure": "1" if node.says("tls", "insecure") else "",
        "pinSHA256": node.word("tls", "pinSHA256"),
        "obfs": node.word("obfs", "type"),
        "obfs-password": node.word("obfs", "salamander", "password"),
    }
    return node


def _split_place(node: Node, place: str) -> None:
    """Take host and port apart; of ports to hop between the first is as good as any."""
    host, colon, ports = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, ports = place, ""
    node.host = host.strip("[]")
    node.port = ports.replace("-", ",").partition(",")[0]
