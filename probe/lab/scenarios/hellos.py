"""Interference with hellos of a certain shape: encrypted ones, small or large ones, or a browser's.

Source: Zohaib et al. 2025. What is done to hellos that nobody sends to the target leaves it untouched.
"""

import msgspec

from probe.lab.censor.hello import ENCRYPTED_CLIENT_HELLO, ENCRYPTED_SERVER_NAME
from probe.lab.censor.rules import Drop, HelloShape, Reset, Rule
from probe.lab.scenarios.model import (
    Build,
    Outcome,
    Scenario,
    SendHello,
    Symptom,
    Truth,
)
from probe.lab.scenarios.parts import FINE, greets, hidden, partly, rules, works
from probe.lab.world.plan import Site, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

OUTER_NAME = "cloudflare-ech.com"
"""The outer name of every hello that one large provider's customers encrypt."""
ONE_SEGMENT_BYTES = 1400
UNKNOWN_EXTENSION = 0x4A4A
"""One of those that browsers send to see whether servers ignore what they do not know (RFC 8701)."""
COMPRESSED_CERTIFICATE = 27
"""compress_certificate (RFC 8879), which browsers offer."""


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


def _sends(site: Site, name: str, *extensions: int, padding: int = 0, outcome: Outcome = Outcome.OK) -> Symptom:
    trial = SendHello(address=site.addresses[0], server_name=name, extensions=extensions, padding=padding)
    return Symptom(trial=trial, outcome=outcome)


HELLOS: tuple[Build, ...] = (
    encrypted_hello_dropped,
    encrypted_name_dropped,
    small_hellos_reset,
    large_hellos_reset,
    published_hello_dropped,
    hiding_reset,
    browsers_words_reset,
    any_name_reset,
)
