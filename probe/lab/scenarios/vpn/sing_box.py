"""Proxies of today, with sing-box at the other end: blocked by name, by looks, by port or after some bytes, or by none.

Source: net4people/bbs 490 (frozen after 15 to 20 KB); Wu et al. 2023; Zohaib et al. 2025 (QUIC by server name).
"""

import json
import uuid
from collections.abc import Mapping

import msgspec

from probe.lab.censor.rules import Drop, FirstBytes, NamesQuicServer, NamesServer, Reset, Then, ToAddress, Volume, When
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.scenarios.model import Build, Client, Proven, Scenario, Server, Truth
from probe.lab.scenarios.parts import FINE, own_doing, rules
from probe.lab.scenarios.vpn.parts import Key, likely, tunnel_scenario, untold
from probe.lab.sing_box import NAME
from probe.lab.world.plan import World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

PORT = 8643
UDP = 17
FREEZES_AFTER = 16_000
PATIENCE = "5s"
USER, STRANGER = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))
KEY_2022 = "AAECAwQFBgcICQoLDA0ODw=="
RESET: Then = Reset(in_path=True, ip_ttl=59)
BEFORE, ELSEWHERE, NO = Proven.BEFORE, Proven.ELSEWHERE, Proven.NO
LATE = Client(
    environment={
        "LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1",
        "FAKETIME": "-600s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
)
"""A host whose clock is ten minutes slow."""
_AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"


def sing_box(inbound: Mapping[str, object]) -> Server:
    """Return it with one inbound, whose clients it connects to whatever they ask for."""
    config = {
        "log": {"level": "info"},
        "inbounds": [inbound],
        "outbounds": [{"type": "direct", "tag": "out"}],
    }
    # Nobody may not enter the folder in which it is installed.
    up = (
        "touch '{folder}/sing-box' && mount --bind '{sing_box}' '{folder}/sing-box' && cd / || exit; "
        f"as='{_AS_NOBODY}'; $as true 2>/dev/null || as=; "
        "exec $as '{folder}/sing-box' run -c '{folder}/sing-box.json'"
    )
    return Server(
        program="unshare", words=("-m", "sh", "-c", up), files={"sing-box.json": json.dumps(config)},
        says="sing-box started", needs=(NAME, "setpriv"),
    )  # fmt: skip


def in_tls(**more: object) -> dict[str, object]:
    """Return the `tls` part of an inbound with the certificate that vouches for itself."""
    place = "{folder}/tunnel-"
    return {"enabled": True, "certificate_path": f"{place}certificate.pem", "key_path": f"{place}key.pem", **more}


def _inbound(protocol: str, address: str, password: str) -> dict[str, object]:
    """Return what sing-box has for this protocol; of QUIC and TLS with the certificate that vouches for itself."""
    inbound: dict[str, object] = {"type": protocol, "listen": address, "listen_port": PORT}
    match protocol:
        case "shadowsocks":
            return inbound | {"method": "2022-blake3-aes-128-gcm", "password": password}
        case "vmess":
            return inbound | {"users": [{"uuid": password}]}
        case "vless":
            return inbound | {"users": [{"uuid": password}], "tls": in_tls()}
        case "tuic":
            users = [{"uuid": USER, "password": password}]
            return inbound | {"users": users, "tls": in_tls(alpn=["h3"])}
        case "hysteria2":
            return inbound | {"users": [{"password": password}], "tls": in_tls(alpn=["h3"])}
        case _:
            return inbound | {"users": [{"password": password}], "tls": in_tls()}


def _link(protocol: str, address: str, relay: str, name: str, password: str, depth: str) -> str:
    """Return its user's link: TLS by this name where it is in TLS, and a destination that it can reach."""
    tail = f"sni={name}&insecure=1&relay={relay}:443" + (f"&depth={depth}" if depth else "")
    match protocol:
        case "shadowsocks":
            return f"ss://2022-blake3-aes-128-gcm:{password}@{address}:{PORT}?relay={relay}:443\n"
        case "vmess":
            return f"vmess://{password}@{address}:{PORT}?encryption=auto&security=none&relay={relay}:443\n"
        case "vless":
            return f"vless://{password}@{address}:{PORT}?security=tls&{tail}\n"
        case "tuic":
            return f"tuic://{USER}:{password}@{address}:{PORT}?{tail}\n"
        case _:
            return f"{protocol}://{password}@{address}:{PORT}?{tail}\n"


_SECRETS = {"shadowsocks": (KEY_2022, "DwAODQwLCgkIBwYFBAMCAQ=="), "vmess": (USER, STRANGER), "vless": (USER, STRANGER)}
"""A right one and a wrong one, where not any word will do."""


class _SingBox(msgspec.Struct, frozen=True, kw_only=True):
    """A tunnel to sing-box."""

    name: str
    about: str
    protocol: str
    truth: Truth
    when: str = ""
    """`name`, `quic-name`, `looks`, `port`, `quic` or `volume`; empty = nothing is done to it."""
    then: Then = Drop()
    proven: Proven = NO
    user: Key = Key.RIGHT
    server: Key = Key.RIGHT
    depth: str = ""
    client: Client | None = None
    needs: tuple[str, ...] = ()

    def __call__(self, world: World) -> Scenario:
        site = world.sites["tunnel"]
        address, relay = site.v4[0], world.sites["anchor2"].v4[0]
        link = _link(self.protocol, address, relay, site.name, self._secret(self.user), self.depth)
        when = self._when(address, site.name)
        scenario = tunnel_scenario(
            self.name, self.about, world, "links.txt", self.truth,
            rules=rules(CensorRule(id="r", when=when, then=self.then)) if when is not None else None,
            servers=(self._server(address, self.server),), proven=self.proven,
            proven_servers=(self._server(address, Key.RIGHT),),
            patience=PATIENCE, file=link,
        )  # fmt: skip
        return scenario if self.client is None else msgspec.structs.replace(scenario, client=self.client)

    def _server(self, address: str, key: Key) -> Server:
        server = sing_box(_inbound(self.protocol, address, self._secret(key)))
        return msgspec.structs.replace(server, needs=(*server.needs, *self.needs))

    def _secret(self, key: Key) -> str:
        right, wrong = _SECRETS.get(self.protocol, (Key.RIGHT.value, Key.WRONG.value))
        return right if key is Key.RIGHT else wrong

    def _when(self, address: str, name: str) -> When | None:
        here = (f"{address}/32",)
        match self.when:
            case "name":
                return NamesServer(names=(name,))
            case "quic-name":
                return NamesQuicServer(names=(name,))
            case "looks":
                return FirstBytes(fully_encrypted=True)
            case "port":
                return ToAddress(prefixes=here, ports=(PORT,))
            case "quic":
                return NamesQuicServer(names=("*",))
            case "volume":
                return Volume(after_bytes=FREEZES_AFTER, prefixes=here)
            case _:
                return None


VPN_SING_BOX: tuple[Build, ...] = (
    _SingBox(name="anytls-works", about="an AnyTLS server relays; nothing is wrong", protocol="anytls", truth=FINE),
    _SingBox(
        name="tuic-works", about="a TUIC server relays; nothing is wrong", protocol="tuic", truth=FINE, depth="data"
    ),
    _SingBox(
        name="trojan-sni-reset", about="the name that a Trojan server hides behind is reset; it works elsewhere",
        protocol="trojan", truth=likely(Pattern.TLS_RESET_SNI), when="name", then=RESET, proven=ELSEWHERE,
    ),
    _SingBox(
        name="anytls-port", about="an AnyTLS server's port is dropped; it works elsewhere", protocol="anytls",
        truth=likely(Pattern.IP_PORT_DROP), when="port", proven=ELSEWHERE,
    ),
    _SingBox(
        name="vless-sni-drop", about="the name that a VLESS server hides behind is dropped; it worked here before",
        protocol="vless", truth=untold(likely(Pattern.TLS_TIMEOUT_SNI), Status.IMPAIRED),
        when="name", proven=BEFORE,
    ),
    _SingBox(
        name="vmess-entropy", about="connections that look fully encrypted are dropped, and VMess is one of them",
        protocol="vmess", truth=likely(Pattern.FLOW_ENTROPY), when="looks", proven=BEFORE,
    ),
    _SingBox(
        name="vless-freezes-here", about="connections to this server freeze after 16 KB, TLS as they are",
        protocol="vless", truth=likely(Pattern.FLOW_FREEZE), when="volume", proven=ELSEWHERE, depth="volume",
    ),
    _SingBox(
        name="hysteria2-port", about="a Hysteria 2 server's port is dropped, and it works elsewhere",
        protocol="hysteria2", truth=likely(Pattern.VPN_ENDPOINT_BLOCK), when="port", proven=ELSEWHERE,
    ),
    _SingBox(
        name="hysteria2-sni-drop", about="QUIC by the name that a Hysteria 2 server hides behind is dropped",
        protocol="hysteria2", truth=likely(Pattern.QUIC_TIMEOUT_SNI, seen=(Pattern.VPN,)), when="quic-name",
        proven=ELSEWHERE,
    ),
    _SingBox(
        name="tuic-quic-off", about="all QUIC is dropped, and TUIC is QUIC; it works elsewhere", protocol="tuic",
        truth=likely(Pattern.QUIC_ALL, seen=(Pattern.VPN,)), when="quic", proven=ELSEWHERE,
    ),
    _SingBox(
        name="hysteria2-wrong-password", about="a wrong password: the server behaves as a web site",
        protocol="hysteria2", truth=own_doing(Pattern.SRV_AUTH_FAILED), user=Key.WRONG, depth="data",
    ),
    _SingBox(
        name="vless-wrong-user", about="a user that the server does not know: it hangs up", protocol="vless",
        truth=untold(own_doing(Pattern.VPN)), user=Key.WRONG,
    ),
    _SingBox(
        name="shadowsocks-2022-key-changed", about="the key was changed since it last worked: the server resets us",
        protocol="shadowsocks", truth=untold(own_doing(Pattern.VPN), Status.IMPAIRED), server=Key.WRONG, proven=BEFORE,
    ),
    _SingBox(
        name="vmess-clock-slow", about="our clock is ten minutes slow: the server takes us for a stranger",
        protocol="vmess", truth=Truth(status=Status.IMPAIRED, patterns=(Pattern.NET_CLOCK,), cause=Cause.LOCAL),
        client=LATE, needs=("faketime",),
    ),
)  # fmt: skip
"""They need sing-box installed, the last one faketime as well."""
