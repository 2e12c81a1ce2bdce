"""Settings of whole clients as lists of their servers: Clash's YAML, sing-box's JSON, Shadowsocks' (SIP008 and older).

Each server becomes the share link that says the same, so that there is one reader of what a protocol wants.
Source: wiki.metacubex.one "proxies", sing-box.sagernet.org "Outbound", shadowsocks.org/doc/sip008. What steers a client
alone (groups, rules, resolvers) is passed over, and so is what is no server.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import msgspec

from probe.model.errors import UserError
from probe.model.written import Written, items
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.client_files.clash_proxies import read_clash
from probe.targets.client_files.server_node import Node
from probe.targets.client_files.sing_box_outbounds import read_sing_box
from probe.targets.hosts import bracket

_CLASH = re.compile(r"^proxies:", re.MULTILINE).search
_JSON_KEYS = ('"outbounds"', '"endpoints"', '"servers"', '"configs"', '"server_port"')
_QUOTED = re.compile(r"'[^']*'")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a client's settings."""

    line: int
    link: str
    """What says the same as a link; of what is not spoken its scheme alone."""


def is_settings(text: str) -> bool:
    """Tell whether a text is a client's settings."""
    start = text.lstrip()[:1]
    return _CLASH(text) is not None or (start == "{" and any(key in text for key in _JSON_KEYS))


def read_settings(text: str) -> tuple[Setting, ...]:
    """Return the servers.

    Raises:
        ValueError: it cannot be read, or is of another client; nothing is quoted.
    """
    try:
        # JSON may be indented by tabs, where YAML wants blanks; within its strings none can stand.
        root = read_yaml(text.replace("\t", " ") if text.lstrip().startswith("{") else text, "line")
    except UserError as error:
        raise ValueError(f"{error.where.replace(':', ' ')}: {_QUOTED.sub('…', error.what)}") from None
    if not isinstance(root.value, dict):
        raise ValueError("there is no server in it")
    found = tuple(Setting(line=node.line, link=build_link(node)) for node in _read_nodes(root.value))
    if not found:
        raise ValueError("there is no server in it that is written as Clash, sing-box or Shadowsocks have it")
    return found


def _read_nodes(root: dict[str, Written]) -> Iterator[Node]:
    if "proxies" in root:
        yield from read_clash(root["proxies"])
        return
    for key in ("outbounds", "endpoints"):
        if key in root:
            yield from read_sing_box(root[key])
    for key in ("servers", "configs"):
        yield from (_read_shadowsocks(one) for one in items(root.get(key)))
    if "server_port" in root and "method" in root:
        yield _read_shadowsocks(Written(value=root, line=root["server_port"].line))


def _read_shadowsocks(written: Written) -> Node:
    node = Node.of(written, "shadowsocks")
    plugin, options = node.word("plugin"), node.word("plugin_opts")
    node.user, node.password = node.word("method"), node.word("password")
    node.port = node.word("server_port")
    if plugin:
        node.params["plugin"] = f"{plugin};{options}" if options else plugin
    return node


_SCHEMES = {"shadowsocks": "ss", "socks": "socks5", "http": "http-proxy", "naive": "naive+https", "hy2": "hysteria2"}


def build_link(node: Node) -> str:
    """Return the share link of a server."""
    scheme = _SCHEMES.get(node.kind, node.kind)
    login = quote(node.user, safe="")
    if node.password:
        login = f"{login}:{quote(node.password, safe='')}" if login else quote(node.password, safe="")
    place = f"{bracket(node.host)}:{node.port}" if node.port else bracket(node.host)
    params = {key: value for key, value in node.params.items() if value}
    return f"{scheme}://{login}{'@' if login else ''}{place}" + (f"?{urlencode(params)}" if params else "")
