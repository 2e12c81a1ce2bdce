"""Tunnels without a stand-in of the lab's: proxies, SSH, and a protocol that minds the clock."""

import msgspec

from probe.lab.censor.rules import Drop, Volume
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Proven, Reach, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import FINE, own_doing, rules
from probe.lab.scenarios.vpn_parts import (
    SOCKS_PORT,
    SS_PORT,
    SSH_PORT,
    likely,
    socks_server,
    ssh_server,
    tunnel_scenario,
)
from probe.lab.world.plan import Service, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

FREEZES_AFTER = 1000


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
