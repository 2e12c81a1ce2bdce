"""Tunnels as targets: what a filter does to them, what is the server's own, and what cannot be told apart.

Source: Xue et al. 2022 and Wu et al. 2023 (USENIX Security); net4people/bbs 274 and 490.
With a control and proven credentials most of it can be said; without proof silence is never more than insufficient.
"""

from probe.lab.censor.rules import Drop, Finish, Reset, Speaks, Then
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Build, Proven, Scenario, Truth
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
    OPENVPN_PORT,
    Key,
    certain,
    likely,
    openvpn_file,
    openvpn_server,
    tunnel_scenario,
    untold,
    without,
)
from probe.lab.scenarios.vpn.shadowsocks import SHADOWSOCKS
from probe.lab.scenarios.vpn.sing_box import VPN_SING_BOX
from probe.lab.scenarios.vpn.stand_ins import ikev2, openvpn_tcp, openvpn_udp
from probe.lab.scenarios.vpn.strongswan import VPN_STRONGSWAN
from probe.lab.scenarios.vpn.traps import VPN_TRAPS
from probe.lab.world.plan import World
from probe.model.pattern import Pattern
from probe.model.verdict import Status

DATA_PACKETS = 2
BEFORE, ELSEWHERE, NO = Proven.BEFORE, Proven.ELSEWHERE, Proven.NO
RESET: Then = Reset(in_path=True, ip_ttl=59)
HANDSHAKE, RST, ENDPOINT = Pattern.VPN_HANDSHAKE_DROP, Pattern.VPN_RESET, Pattern.VPN_ENDPOINT_BLOCK
BURNED = Pattern.VPN_BURNED


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


def _real(name: str) -> str:
    return f"tls-crypt-{name}"


VPN: tuple[Build, ...] = (
    openvpn_udp("works", "OpenVPN answers over UDP; nothing is wrong", FINE),
    openvpn_tcp("works", "OpenVPN answers over TCP; nothing is wrong", FINE),
    ikev2("works", "IKEv2 answers; nothing is wrong", FINE),
    _tls_crypt(_real("udp-works"), "OpenVPN behind tls-crypt proves itself over UDP", FINE, "udp"),
    _tls_crypt(_real("tcp-works"), "OpenVPN behind tls-crypt proves itself over TCP", FINE, "tcp"),
    socks_works,
    ssh_works,
    openvpn_udp(
        "drop",
        "flows that begin as OpenVPN's are dropped; it worked before",
        likely(HANDSHAKE),
        "signature",
        proven=BEFORE,
    ),
    openvpn_udp("drop-two-ways", "the same, and it works elsewhere", certain(HANDSHAKE), "signature", proven=ELSEWHERE),
    openvpn_udp("drop-unproven", "the same, and nobody ever saw it work", untold(likely(HANDSHAKE)), "signature"),
    openvpn_tcp(
        "drop", "connections that begin as OpenVPN's are dropped", likely(HANDSHAKE), "signature", proven=BEFORE
    ),
    openvpn_tcp(
        "reset", "connections that begin as OpenVPN's are reset", likely(RST), "signature", then=RESET, proven=BEFORE
    ),
    openvpn_tcp("fin", "they are ended by a forged FIN", likely(RST), "signature", then=Finish(), proven=BEFORE),
    openvpn_tcp(
        "reset-two-ways",
        "they are reset, and it works elsewhere",
        certain(RST),
        "signature",
        then=RESET,
        proven=ELSEWHERE,
    ),
    openvpn_tcp(
        "reset-unproven", "they are reset, and nobody ever saw it work", untold(likely(RST)), "signature", then=RESET
    ),
    ikev2("drop", "flows that begin as IKEv2's are dropped", likely(HANDSHAKE), "signature", proven=BEFORE),
    ikev2("drop-two-ways", "the same, and it works elsewhere", certain(HANDSHAKE), "signature", proven=ELSEWHERE),
    openvpn_udp("endpoint", "this server's OpenVPN alone is dropped", likely(ENDPOINT), "here", proven=ELSEWHERE),
    openvpn_tcp(
        "endpoint", "this server's OpenVPN alone is reset", likely(ENDPOINT), "here", then=RESET, proven=ELSEWHERE
    ),
    openvpn_udp(
        "endpoint-used",
        "this server's OpenVPN alone is dropped after it was used; a control greets it",
        likely(BURNED, ENDPOINT),
        "here",
        proven=BEFORE,
    ),
    openvpn_udp("port", "one UDP port of one address is dropped", likely(ENDPOINT), "port", proven=ELSEWHERE),
    openvpn_tcp(
        "port", "one TCP port of one address is dropped", likely(Pattern.IP_PORT_DROP, BURNED), "port", proven=BEFORE
    ),
    openvpn_udp(
        "burned-port", "a server's port is dropped after it was used", likely(BURNED), "port", proven=Proven.BOTH
    ),
    openvpn_udp(
        "burned-address",
        "a server's address is dropped after it was used",
        likely(BURNED, Pattern.IP_DROP),
        "address",
        proven=Proven.BOTH,
    ),
    openvpn_udp(
        "address",
        "all that goes to the server's address is dropped",
        likely(Pattern.IP_DROP),
        "address",
        proven=ELSEWHERE,
    ),
    openvpn_tcp(
        "address",
        "all that goes to the server's address is dropped",
        likely(Pattern.IP_DROP, BURNED),
        "address",
        proven=BEFORE,
    ),
    openvpn_tcp(
        "rst-to-syn",
        "SYNs to the server's port are reset",
        likely(Pattern.TCP_RST_SYN),
        "syn",
        then=RESET,
        proven=BEFORE,
    ),
    openvpn_udp("udp-off", "no UDP passes but DNS", likely(Pattern.IP_PROTO_DROP), "udp", proven=BEFORE),
    openvpn_udp(
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
    openvpn_udp(
        "closed",
        "nobody listens at the port any more",
        untold(gone(Pattern.SRV_DOWN), Status.IMPAIRED),
        now="closed",
        proven=BEFORE,
    ),
    openvpn_tcp(
        "closed",
        "nobody listens at the port any more",
        gone(Pattern.SRV_DOWN, seen=(Pattern.TCP,)),
        now="closed",
        proven=BEFORE,
    ),
    openvpn_tcp("gone", "the host is gone", gone(Pattern.SRV_DOWN, seen=(Pattern.IP,)), now="gone", proven=BEFORE),
    openvpn_udp("gone", "the host is gone", untold(gone(Pattern.SRV_DOWN), Status.IMPAIRED), now="gone", proven=BEFORE),
    openvpn_udp(
        "silent",
        "a server that is silent, as one that counts half-open sessions or replayed stamps is",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        now="mute",
        proven=BEFORE,
    ),
    ikev2(
        "half-open",
        "the server answers no more, as strongSwan does after five half-open sessions",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        now="mute",
        proven=BEFORE,
    ),
    ikev2(
        "counts-sessions",
        "the server is silent to our address alone, as strongSwan is to one with five sessions half open",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        "here",
        proven=BEFORE,
    ),
    ikev2(
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
