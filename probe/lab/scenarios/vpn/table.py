"""Tunnels as targets: what a filter does to them, what is the server's own, and what cannot be told apart.

Source: Xue et al. 2022 and Wu et al. 2023 (USENIX Security); net4people/bbs 274 and 490.
With a control and proven credentials most of it can be said; without proof silence is never more than insufficient.
"""

import msgspec

from probe.lab.censor.rules import Drop, Finish, Opening, Reset, Speaks, Then, ToAddress
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Build, Outcome, Proven, Scenario, Speak, Symptom, Truth
from probe.lab.scenarios.parts import FINE, gone, own_doing, rules, works
from probe.lab.scenarios.vpn.flows import VPN_FLOWS
from probe.lab.scenarios.vpn.logins import VPN_LOGINS
from probe.lab.scenarios.vpn.others import (
    WIREGUARD,
    socks_wants_login,
    socks_works,
    ssh_freezes,
    ssh_works,
    vmess_wrong_clock,
)
from probe.lab.scenarios.vpn.parts import (
    IKE_PORT,
    OPENVPN_PORT,
    Key,
    certain,
    likely,
    mute,
    openvpn_file,
    openvpn_server,
    tunnel_scenario,
    untold,
    without,
)
from probe.lab.scenarios.vpn.shadowsocks import SHADOWSOCKS
from probe.lab.scenarios.vpn.sing_box import VPN_SING_BOX
from probe.lab.scenarios.vpn.strongswan import VPN_STRONGSWAN
from probe.lab.scenarios.vpn.traps import VPN_TRAPS
from probe.lab.world.plan import Service, World
from probe.model.pattern import Pattern
from probe.model.verdict import Status

UDP = 17
DATA_PACKETS = 2
BEFORE, ELSEWHERE, NO = Proven.BEFORE, Proven.ELSEWHERE, Proven.NO
RESET: Then = Reset(in_path=True, ip_ttl=59)
HANDSHAKE, RST, ENDPOINT = Pattern.VPN_HANDSHAKE_DROP, Pattern.VPN_RESET, Pattern.VPN_ENDPOINT_BLOCK
BURNED = Pattern.VPN_BURNED


class _Plain(msgspec.Struct, frozen=True, kw_only=True):
    """OpenVPN or IKEv2 without keys, at the stand-in of the standard world."""

    name: str
    about: str
    truth: Truth
    scheme: str = "openvpn"
    port: int = OPENVPN_PORT
    over_tcp: bool = False
    when: str = ""
    """`signature`, `here`, `port`, `address`, `syn`, `udp` or nothing."""
    then: Then = Drop()
    proven: Proven = NO
    now: str = ""
    """What is at the place: empty = as before, `closed`, `mute`, `gone`."""

    def __call__(self, world: World) -> Scenario:
        site = world.sites["tunnel"]
        address = site.v4[0]
        tail = "?proto=tcp" if self.over_tcp else ""
        return tunnel_scenario(
            self.name,
            self.about,
            self._world(world),
            f"{self.scheme}://{address}:{self.port}{tail}",
            self.truth,
            rules=rules(*self._rules(address)),
            symptoms=(self._symptom(address), *works(world.sites["anchor2"])),
            proven=self.proven,
            proven_world=world,
        )

    def _symptom(self, address: str) -> Symptom:
        """Return what the tunnel's first packet meets."""
        trial = Speak(
            address=address,
            port=self.port,
            signature=Signature.IKEV2 if self.scheme == "ikev2" else Signature.OPENVPN,
            over_tcp=self.over_tcp,
        )
        if self.when == "syn" or self.now == "closed":
            return Symptom(trial=trial, outcome=Outcome.REFUSED)
        if not self.when and not self.now:
            return Symptom(trial=trial, outcome=Outcome.OK)
        ended = {Reset: Outcome.RESET, Finish: Outcome.END}.get(type(self.then), Outcome.SILENCE)
        return Symptom(trial=trial, outcome=ended)

    def _world(self, world: World) -> World:
        match self.now:
            case "closed":
                return without(world, self.port, over_tcp=self.over_tcp)
            case "mute":
                # What listens for another protocol has nothing to say to this one.
                other = Service(port=self.port, speaks=Signature.WIREGUARD, over_tcp=self.over_tcp)
                return mute(world, self.port, over_tcp=self.over_tcp, service=other)
            case "gone":
                return world.change("tunnel", is_up=False)
            case _:
                return world

    def _rules(self, address: str) -> tuple[CensorRule, ...]:
        signature = Signature.IKEV2 if self.scheme == "ikev2" else Signature.OPENVPN
        here = (f"{address}/32",)
        match self.when:
            case "signature":
                return (
                    CensorRule(id="s", when=Speaks(signatures=(signature,), over_tcp=self.over_tcp), then=self.then),
                )
            case "here":
                when = Speaks(signatures=(signature,), over_tcp=self.over_tcp, prefixes=here)
                return (CensorRule(id="s", when=when, then=self.then),)
            case "port":
                proto = 6 if self.over_tcp else UDP
                return (
                    CensorRule(
                        id="p", when=ToAddress(prefixes=here, ports=(self.port,), protocols=(proto,)), then=self.then
                    ),
                )  # fmt: skip
            case "address":
                return (CensorRule(id="a", when=ToAddress(prefixes=here), then=self.then),)
            case "syn":
                return (CensorRule(id="o", when=Opening(prefixes=here, ports=(self.port,)), then=self.then),)
            case "udp":
                when_udp = ToAddress(protocols=(UDP,), except_ports=(53,))
                return (CensorRule(id="u", when=when_udp, then=self.then),)
            case _:
                return ()


def _tls_crypt(
    name: str,
    about: str,
    truth: Truth,
    proto: str,
    *,
    then: Then | None = None,
    after_packets: int = 0,
    proven: Proven = NO,
    server: Key = Key.RIGHT,
    user: Key = Key.RIGHT,
) -> Build:
    """Return a scenario with Debian's openvpn behind tls-crypt."""

    def build(world: World) -> Scenario:
        address = world.sites["tunnel"].v4[0]
        emptied = without(world, OPENVPN_PORT, over_tcp=proto == "tcp")
        when = Speaks(signatures=(Signature.OPENVPN,), over_tcp=proto == "tcp", after_packets=after_packets)
        return tunnel_scenario(
            name,
            about,
            emptied,
            "office.ovpn",
            truth,
            rules=rules(CensorRule(id="s", when=when, then=then)) if then is not None else None,
            symptoms=works(world.sites["anchor2"]),
            servers=(openvpn_server(address, proto=proto, key=server),),
            proven=proven,
            proven_servers=(openvpn_server(address, proto=proto),),
            file=openvpn_file(address, proto=proto, key=user),
        )

    return build


def _udp(name: str, about: str, truth: Truth, when: str = "", **more: object) -> _Plain:
    return _Plain(name=f"openvpn-udp-{name}", about=about, truth=truth, when=when, **more)  # type: ignore[arg-type]


def _tcp(name: str, about: str, truth: Truth, when: str = "", **more: object) -> _Plain:
    return _Plain(name=f"openvpn-tcp-{name}", about=about, truth=truth, when=when, over_tcp=True, **more)  # type: ignore[arg-type]


def _ike(name: str, about: str, truth: Truth, when: str = "", **more: object) -> _Plain:
    return _Plain(
        name=f"ikev2-{name}", about=about, truth=truth, when=when, scheme="ikev2", port=IKE_PORT, **more  # type: ignore[arg-type]
    )  # fmt: skip


def _real(name: str) -> str:
    return f"tls-crypt-{name}"


VPN: tuple[Build, ...] = (
    _udp("works", "OpenVPN answers over UDP; nothing is wrong", FINE),
    _tcp("works", "OpenVPN answers over TCP; nothing is wrong", FINE),
    _ike("works", "IKEv2 answers; nothing is wrong", FINE),
    _tls_crypt(_real("udp-works"), "OpenVPN behind tls-crypt proves itself over UDP", FINE, "udp"),
    _tls_crypt(_real("tcp-works"), "OpenVPN behind tls-crypt proves itself over TCP", FINE, "tcp"),
    socks_works,
    ssh_works,
    _udp(
        "drop",
        "flows that begin as OpenVPN's are dropped; it worked before",
        likely(HANDSHAKE),
        "signature",
        proven=BEFORE,
    ),
    _udp("drop-two-ways", "the same, and it works elsewhere", certain(HANDSHAKE), "signature", proven=ELSEWHERE),
    _udp("drop-unproven", "the same, and nobody ever saw it work", untold(likely(HANDSHAKE)), "signature"),
    _tcp("drop", "connections that begin as OpenVPN's are dropped", likely(HANDSHAKE), "signature", proven=BEFORE),
    _tcp("reset", "connections that begin as OpenVPN's are reset", likely(RST), "signature", then=RESET, proven=BEFORE),
    _tcp("fin", "they are ended by a forged FIN", likely(RST), "signature", then=Finish(), proven=BEFORE),
    _tcp(
        "reset-two-ways",
        "they are reset, and it works elsewhere",
        certain(RST),
        "signature",
        then=RESET,
        proven=ELSEWHERE,
    ),
    _tcp("reset-unproven", "they are reset, and nobody ever saw it work", untold(likely(RST)), "signature", then=RESET),
    _ike("drop", "flows that begin as IKEv2's are dropped", likely(HANDSHAKE), "signature", proven=BEFORE),
    _ike("drop-two-ways", "the same, and it works elsewhere", certain(HANDSHAKE), "signature", proven=ELSEWHERE),
    _udp("endpoint", "this server's OpenVPN alone is dropped", likely(ENDPOINT), "here", proven=ELSEWHERE),
    _tcp("endpoint", "this server's OpenVPN alone is reset", likely(ENDPOINT), "here", then=RESET, proven=ELSEWHERE),
    _udp(
        "endpoint-used",
        "this server's OpenVPN alone is dropped after it was used; a control greets it",
        likely(BURNED, ENDPOINT),
        "here",
        proven=BEFORE,
    ),
    _udp("port", "one UDP port of one address is dropped", likely(ENDPOINT), "port", proven=ELSEWHERE),
    _tcp("port", "one TCP port of one address is dropped", likely(Pattern.IP_PORT_DROP, BURNED), "port", proven=BEFORE),
    _udp("burned-port", "a server's port is dropped after it was used", likely(BURNED), "port", proven=Proven.BOTH),
    _udp(
        "burned-address",
        "a server's address is dropped after it was used",
        likely(BURNED, Pattern.IP_DROP),
        "address",
        proven=Proven.BOTH,
    ),
    _udp(
        "address",
        "all that goes to the server's address is dropped",
        likely(Pattern.IP_DROP),
        "address",
        proven=ELSEWHERE,
    ),
    _tcp(
        "address",
        "all that goes to the server's address is dropped",
        likely(Pattern.IP_DROP, BURNED),
        "address",
        proven=BEFORE,
    ),
    _tcp(
        "rst-to-syn",
        "SYNs to the server's port are reset",
        likely(Pattern.TCP_RST_SYN),
        "syn",
        then=RESET,
        proven=BEFORE,
    ),
    _udp("udp-off", "no UDP passes but DNS", likely(Pattern.IP_PROTO_DROP), "udp", proven=BEFORE),
    _udp(
        "udp-off-unproven",
        "no UDP passes but DNS, and nobody ever saw it work",
        untold(likely(Pattern.IP_PROTO_DROP)),
        "udp",
    ),
    _tls_crypt(
        _real("udp-drop"), "tls-crypt over UDP is dropped", likely(HANDSHAKE), "udp", then=Drop(), proven=BEFORE
    ),
    _tls_crypt(_real("tcp-reset"), "tls-crypt over TCP is reset", likely(RST), "tcp", then=RESET, proven=BEFORE),
    _tls_crypt(
        _real("data-drop"),
        f"OpenVPN's flow is dropped after {DATA_PACKETS} packets: the certificate never comes",
        likely(Pattern.VPN_DATA_DROP),
        "udp",
        then=Drop(),
        after_packets=DATA_PACKETS,
        proven=ELSEWHERE,
    ),
    ssh_freezes,
    _udp(
        "closed",
        "nobody listens at the port any more",
        untold(gone(Pattern.SRV_DOWN), Status.IMPAIRED),
        now="closed",
        proven=BEFORE,
    ),
    _tcp(
        "closed",
        "nobody listens at the port any more",
        gone(Pattern.SRV_DOWN, seen=(Pattern.TCP,)),
        now="closed",
        proven=BEFORE,
    ),
    _tcp("gone", "the host is gone", gone(Pattern.SRV_DOWN, seen=(Pattern.IP,)), now="gone", proven=BEFORE),
    _udp("gone", "the host is gone", untold(gone(Pattern.SRV_DOWN), Status.IMPAIRED), now="gone", proven=BEFORE),
    _udp(
        "silent",
        "a server that is silent, as one that counts half-open sessions or replayed stamps is",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        now="mute",
        proven=BEFORE,
    ),
    _ike(
        "half-open",
        "the server answers no more, as strongSwan does after five half-open sessions",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        now="mute",
        proven=BEFORE,
    ),
    _ike(
        "counts-sessions",
        "the server is silent to our address alone, as strongSwan is to one with five sessions half open",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        "here",
        proven=BEFORE,
    ),
    _ike(
        "silent-unproven", "a silent server, and nobody ever saw it answer", untold(own_doing(Pattern.VPN)), now="mute"
    ),
    _tls_crypt(
        _real("wrong-key-udp"),
        "a wrong tls-crypt key: the server is silent",
        untold(own_doing(Pattern.VPN)),
        "udp",
        user=Key.WRONG,
    ),
    _tls_crypt(
        _real("wrong-key-tcp"),
        "a wrong tls-crypt key: the server hangs up",
        untold(own_doing(Pattern.VPN)),
        "tcp",
        user=Key.WRONG,
    ),
    _tls_crypt(
        _real("key-changed"),
        "the server's key was changed since it last worked",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        "udp",
        server=Key.WRONG,
        proven=BEFORE,
    ),
    socks_wants_login,
    vmess_wrong_clock,
    *WIREGUARD,
    *SHADOWSOCKS,
    *VPN_FLOWS,
    *VPN_LOGINS,
    *VPN_SING_BOX,
    *VPN_STRONGSWAN,
    *VPN_TRAPS,
)
"""Those with a server of Debian's need it installed."""
