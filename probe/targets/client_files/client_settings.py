"""Settings of whole clients as lists of their servers: Clash's YAML, JSON of sing-box, Xray and Shadowsocks, others.

Each server becomes the share link that says the same, so that there is one reader of what a protocol wants.
Source: wiki.metacubex.one "proxies", sing-box.sagernet.org "Outbound", shadowsocks.org/doc/sip008; the modules that are
called here name those of the other clients. What steers a client alone (groups, rules, resolvers) is passed over, and
so is what is no server.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import msgspec

from probe.model.errors import UserError
from probe.model.written import Written, items, pairs, words
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.client_files.clash_proxies import read_clash
from probe.targets.client_files.json_comments import blank_comments, is_json
from probe.targets.client_files.own_settings import find_naive, read_own
from probe.targets.client_files.server_node import Node
from probe.targets.client_files.sing_box_outbounds import read_sing_box
from probe.targets.client_files.xray_outbounds import read_xray
from probe.targets.hosts import bracket

_CLASH = re.compile(r"""^(?:proxies|"proxies"|'proxies'):""", re.MULTILINE).search
_HYSTERIA = tuple(re.compile(rf"^{key}:[ \t]*\S", re.MULTILINE).search for key in ("server", "auth"))
_JSON_KEYS = re.compile(
    r'"(?:outbounds|endpoints|servers|configs|server_port|proxies|remote_addr|relay|proxy|auth|vnext)"[ \t\r\n]*:'
).search
_QUOTED = re.compile(r"'[^']*'")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a client's settings."""

    line: int
    link: str
    """What says the same as a link; of what is not spoken its scheme alone."""


def is_settings(text: str) -> bool:
    """Tell whether a text is a client's settings."""
    if is_json(text):
        return _JSON_KEYS(text) is not None
    return _CLASH(text) is not None or all(find(text) for find in _HYSTERIA)


def read_settings(text: str) -> tuple[Setting, ...]:
    """Return the servers.

    Raises:
        ValueError: it cannot be read, or is of another client; nothing is quoted.
    """
    try:
        # JSON may be indented by tabs, where YAML wants blanks; within its strings none can stand.
        root = read_yaml(blank_comments(text) if is_json(text) else text, "line")
    except UserError as error:
        raise ValueError(f"{error.where.replace(':', ' ')}: {_QUOTED.sub('…', error.what)}") from None
    # Some subscriptions are a list of whole settings, and some a list of servers.
    parts = items(root) or (root,)
    found = [Setting(line=node.line, link=build_link(node)) for part in parts for node in _read_nodes(part)]
    found += [Setting(line=line, link=link) for part in parts for line, link in find_naive(part)]
    if not found:
        raise ValueError("there is no server in it that is written as Clash, sing-box, Xray or Shadowsocks have it")
    return tuple(found)


def _read_nodes(part: Written) -> Iterator[Node]:
    """Return the servers of one client's settings, or the server that stands there alone."""
    root = pairs(part)
    if "proxies" in root:
        yield from read_clash(root["proxies"])
        return
    for key in ("outbounds", "endpoints"):
        if key in root:
            yield from _read_outbounds(root[key])
    for key in ("servers", "configs"):
        for one in items(root.get(key)):
            yield from _read_shadowsocks(one)
    if "server_port" in root and "method" in root and "type" not in root:
        yield from _read_shadowsocks(part)
    elif {"protocol", "settings"} <= root.keys() or {"type", "server_port"} <= root.keys():
        yield from _read_outbounds(Written(value=(part,), line=part.line))
    else:
        yield from read_own(part)


def _read_outbounds(outbounds: Written) -> Iterator[Node]:
    """Return the servers of what sing-box and Xray both call so: the former says its type, the latter its protocol."""
    is_xray = any("protocol" in pairs(one) for one in items(outbounds))
    yield from read_xray(outbounds) if is_xray else read_sing_box(outbounds)


def _read_shadowsocks(written: Written) -> Iterator[Node]:
    """Return a server; where several names stand in one place, each of them."""
    for host in words(pairs(written).get("server")) or [""]:
        node = Node.of(written, "shadowsocks")
        node.host = host.strip("[]")
        plugin, options = node.word("plugin"), node.word("plugin_opts")
        node.user, node.password = node.word("method"), node.word("password")
        node.port = node.word("server_port")
        if plugin:
            node.params["plugin"] = f"{plugin};{options}" if options else plugin
        yield node


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
