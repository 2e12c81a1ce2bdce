"""Shadowsocks as a target: dropped or reset for how its bytes look, a key that was changed, and nothing at all.

Source: Wu et al. 2023 (USENIX Security), algorithm 1.
"""

from probe.lab.censor.rules import Drop, FirstBytes, Reset, Then
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.scenarios.model import Build, Proven, Scenario, Truth
from probe.lab.scenarios.parts import FINE, own_doing, rules, works
from probe.lab.scenarios.vpn.parts import (
    Key,
    certain,
    likely,
    shadowsocks_link,
    shadowsocks_server,
    tunnel_scenario,
    untold,
)
from probe.lab.world.plan import World
from probe.model.pattern import Pattern
from probe.model.verdict import Status

BEFORE, ELSEWHERE, NO = Proven.BEFORE, Proven.ELSEWHERE, Proven.NO
RESET: Then = Reset(in_path=True, ip_ttl=59)
SHARE_STRUCK = 0.263


def _shadowsocks(
    name: str,
    about: str,
    truth: Truth,
    *,
    when: FirstBytes | None = None,
    then: Then | None = None,
    proven: Proven = NO,
    server: Key = Key.RIGHT,
    user: Key = Key.RIGHT,
) -> Build:
    """Return a scenario with shadowsocks-libev."""

    def build(world: World) -> Scenario:
        site = world.sites["tunnel"]
        return tunnel_scenario(
            name,
            about,
            world,
            "links.txt",
            truth,
            rules=rules(CensorRule(id="e", when=when, then=then or Drop())) if when is not None else None,
            symptoms=works(world.sites["anchor2"]),
            servers=(shadowsocks_server(site.v4[0], key=server),),
            proven=proven,
            proven_servers=(shadowsocks_server(site.v4[0]),),
            file=shadowsocks_link(site.v4[0], site.v4[0], key=user),
        )

    return build


def entropy_share(world: World) -> Scenario:
    """The filter strikes one connection in four, and then keeps the tunnel's place closed."""
    address = world.sites["tunnel"].v4[0]
    here, anywhere = FirstBytes(fully_encrypted=True, prefixes=(f"{address}/32",)), FirstBytes(fully_encrypted=True)
    return tunnel_scenario(
        "shadowsocks-entropy-share",
        "one in four connections that look fully encrypted is dropped, and the tunnel's place was closed for it",
        world,
        "links.txt",
        likely(Pattern.FLOW_ENTROPY),
        rules=rules(
            CensorRule(id="closed", when=here, then=Drop()),
            CensorRule(id="share", when=anywhere, then=Drop(), probability=SHARE_STRUCK),
        ),
        symptoms=works(world.sites["anchor2"]),
        servers=(shadowsocks_server(address),),
        proven=BEFORE,
        file=shadowsocks_link(address, address),
    )


SHADOWSOCKS: tuple[Build, ...] = (
    _shadowsocks("shadowsocks-works", "a Shadowsocks server relays; nothing is wrong", FINE),
    _shadowsocks(
        "shadowsocks-entropy",
        "connections that look fully encrypted are dropped",
        likely(Pattern.FLOW_ENTROPY),
        when=FirstBytes(fully_encrypted=True),
        proven=BEFORE,
    ),
    _shadowsocks(
        "shadowsocks-entropy-reset",
        "they are reset",
        likely(Pattern.FLOW_ENTROPY),
        when=FirstBytes(fully_encrypted=True),
        then=RESET,
        proven=BEFORE,
    ),
    _shadowsocks(
        "shadowsocks-entropy-two-ways",
        "they are dropped, and it works elsewhere",
        certain(Pattern.FLOW_ENTROPY),
        when=FirstBytes(fully_encrypted=True),
        proven=ELSEWHERE,
    ),
    entropy_share,
    _shadowsocks(
        "shadowsocks-entropy-unproven",
        "they are dropped, and nobody ever saw it work",
        untold(likely(Pattern.FLOW_ENTROPY)),
        when=FirstBytes(fully_encrypted=True),
    ),
    _shadowsocks(
        "shadowsocks-protocol-allow-list",
        "only connections that begin as HTTP, TLS or DNS do may go on",
        likely(Pattern.FLOW_PROTOCOL_ALLOWLIST),
        when=FirstBytes(fully_encrypted=False),
        proven=BEFORE,
    ),
    _shadowsocks(
        "shadowsocks-protocol-allow-list-two-ways",
        "the same, and it works elsewhere",
        certain(Pattern.FLOW_PROTOCOL_ALLOWLIST),
        when=FirstBytes(fully_encrypted=False),
        proven=ELSEWHERE,
    ),
    _shadowsocks(
        "shadowsocks-wrong-key",
        "a wrong password: the server is silent",
        untold(own_doing(Pattern.VPN)),
        user=Key.WRONG,
    ),
    _shadowsocks(
        "shadowsocks-key-changed",
        "the server's password was changed since it last worked",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        server=Key.WRONG,
        proven=BEFORE,
    ),
)
"""They need shadowsocks-libev installed."""
