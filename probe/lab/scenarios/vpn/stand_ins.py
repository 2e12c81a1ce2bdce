"""OpenVPN and IKEv2 without keys, at the stand-in of the standard world: what is done to them, and how it is proven."""

import msgspec

from probe.lab.censor.rules import Drop, Finish, Opening, Reset, Speaks, Then, ToAddress
from probe.lab.censor.rules import Rule as CensorRule
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Outcome, Proven, Scenario, Speak, Symptom, Truth
from probe.lab.scenarios.parts import rules, works
from probe.lab.scenarios.vpn.parts import IKE_PORT, OPENVPN_PORT, mute, tunnel_scenario, without
from probe.lab.world.plan import Service, World

UDP = 17


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
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
    proven: Proven = Proven.NO
    now: str = ""
    """What is at the place: empty = as before, `closed`, `mute`, `gone`."""

    def __call__(self, world: World) -> Scenario:
        """Return the scenario in this world."""
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


# What more they take are fields of the stand-in, which the type checker cannot follow through keywords.


def openvpn_udp(name: str, about: str, truth: Truth, when: str = "", **more: object) -> StandIn:
    """Return OpenVPN over UDP."""
    return StandIn(name=f"openvpn-udp-{name}", about=about, truth=truth, when=when, **more)  # type: ignore[arg-type]


def openvpn_tcp(name: str, about: str, truth: Truth, when: str = "", **more: object) -> StandIn:
    """Return OpenVPN over TCP."""
    return StandIn(name=f"openvpn-tcp-{name}", about=about, truth=truth, when=when, over_tcp=True, **more)  # type: ignore[arg-type]


def ikev2(name: str, about: str, truth: Truth, when: str = "", **more: object) -> StandIn:
    """Return IKEv2."""
    return StandIn(
        name=f"ikev2-{name}", about=about, truth=truth, when=when, scheme="ikev2", port=IKE_PORT, **more  # type: ignore[arg-type]
    )  # fmt: skip
