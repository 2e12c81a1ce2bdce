"""Wire formats and dialogues, sans-IO: bytes in, bytes out.

Here is the list of the dialogues: a new protocol is one module with a `SPEC`, and one line in `SPECS`.
"""

import functools
import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from probe.protocols.dialogue import DialogueSpec

SPECS: tuple[str, ...] = (
    "gateways.anyconnect",
    "proxies.anytls",
    "dtls",
    "gateways.fortigate",
    "gateways.global_protect",
    "proxies.http_proxy",
    "proxies.hysteria2",
    "ike.v1",
    "ike.v2",
    "l2tp",
    "proxies.naive",
    "tor.obfs4",
    "openvpn",
    "pptp",
    "quic_hello",
    "proxies.reality",
    "proxies.shadowsocks",
    "proxies.socks5",
    "gateways.softether",
    "ssh.dialogue",
    "gateways.sstp",
    "stun",
    "tor.relay",
    "proxies.trojan",
    "proxies.tuic",
    "proxies.vless",
    "proxies.vmess",
    "wireguard",
)
"""Modules under this folder, each with a `SPEC`; `module:NAME` where one module has several.

Names, not the values: a module is loaded when one of its targets is first read, because together they bring
QUIC, TLS and ciphers that an agent for web sites never needs.
"""


@functools.cache
def load_specs() -> "Mapping[str, DialogueSpec]":
    """Return every protocol by name.

    Raises:
        ValueError: two protocols share a name or a scheme.
    """
    specs: dict[str, DialogueSpec] = {}
    schemes: set[str] = set()
    for line in SPECS:
        module, _, name = line.partition(":")
        spec: DialogueSpec = getattr(importlib.import_module(f"probe.protocols.{module}"), name or "SPEC")
        if spec.name in specs or not schemes.isdisjoint(spec.schemes):
            raise ValueError(f"{line}: its name or one of its schemes is taken")
        specs[spec.name] = spec
        schemes.update(spec.schemes)
    return MappingProxyType(specs)


@functools.cache
def specs_by_scheme() -> "Mapping[str, DialogueSpec]":
    """Return every protocol by each scheme that people write for it."""
    return MappingProxyType({scheme: spec for spec in load_specs().values() for scheme in spec.schemes})
