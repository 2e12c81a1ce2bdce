"""Interference with QUIC, and with UDP as a whole, where the target is a site. Source: Zohaib et al. 2025.

A site that offers HTTP/3 stays usable without it: what is done to QUIC alone makes it degraded.
"""

from probe.lab.censor.rules import Drop, NamesQuicServer, Rule, ToAddress
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import (
    Build,
    GreetQuic,
    Negotiate,
    Outcome,
    Scenario,
    Speak,
    Symptom,
)
from probe.lab.scenarios.parts import FINE, partly, resolves, rules, works
from probe.lab.world.plan import Site, World
from probe.model.pattern import Pattern

UDP = 17
QUIC_RESIDUAL_S = 180.0


def quic_works(world: World) -> Scenario:
    """Nothing is wrong, over HTTP/3 neither."""
    site = world.sites["video"]
    return Scenario(
        name="http3-works",
        about="nothing is wrong; the site offers HTTP/3, and serves it",
        world=world,
        target=site.url,
        truth=FINE,
        symptoms=(_greets_quic(site), _negotiates(site), _greets_quic(world.sites["shop"], at=site), *works(site)),
    )


def quic_name_dropped(world: World) -> Scenario:
    """A name in an Initial silences its flow."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    rule = NamesQuicServer(names=(site.name,), first_only=True, spares_low_source_ports=True)
    return Scenario(
        name="quic-sni-drop",
        about="QUIC flows with the name are dropped after the Initial was decrypted; TLS over TCP passes",
        world=world,
        target=site.url,
        rules=rules(Rule(id="quic", when=rule, then=Drop())),
        truth=partly(Pattern.QUIC_TIMEOUT_SNI),
        symptoms=(
            _greets_quic(site, Outcome.SILENCE),
            _greets_quic(site, Outcome.SILENCE, at=neutral),
            _greets_quic(site, source_port=443),
            _greets_quic(neutral, Outcome.BAD_CERTIFICATE, at=site),
            _greets_quic(neutral),
            _negotiates(site),
            *works(site),
        ),
    )


def quic_name_punished(world: World) -> Scenario:
    """A name in an Initial silences the place for three minutes."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    rule = Rule(id="quic", when=NamesQuicServer(names=(site.name,)), then=Drop(), residual_s=QUIC_RESIDUAL_S)
    return Scenario(
        name="quic-sni-drop-residual",
        about="a QUIC Initial with the name closes the address's UDP port 443 for 180 s; TLS over TCP passes",
        world=world,
        target=site.url,
        rules=rules(rule),
        truth=partly(Pattern.QUIC_TIMEOUT_SNI),
        symptoms=(
            _greets_quic(site, Outcome.SILENCE),
            _greets_quic(neutral, Outcome.SILENCE, at=site, at_s=0.6),
            _negotiates(site, Outcome.SILENCE, at_s=0.6),
            _greets_quic(neutral),
            *works(site),
        ),
    )


def quic_address_dropped(world: World) -> Scenario:
    """No datagram reaches the site's addresses."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    return Scenario(
        name="quic-address-dropped",
        about="all UDP to the site's addresses is dropped; TCP passes, and QUIC to others",
        world=world,
        target=site.url,
        rules=rules(Rule(id="udp", when=ToAddress(prefixes=site.addresses, protocols=(UDP,)), then=Drop())),
        truth=partly(Pattern.QUIC_ENDPOINT),
        symptoms=(
            _greets_quic(site, Outcome.SILENCE),
            _negotiates(site, Outcome.SILENCE),
            _greets_quic(neutral),
            *works(site),
        ),
    )


def quic_off(world: World) -> Scenario:
    """There is no QUIC in this network."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    return Scenario(
        name="quic-off",
        about="UDP port 443 is dropped everywhere; other ports pass",
        world=world,
        target=site.url,
        rules=rules(Rule(id="udp", when=ToAddress(ports=(443,), protocols=(UDP,)), then=Drop())),
        truth=partly(Pattern.QUIC_ALL),
        symptoms=(
            _greets_quic(site, Outcome.SILENCE),
            _negotiates(site, Outcome.SILENCE),
            _negotiates(neutral, Outcome.SILENCE),
            _begins(world, 51820, Signature.WIREGUARD),
            *works(site, neutral),
        ),
    )


def udp_off(world: World) -> Scenario:
    """Only DNS passes over UDP."""
    site = world.sites["news"]
    return Scenario(
        name="udp-off",
        about="UDP is dropped but for port 53; the site offers no HTTP/3 and loses nothing",
        world=world,
        target=site.url,
        rules=rules(Rule(id="udp", when=ToAddress(protocols=(UDP,), except_ports=(53,)), then=Drop())),
        truth=FINE,
        symptoms=(
            _begins(world, 51820, Signature.WIREGUARD, Outcome.SILENCE),
            _begins(world, 500, Signature.IKEV2, Outcome.SILENCE),
            _negotiates(world.sites["anchor1"], Outcome.SILENCE),
            *resolves(site, "8.8.8.8"),
            *works(site),
        ),
    )


def _greets_quic(
    site: Site, outcome: Outcome = Outcome.OK, *, at: Site | None = None, at_s: float = 0.0, source_port: int = 0
) -> Symptom:
    """Return the proof of what a site's name meets in a QUIC Initial, at its own first address or at another's."""
    address = (at or site).addresses[0]
    trial = GreetQuic(address=address, server_name=site.name, source_port=source_port)
    return Symptom(trial=trial, outcome=outcome, at_s=at_s)


def _negotiates(site: Site, outcome: Outcome = Outcome.OK, *, at_s: float = 0.0) -> Symptom:
    return Symptom(trial=Negotiate(address=site.addresses[0]), outcome=outcome, at_s=at_s)


def _begins(world: World, port: int, signature: Signature, outcome: Outcome = Outcome.OK) -> Symptom:
    trial = Speak(address=world.sites["tunnel"].v4[0], port=port, signature=signature)
    return Symptom(trial=trial, outcome=outcome)


TRANSPORTS: tuple[Build, ...] = (
    quic_works,
    quic_name_dropped,
    quic_name_punished,
    quic_address_dropped,
    quic_off,
    udp_off,
)
