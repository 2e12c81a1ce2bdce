"""Tunnels without a stand-in of the lab's: proxies, SSH, and a protocol that minds the clock."""

import msgspec

from probe.lab.censor.rules import Drop, Speaks, Volume
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Build, Proven, Reach, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import FINE, own_doing, rules
from probe.lab.scenarios.vpn.parts import (
    SOCKS_PORT,
    SS_PORT,
    SSH_PORT,
    WIREGUARD_PORT,
    certain,
    likely,
    mute,
    socks_server,
    ssh_server,
    tunnel_scenario,
    untold,
    wireguard_link,
    wireguard_server,
    without,
)
from probe.lab.world.plan import Service, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

FREEZES_AFTER = 1000


def _wireguard(
    name: str,
    about: str,
    truth: Truth,
    *,
    here: bool = False,
    drops: bool = True,
    proven: Proven = Proven.NO,
    silent: bool = False,
) -> Build:
    """Return a scenario with WireGuard; `here` = this server's alone is dropped, `silent` = it answers no more."""

    def build(world: World) -> Scenario:
        address = world.sites["tunnel"].v4[0]
        emptied = without(world, WIREGUARD_PORT, over_tcp=False)
        other = Service(port=WIREGUARD_PORT, speaks=Signature.OPENVPN)
        when = Speaks(signatures=(Signature.WIREGUARD,), prefixes=(f"{address}/32",) if here else ())
        return tunnel_scenario(
            f"wireguard-{name}",
            about,
            mute(world, WIREGUARD_PORT, over_tcp=False, service=other) if silent else emptied,
            "links.txt",
            truth,
            rules=rules(CensorRule(id="s", when=when, then=Drop())) if drops else None,
            servers=() if silent else (wireguard_server(address),),
            proven=proven,
            proven_world=emptied,
            proven_servers=(wireguard_server(address),),
            file=wireguard_link(address),
        )

    return build


HANDSHAKE = Pattern.VPN_HANDSHAKE_DROP
WIREGUARD: tuple[Build, ...] = (
    _wireguard("works", "WireGuard answers; nothing is wrong", FINE, drops=False),
    _wireguard("drop", "WireGuard's initiations are dropped", likely(HANDSHAKE), proven=Proven.BEFORE),
    _wireguard("drop-two-ways", "the same, and it works elsewhere", certain(HANDSHAKE), proven=Proven.ELSEWHERE),
    _wireguard("drop-unproven", "the same, and nobody ever saw it work", untold(likely(HANDSHAKE))),
    _wireguard(
        "endpoint",
        "this server's WireGuard alone is dropped",
        likely(Pattern.VPN_ENDPOINT_BLOCK),
        here=True,
        proven=Proven.ELSEWHERE,
    ),
    _wireguard(
        "stale-stamps",
        "the server is silent, as one is that has seen later timestamps of this key",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        drops=False,
        silent=True,
        proven=Proven.BEFORE,
    ),
)
"""With the responder of the package in place of a server."""


def _takes(address: str, port: int) -> tuple[Symptom, ...]:
    return (Symptom(trial=Reach(address=address, port=port)),)


def socks_works(world: World) -> Scenario:
    """Nothing is wrong."""
    address = world.sites["tunnel"].v4[0]
    return tunnel_scenario(
        "socks5-works", "a SOCKS5 proxy relays; nothing is wrong", world,
        f"socks5://{address}:{SOCKS_PORT}?relay={address}:443", FINE, servers=(socks_server(address),),
        symptoms=_takes(address, SOCKS_PORT),
    )  # fmt: skip


def socks_wants_login(world: World) -> Scenario:
    """The proxy refuses whoever has no password."""
    address = world.sites["tunnel"].v4[0]
    return tunnel_scenario(
        "socks5-login-refused", "a SOCKS5 proxy refuses whoever has no password", world,
        f"socks5://{address}:{SOCKS_PORT}?relay={address}:443", own_doing(Pattern.SRV_AUTH_FAILED),
        servers=(socks_server(address, login=True),), symptoms=_takes(address, SOCKS_PORT),
    )  # fmt: skip


def ssh_works(world: World) -> Scenario:
    """Nothing is wrong."""
    address = world.sites["tunnel"].v4[0]
    return tunnel_scenario(
        "ssh-works", "an SSH server answers; nothing is wrong", world, f"ssh://{address}:{SSH_PORT}", FINE,
        servers=(ssh_server(address),), symptoms=_takes(address, SSH_PORT),
    )  # fmt: skip


def ssh_freezes(world: World) -> Scenario:
    """The connection freezes after some bytes."""
    address = world.sites["tunnel"].v4[0]
    when = Volume(after_bytes=FREEZES_AFTER, prefixes=(f"{address}/32",))
    return tunnel_scenario(
        "ssh-freezes", f"an SSH connection carries {FREEZES_AFTER} bytes to the client and then nothing", world,
        f"ssh://{address}:{SSH_PORT}", likely(Pattern.VPN_DATA_DROP, seen=(Pattern.FLOW_FREEZE,)),
        rules=rules(CensorRule(id="v", when=when, then=Drop())), servers=(ssh_server(address),),
        proven=Proven.ELSEWHERE,
    )  # fmt: skip


def vmess_wrong_clock(world: World) -> Scenario:
    """A clock that is ten minutes off makes every VMess server silent."""
    address = world.sites["tunnel"].v4[0]
    other = Service(port=SS_PORT, speaks=Signature.WIREGUARD, over_tcp=True)
    services = world.sites["tunnel"].services
    late = msgspec.structs.replace(world.change("tunnel", services=(*services, other)), clock_offset_s=600.0)
    return tunnel_scenario(
        "vmess-clock-off", "the host's clock is ten minutes slow, and VMess allows two", late, "links.txt",
        Truth(status=Status.IMPAIRED, patterns=(Pattern.NET_CLOCK,), cause=Cause.LOCAL),
        file=f"vmess://0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0@{address}:{SS_PORT}?encryption=auto&security=none\n",
    )  # fmt: skip
