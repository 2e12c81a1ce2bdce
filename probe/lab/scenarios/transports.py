"""Interference with QUIC, and with hellos of a certain shape. Source: Zohaib et al. 2025.

Where the target is a site that offers HTTP/3, what is done to QUIC alone leaves it usable: degraded. What is done to
hellos that nobody sends to the target leaves it untouched.
"""

import msgspec

from probe.lab.censor.hello import ENCRYPTED_CLIENT_HELLO, ENCRYPTED_SERVER_NAME
from probe.lab.censor.rules import Drop, HelloShape, NamesQuicServer, Reset, Rule, ToAddress
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import (
    Build,
    GreetQuic,
    Negotiate,
    Outcome,
    Scenario,
    SendHello,
    Speak,
    Symptom,
    Truth,
)
from probe.lab.scenarios.parts import FINE, greets, hidden, partly, resolves, rules, works
from probe.lab.world.plan import Site, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

UDP = 17
OUTER_NAME = "cloudflare-ech.com"
"""The outer name of every hello that one large provider's customers encrypt."""
QUIC_RESIDUAL_S = 180.0
ONE_SEGMENT_BYTES = 1400
UNKNOWN_EXTENSION = 0x4A4A
COMPRESSED_CERTIFICATE = 27
"""compress_certificate (RFC 8879), which browsers offer."""
"""One of those that browsers send to see whether servers ignore what they do not know (RFC 8701)."""


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


def encrypted_hello_dropped(world: World) -> Scenario:
    """A hello that is encrypted for one provider is dropped."""
    site = world.sites["news"]
    shape = HelloShape(extensions=(ENCRYPTED_CLIENT_HELLO,), names=(OUTER_NAME,), over_quic=True)
    return Scenario(
        name="ech-dropped",
        about="hellos with ECH and the outer name of one provider are dropped; the target is asked without ECH",
        world=world,
        target=site.url,
        rules=rules(Rule(id="ech", when=shape, then=Drop())),
        truth=FINE,
        symptoms=(
            _sends(site, OUTER_NAME, ENCRYPTED_CLIENT_HELLO, outcome=Outcome.SILENCE),
            _sends(site, OUTER_NAME),
            _sends(site, site.name, ENCRYPTED_CLIENT_HELLO),
            *works(site),
        ),
    )


def encrypted_name_dropped(world: World) -> Scenario:
    """A hello with ESNI is dropped, on all ports."""
    site = world.sites["news"]
    return Scenario(
        name="esni-dropped",
        about="hellos with ESNI are dropped; the target is asked without",
        world=world,
        target=site.url,
        rules=rules(Rule(id="esni", when=HelloShape(extensions=(ENCRYPTED_SERVER_NAME,)), then=Drop())),
        truth=FINE,
        symptoms=(
            _sends(site, "", ENCRYPTED_SERVER_NAME, outcome=Outcome.SILENCE),
            _sends(site, "", UNKNOWN_EXTENSION),
            *works(site),
        ),
    )


def small_hellos_reset(world: World) -> Scenario:
    """Hellos smaller than a browser's are reset."""
    site = world.sites["news"]
    return Scenario(
        name="hello-small-reset",
        about="hellos to the site that are smaller than a browser's are reset, whatever the name",
        world=world,
        target=site.url,
        rules=rules(
            Rule(
                id="small",
                when=HelloShape(max_bytes=ONE_SEGMENT_BYTES, prefixes=site.addresses),
                then=Reset(in_path=True),
            )
        ),
        truth=Truth(
            status=Status.DEGRADED,
            patterns=(Pattern.TLS_RESET_FINGERPRINT,),
            cause=Cause.NETWORK,
            seen=(Pattern.TLS_RESET_ENDPOINT,),
        ),
        symptoms=(
            greets(site, Outcome.RESET),
            _sends(site, site.name, outcome=Outcome.RESET),
            _sends(site, site.name, padding=ONE_SEGMENT_BYTES),
            *works(world.sites["forum"]),
        ),
    )


def large_hellos_reset(world: World) -> Scenario:
    """Hellos as large as a browser's are reset."""
    site = world.sites["news"]
    return Scenario(
        name="hello-large-reset",
        about="hellos to the site that need more than one segment, as browsers' do, are reset; small ones pass",
        world=world,
        target=site.url,
        rules=rules(
            Rule(
                id="large",
                when=HelloShape(min_bytes=ONE_SEGMENT_BYTES + 1, prefixes=site.addresses),
                then=Reset(in_path=True),
            )
        ),
        truth=partly(Pattern.TLS_RESET_FINGERPRINT),
        symptoms=(
            _sends(site, site.name, padding=ONE_SEGMENT_BYTES, outcome=Outcome.RESET),
            _sends(site, site.name),
            _sends(world.sites["forum"], site.name, padding=ONE_SEGMENT_BYTES),
            *works(site),
        ),
    )


def published_hello_dropped(world: World) -> Scenario:
    """The site's zone asks browsers to hide its name behind the provider's, and that is dropped."""
    changed = world.change("news", ech_name=OUTER_NAME)
    scenario = encrypted_hello_dropped(changed)
    return msgspec.structs.replace(
        scenario,
        name="ech-published-dropped",
        about="hellos with ECH and one provider's outer name are dropped; the site's zone asks for them",
        truth=partly(Pattern.TLS_TIMEOUT_ECH),
    )


def hiding_reset(world: World) -> Scenario:
    """Whatever hides a name in a hello is reset, ECH and what it grew out of."""
    site = world.sites["news"]
    several = [
        Rule(id=f"hides{kind}", when=HelloShape(extensions=(kind,), prefixes=site.addresses), then=Reset(in_path=True))
        for kind in (ENCRYPTED_CLIENT_HELLO, ENCRYPTED_SERVER_NAME)
    ]
    return Scenario(
        name="hidden-names-reset",
        about="hellos to the site with ECH, GREASE as browsers send it included, or with ESNI are reset",
        world=world,
        target=site.url,
        rules=rules(*several),
        truth=partly(Pattern.TLS_RESET_ECH),
        symptoms=(
            _sends(site, site.name, ENCRYPTED_CLIENT_HELLO, outcome=Outcome.RESET),
            _sends(site, "", ENCRYPTED_SERVER_NAME, outcome=Outcome.RESET),
            _sends(site, site.name, UNKNOWN_EXTENSION),
            *works(site),
        ),
    )


def browsers_words_reset(world: World) -> Scenario:
    """What browsers say, and our own library does not, is reset at any size."""
    site = world.sites["news"]
    shape = HelloShape(extensions=(COMPRESSED_CERTIFICATE,), prefixes=site.addresses)
    return Scenario(
        name="hello-browser-reset",
        about="hellos to the site that offer compressed certificates, as browsers' do, are reset at any size",
        world=world,
        target=site.url,
        rules=rules(Rule(id="words", when=shape, then=Reset(in_path=True))),
        truth=partly(Pattern.TLS_RESET_FINGERPRINT),
        symptoms=(
            _sends(site, site.name, COMPRESSED_CERTIFICATE, outcome=Outcome.RESET),
            _sends(site, site.name, padding=ONE_SEGMENT_BYTES),
            *works(site),
        ),
    )


def any_name_reset(world: World) -> Scenario:
    """No name is on the list of those that pass."""
    site = world.sites["news"]
    shape = HelloShape(nameless=False, prefixes=site.addresses)
    return Scenario(
        name="any-name-reset",
        about="hellos to the site with whatever name are reset, as by a list of what passes; without one they pass",
        world=world,
        target=site.url,
        rules=rules(Rule(id="names", when=shape, then=Reset(in_path=True))),
        truth=hidden(Pattern.TLS_RESET_SNI),
        symptoms=(greets(site, Outcome.RESET), _sends(site, ""), *works(world.sites["forum"])),
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


def _sends(site: Site, name: str, *extensions: int, padding: int = 0, outcome: Outcome = Outcome.OK) -> Symptom:
    trial = SendHello(address=site.addresses[0], server_name=name, extensions=extensions, padding=padding)
    return Symptom(trial=trial, outcome=outcome)


TRANSPORTS: tuple[Build, ...] = (
    quic_works,
    quic_name_dropped,
    quic_name_punished,
    quic_address_dropped,
    quic_off,
    udp_off,
    encrypted_hello_dropped,
    encrypted_name_dropped,
    small_hellos_reset,
    large_hellos_reset,
    published_hello_dropped,
    hiding_reset,
    browsers_words_reset,
    any_name_reset,
)
