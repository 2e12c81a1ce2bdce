"""What is done to a tunnel's flow once it is up: frozen after some bytes, slowed down, or killed; by real servers.

Source: net4people/bbs 490 (frozen after 15 to 20 KB, TLS and UDP alike); Xue et al. 2021 (policed to 130 kbit/s).
Each of these targets asks for its volume: 64 KB through the tunnel.
"""

import json
from urllib.parse import quote

from probe.lab.censor.rules import Drop, Then, Throttle, Volume
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Build, Proven, Scenario, Server, Truth
from probe.lab.scenarios.parts import FINE, own_doing, rules
from probe.lab.scenarios.vpn.parts import Key, likely, shadowsocks_link, shadowsocks_server, tunnel_scenario, untold
from probe.lab.world.plan import Trickle, World
from probe.lab.world.wireguard_keys import CLIENT_KEY, SERVER_KEY, as_text, public_of
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

FREEZES_AFTER = 16_000
POLICED = Throttle(bytes_per_s=17_000)
PATIENCE = "5s"
WIREGUARD_PORT = 51830
TROJAN_PORT = 8543
_INNER_SERVER, _INNER_CLIENT = "10.202.7.1", "10.202.7.2"
BEFORE, ELSEWHERE, NO = Proven.BEFORE, Proven.ELSEWHERE, Proven.NO


def wireguard_go(*after: str) -> Server:
    """Return wireguard-go with a device of its own, whose kernel answers echoes."""
    # `wg` finds it by a file, which labs side by side must not share.
    up = (
        "mkdir -p /var/run/wireguard; mount -t tmpfs none /var/run/wireguard || exit; "
        "(until wg setconf wgserver '{folder}/wg.conf' 2>/dev/null; do sleep 0.05; done; "
        f"ip addr add {_INNER_SERVER}/24 dev wgserver; ip link set wgserver up; "
        f"until grep -q ':{WIREGUARD_PORT:04X} ' /proc/net/udp; do sleep 0.05; done; echo listening) & "
        "exec wireguard-go -f wgserver"
    )
    config = (
        f"[Interface]\nPrivateKey = {as_text(SERVER_KEY)}\nListenPort = {WIREGUARD_PORT}\n"
        f"[Peer]\nPublicKey = {as_text(public_of(CLIENT_KEY))}\nAllowedIPs = {_INNER_CLIENT}/32\n"
    )
    return Server(
        program="unshare", words=("-m", "sh", "-c", up), files={"wg.conf": config}, says="listening",
        needs=("wireguard-go", "wg", "ip"), after=after,
    )  # fmt: skip


def wireguard_go_link(address: str) -> str:
    """Return its user's link."""
    client, server = (quote(as_text(key), safe="") for key in (CLIENT_KEY, public_of(SERVER_KEY)))
    return (
        f"wireguard://{client}@{address}:{WIREGUARD_PORT}?publickey={server}&address={_INNER_CLIENT}/24"
        f"&ping={_INNER_SERVER}&depth=volume\n"
    )


def degraded(*patterns: Pattern) -> Truth:
    """Return the truth that the network slows a tunnel down, which some comparison shows."""
    return Truth(status=Status.DEGRADED, patterns=patterns, cause=Cause.NETWORK, seen=(Pattern.FLOW,))


def _shadowsocks(
    name: str, about: str, truth: Truth, *, then: Then | None = None, here: bool = False, proven: Proven = NO
) -> Build:
    """Return a scenario with shadowsocks-libev, whose destination is a page of 100 KB."""

    def build(world: World) -> Scenario:
        address, relay = world.sites["tunnel"].v4[0], world.sites["anchor2"].v4[0]
        where = {"prefixes": (f"{address}/32",)} if here else {"opaque": True}
        after = FREEZES_AFTER if isinstance(then, Drop) else 0
        rule = CensorRule(id="f", when=Volume(after_bytes=after, **where), then=then) if then is not None else None
        return tunnel_scenario(
            f"shadowsocks-{name}", about, world, "links.txt", truth,
            rules=rules(rule) if rule is not None else None,
            servers=(shadowsocks_server(address),), proven=proven, patience=PATIENCE,
            file=shadowsocks_link(address, relay, key=Key.RIGHT).strip() + "&depth=volume\n",
        )  # fmt: skip

    return build


def _wireguard(
    name: str, about: str, truth: Truth, *, then: Then | None = None, here: bool = False, after: int = FREEZES_AFTER,
    proven: Proven = NO,
) -> Build:  # fmt: skip
    """Return a scenario with wireguard-go."""

    def build(world: World) -> Scenario:
        address = world.sites["tunnel"].v4[0]
        prefixes = (f"{address}/32",) if here else ()
        when = Volume(after_bytes=after, prefixes=prefixes, signatures=(Signature.WIREGUARD,))
        return tunnel_scenario(
            f"wireguard-{name}", about, world, "links.txt", truth,
            rules=rules(CensorRule(id="f", when=when, then=then)) if then is not None else None,
            servers=(wireguard_go(),), proven=proven, patience=PATIENCE, file=wireguard_go_link(address),
        )  # fmt: skip

    return build


def trojan_server(address: str, fallback: str) -> Server:
    """Return trojan, with a certificate made on the spot: it takes RSA alone."""
    config = {
        "run_type": "server", "local_addr": address, "local_port": TROJAN_PORT,
        "remote_addr": fallback, "remote_port": 80, "password": [Key.RIGHT.value],
        "ssl": {"cert": "{folder}/rsa.pem", "key": "{folder}/rsa.key"},
    }  # fmt: skip
    made = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=tunnel -keyout {folder}/rsa.key -out {folder}/rsa.pem"
    return Server(
        program="trojan", words=("-c", "{folder}/trojan.json"), files={"trojan.json": json.dumps(config)},
        before=tuple(made.split()), says="service (server) started", needs=("openssl",),
    )  # fmt: skip


def _trojan(
    name: str, about: str, truth: Truth, *, then: Then | None = None, proven: Proven = NO,
    user: Key = Key.RIGHT,
) -> Build:  # fmt: skip
    """Return a scenario with trojan, which shows whoever does not know its password a web site."""

    def build(world: World) -> Scenario:
        address, relay = world.sites["tunnel"].v4[0], world.sites["anchor2"].v4[0]
        when = Volume(after_bytes=FREEZES_AFTER, prefixes=(f"{address}/32",))
        return tunnel_scenario(
            f"trojan-{name}", about, world, "links.txt", truth,
            rules=rules(CensorRule(id="f", when=when, then=then)) if then is not None else None,
            servers=(trojan_server(address, relay),), proven=proven, patience=PATIENCE,
            file=f"trojan://{user.value}@{address}:{TROJAN_PORT}?insecure=1&relay={relay}:443&depth=volume\n",
        )  # fmt: skip

    return build


def slow_destination(world: World) -> Scenario:
    """The tunnel's own destination trickles."""
    address = world.sites["tunnel"].v4[0]
    slow = world.change("files", answer=Trickle(bytes_per_s=9_000.0, body_bytes=100_000))
    return tunnel_scenario(
        "shadowsocks-slow-server", "what comes through the tunnel comes slowly, and no network has a part in it", slow,
        "links.txt", Truth(status=Status.DEGRADED, patterns=(Pattern.FLOW,), cause=Cause.SERVER),
        servers=(shadowsocks_server(address),), patience=PATIENCE, proven=BEFORE, proven_world=world,
        file=shadowsocks_link(address, slow.sites["files"].v4[0]).strip() + "&depth=volume\n",
    )  # fmt: skip


VPN_FLOWS: tuple[Build, ...] = (
    _shadowsocks("carries", "64 KB go through a Shadowsocks server; nothing is wrong", FINE),
    _wireguard("carries", "64 KB go through wireguard-go both ways; nothing is wrong", FINE),
    _shadowsocks(
        "freezes",
        "connections that look fully encrypted freeze after 16 KB",
        likely(Pattern.FLOW_FREEZE),
        then=Drop(),
        proven=BEFORE,
    ),
    _shadowsocks(
        "freezes-here",
        "connections to this server freeze after 16 KB",
        likely(Pattern.FLOW_FREEZE),
        then=Drop(),
        here=True,
        proven=ELSEWHERE,
    ),
    _wireguard("freezes", "WireGuard freezes after 16 KB", likely(Pattern.FLOW_FREEZE), then=Drop(), proven=BEFORE),
    _wireguard(
        "freezes-here",
        "this server's WireGuard freezes after 16 KB",
        likely(Pattern.FLOW_FREEZE),
        then=Drop(),
        here=True,
        proven=ELSEWHERE,
    ),
    _wireguard(
        "data-killed",
        "WireGuard answers, and this server's flow is dropped after its first packets",
        likely(Pattern.VPN_DATA_DROP),
        then=Drop(),
        here=True,
        after=100,
        proven=ELSEWHERE,
    ),
    _shadowsocks(
        "throttled",
        "connections that look fully encrypted are policed to 136 kbit/s",
        degraded(Pattern.FLOW_THROTTLE),
        then=POLICED,
        proven=BEFORE,
    ),
    _shadowsocks(
        "throttled-here",
        "connections to this server are policed to 136 kbit/s",
        degraded(Pattern.FLOW_THROTTLE),
        then=POLICED,
        here=True,
        proven=ELSEWHERE,
    ),
    _wireguard(
        "throttled",
        "WireGuard is policed to 136 kbit/s",
        degraded(Pattern.FLOW_THROTTLE),
        then=POLICED,
        after=0,
        proven=BEFORE,
    ),
    slow_destination,
    _trojan("carries", "64 KB go through a Trojan server; nothing is wrong", FINE),
    _trojan(
        "freezes-here",
        "connections to this server freeze after 16 KB, TLS as they are",
        likely(Pattern.FLOW_FREEZE),
        then=Drop(),
        proven=ELSEWHERE,
    ),
    _trojan(
        "wrong-password",
        "a wrong password: the server leaves us to a web site, which waits for a request",
        untold(own_doing(Pattern.VPN)),
        user=Key.WRONG,
    ),
)
"""Those with a server of Debian's need it installed."""
