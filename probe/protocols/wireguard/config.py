"""Reads `wg0.conf` as people have it, AmneziaWG's additions included, and links of the kind `wireguard://`.

Source: wg(8) "CONFIGURATION FILE FORMAT", wg-quick(8). Errors name lines and keys, never values.
"""

import base64
import binascii
import re

from probe.protocols.dialogue import Parsed
from probe.protocols.wireguard.noise import KEY_BYTES
from probe.protocols.wireguard.shape import DECOYS, make_decoy, read_shape
from probe.protocols.wireguard.shape import PARAMS as SHAPE_PARAMS
from probe.protocols.wireguard.tunnel import choose_inner
from probe.protocols.written.link import split_link

DEFAULT_PORT = 51820
_SECTION = re.compile(r"^[ \t]*\[(\w+)\][ \t]*(?:[#;].*)?\r?$", re.MULTILINE)
_KEYS = {"private_key": "PrivateKey", "preshared_key": "PresharedKey", "public_key": "PublicKey"}
_SECRETS = {"privatekey": "private_key", "presharedkey": "preshared_key"}
_PUBLIC = {"publickey": "public_key", "peerpublickey": "public_key", "address": "address", "ip": "address"} | {
    name: name for name in (*SHAPE_PARAMS, "ping", "depth")
}
_PASSED_OVER = re.compile(
    r"mtu|keepalive|persistentkeepalive|allowedips|dns|workers|name|label|remarks?|flag|tfo|udp|obfs|obfsparam|itime"
    r"|j[1-3]|ifp\w*|wnoise\w*|enableamnezia"
).fullmatch
"""What only steers a client; of AmneziaWG what its first packets do not depend on."""
_MOST_PEERS = 64


def decode_key(text: str) -> bytes:
    """Return a key as `wg genkey` writes it.

    Raises:
        ValueError: it is none; it is not quoted.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("a WireGuard key is 44 characters of base64, 32 bytes")
    return key


def is_config(text: str) -> bool:
    """Tell whether a `.conf` file is WireGuard's: so many others end like this."""
    sections = {name.lower() for name in _SECTION.findall(text)}
    return {"interface", "peer"} <= sections


def parse_config(text: str) -> tuple[Parsed, ...]:
    """Read a client's file: one endpoint for each peer that has one.

    Raises:
        ValueError: it is no client's file.
    """
    interface: dict[str, str] = {}
    peers: list[dict[str, str]] = []
    section: dict[str, str] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = "" if raw.lstrip().startswith(";") else raw.partition("#")[0].strip()
        heading = _SECTION.match(line)
        if heading is not None:
            section = interface if heading[1].lower() == "interface" else {}
            if heading[1].lower() == "peer":
                peers.append(section)
        elif line:
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or section is None:
                raise ValueError(f"line {number} is no `Key = value` of a section")
            name = key.lower()
            known = name in ("address", "dns", "allowedips") and name in section
            section[name] = f"{section[name]},{value}" if known else value
    found = tuple(_endpoint(interface, peer) for peer in peers[:_MOST_PEERS] if peer.get("endpoint"))
    if not found:
        raise ValueError("no [Peer] has an Endpoint, so there is nobody to speak to")
    return found


def _endpoint(interface: dict[str, str], peer: dict[str, str]) -> Parsed:
    host, colon, port = peer["endpoint"].rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("an Endpoint is not written host:port")
    params = {name: interface[name] for name in sorted(SHAPE_PARAMS) if interface.get(name)}
    params["public_key"] = peer.get("publickey", "")
    if interface.get("address"):
        params["address"] = interface["address"].replace(" ", "")
    servers = [one.strip() for one in interface.get("dns", "").split(",")]
    literals = [one for one in servers if re.fullmatch(r"[0-9a-fA-F.:]+", one)]
    if literals:
        params["ping"] = ",".join(literals)
    secrets = {name: interface.get(key) or peer.get(key, "") for key, name in _SECRETS.items()}
    secrets |= {name: interface.get(name, "") for name in DECOYS}
    secrets = {name: value for name, value in secrets.items() if value}
    _check(params, secrets)
    return Parsed(host=host.removeprefix("[").removesuffix("]"), port=int(port), params=params, secrets=secrets)


def parse_link(text: str) -> Parsed:
    """Read `wireguard://PRIVATE-KEY@host:port?publickey=…&address=…&presharedkey=…`, as several clients write it.

    Raises:
        ValueError: it is no such link.
    """
    link = split_link(text, DEFAULT_PORT)
    params: dict[str, str] = {}
    secrets: dict[str, str] = {}
    if link.user:
        # Base64 has plus signs, which read as blanks where they were not escaped. All in front of @ is the key.
        secrets["private_key"] = link.user.replace(" ", "+")
    if link.repeated:
        raise ValueError(f"{min(link.repeated)[:40]} is given twice")
    for given, value in link.params.items():
        if not value:
            continue
        name = given.lower().replace("_", "").replace("-", "")
        if name in _SECRETS:
            secrets[_SECRETS[name]] = value.replace(" ", "+")
        elif name in DECOYS:
            secrets[name] = value
        elif name in _PUBLIC:
            params[_PUBLIC[name]] = value.replace(" ", "+") if name.endswith("publickey") else value
        elif not _PASSED_OVER(name):
            raise ValueError(f"unknown {given}")
    _check(params, secrets)
    return Parsed(host=link.host, port=link.port, params=params, secrets=secrets, label=link.label)


def _check(params: dict[str, str], secrets: dict[str, str]) -> None:
    """Hold every value to what it must be.

    Raises:
        ValueError: one is not.
    """
    if not params.get("public_key"):
        raise ValueError("the server's public key is missing")
    for name, key in {"public_key": params["public_key"], **secrets}.items():
        if name in _KEYS:
            try:
                decode_key(key)
            except ValueError as error:
                raise ValueError(f"{_KEYS[name]}: {error}") from None
    for name in DECOYS:
        if name in secrets:
            make_decoy(secrets[name], bytes, 0.0)
    read_shape(params)
    try:
        choose_inner(params.get("address", ""), params.get("ping", ""))
    except ValueError:
        raise ValueError("Address or ping is no IP address") from None
