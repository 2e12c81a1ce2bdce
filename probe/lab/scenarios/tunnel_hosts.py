"""Interference with tunnels by their first packets. Source: Xue et al. 2022; nDPI.

The targets are what can be asked of the tunnel's host without its protocol: its web site, or a TCP connection. These
work, and nobody is to be accused of anything there.
"""

import msgspec

from probe.lab.censor.rules import Drop, Reset, Rule, Speaks, Then, ToAddress
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import Build, Outcome, Scenario, Speak, Symptom
from probe.lab.scenarios.parts import FINE, rules, works
from probe.lab.world.plan import Site, World

OPENVPN_PORT, WIREGUARD_PORT, IKE_PORT = 1194, 51820, 500
_AT = {Signature.OPENVPN: OPENVPN_PORT, Signature.WIREGUARD: WIREGUARD_PORT, Signature.IKEV2: IKE_PORT}
DATA_PACKETS = 4


class _BySignature(msgspec.Struct, frozen=True, kw_only=True):
    """Something happens to flows that begin as a tunnel does, and to no other tunnel's."""

    name: str
    about: str
    signature: Signature
    then: Then = Drop()
    over_tcp: bool = False
    after_packets: int = 0
    outcome: Outcome = Outcome.SILENCE
    answers: int = 0

    def __call__(self, world: World) -> Scenario:
        site = world.sites["tunnel"]
        when = Speaks(signatures=(self.signature,), after_packets=self.after_packets, over_tcp=self.over_tcp)
        met = Speak(
            address=site.v4[0],
            port=_AT[self.signature],
            signature=self.signature,
            over_tcp=self.over_tcp,
            data_packets=DATA_PACKETS,
            answers=self.answers,
        )
        return Scenario(
            name=self.name,
            about=self.about,
            world=world,
            target=f"tcp://{site.name}:{OPENVPN_PORT}" if self.over_tcp else site.url,
            rules=rules(Rule(id="signature", when=when, then=self.then)),
            truth=FINE,
            symptoms=(
                Symptom(trial=met, outcome=self.outcome),
                *(_carries(site, other) for other in Signature if other is not self.signature),
                _carries(site, self.signature if self.over_tcp else Signature.OPENVPN, over_tcp=not self.over_tcp),
                *works(site),
            ),
        )


def tunnels_work(world: World) -> Scenario:
    """Nothing is wrong."""
    site = world.sites["tunnel"]
    return Scenario(
        name="tunnels-work",
        about="nothing is wrong; the host of a tunnel answers OpenVPN, WireGuard and IKEv2",
        world=world,
        target=f"tcp://{site.name}:{OPENVPN_PORT}",
        truth=FINE,
        symptoms=(
            *(_carries(site, signature) for signature in Signature),
            _carries(site, Signature.OPENVPN, over_tcp=True),
            *works(site),
        ),
    )


def tunnel_host_without_udp(world: World) -> Scenario:
    """The tunnel's address gets no UDP."""
    site = world.sites["tunnel"]
    return Scenario(
        name="tunnel-udp-dropped",
        about="all UDP to the tunnel's host is dropped; its web site and its TCP port work",
        world=world,
        target=site.url,
        rules=rules(Rule(id="udp", when=ToAddress(prefixes=site.addresses, protocols=(17,)), then=Drop())),
        truth=FINE,
        symptoms=(
            *(_carries(site, signature, outcome=Outcome.SILENCE, answers=0) for signature in Signature),
            _carries(site, Signature.OPENVPN, over_tcp=True),
            *works(site),
        ),
    )


def _carries(
    site: Site,
    signature: Signature,
    *,
    over_tcp: bool = False,
    outcome: Outcome = Outcome.OK,
    answers: int = 1 + DATA_PACKETS,
) -> Symptom:
    """Return the proof that a tunnel begins and carries data, or does not."""
    trial = Speak(
        address=site.v4[0],
        port=_AT[signature],
        signature=signature,
        over_tcp=over_tcp,
        data_packets=DATA_PACKETS,
        answers=answers,
    )
    return Symptom(trial=trial, outcome=outcome)


TUNNELS: tuple[Build, ...] = (
    tunnels_work,
    _BySignature(
        name="openvpn-udp-drop",
        about="flows that begin with OpenVPN's reset of the session are dropped, over UDP",
        signature=Signature.OPENVPN,
    ),
    _BySignature(
        name="openvpn-tcp-reset",
        about="connections that begin with OpenVPN's reset of the session are reset",
        signature=Signature.OPENVPN,
        then=Reset(in_path=True, ip_ttl=59),
        over_tcp=True,
        outcome=Outcome.RESET,
    ),
    _BySignature(
        name="wireguard-drop",
        about="flows that begin with WireGuard's initiation are dropped",
        signature=Signature.WIREGUARD,
    ),
    _BySignature(
        name="ikev2-drop",
        about="flows that begin with IKE_SA_INIT are dropped",
        signature=Signature.IKEV2,
    ),
    _BySignature(
        name="wireguard-data-drop",
        about="WireGuard's handshake passes; after four packets its flow is dropped",
        signature=Signature.WIREGUARD,
        after_packets=4,
        answers=2,
    ),
    _BySignature(
        name="openvpn-data-drop",
        about="OpenVPN's handshake over TCP begins; after six packets with payload the connection is dropped",
        signature=Signature.OPENVPN,
        over_tcp=True,
        after_packets=6,
        answers=3,
    ),
    tunnel_host_without_udp,
)
