"""Interference with addresses, connections and hellos."""

from collections.abc import Callable

import msgspec

from probe.lab.censor.rules import (
    Divert,
    Drop,
    Finish,
    FirstBytes,
    HelloShape,
    NamesServer,
    Opening,
    Prohibit,
    Reset,
    ResetForm,
    Rule,
    Then,
    ToAddress,
)
from probe.lab.scenarios.model import Build, Greet, Outcome, Reach, Scenario, SendHello, Speak, Symptom, Truth
from probe.lab.scenarios.parts import (
    FINE,
    LONG_GONE_S,
    asks,
    greets,
    hidden,
    named,
    partly,
    passes_neutral,
    reaches,
    resolves,
    rules,
    works,
)
from probe.lab.world.atlas import BOX_V4, BOX_V6, ROUTERS_V4, ROUTERS_V6
from probe.lab.world.plan import Site, World
from probe.model.pattern import Pattern

RESIDUAL_S = 2.0
LARGE_BYTES = 1400
HENAN_PAYLOAD = "0102030405060708" + "0900"
"""The ten bytes that one provincial box puts into its resets."""


class _AtAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Something happens to whatever goes to the site's addresses."""

    name: str
    about: str
    when: Callable[[Site], ToAddress | Opening | HelloShape]
    then: Then
    truth: Truth
    symptoms: Callable[[Site], tuple[Symptom, ...]]

    def __call__(self, world: World) -> Scenario:
        site = world.sites["news"]
        return Scenario(
            name=self.name,
            about=self.about,
            world=world,
            target=site.url,
            rules=rules(Rule(id="address", when=self.when(site), then=self.then)),
            truth=self.truth,
            symptoms=(*self.symptoms(site), *resolves(site), *works(world.sites["forum"])),
        )


class _ByName(msgspec.Struct, frozen=True, kw_only=True):
    """Something happens to hellos with the site's name, and to no others."""

    name: str
    about: str
    then: Then
    truth: Truth
    outcome: Outcome
    reassembles: bool = True
    residual_s: float = 0.0
    key: str = "news"
    spares_large: bool = False
    """A hello of a browser's size takes two segments, and a box that reads each alone lets it pass."""

    def __call__(self, world: World) -> Scenario:
        site, neutral = world.sites[self.key], world.sites["anchor2"]
        rule = Rule(
            id="name",
            when=NamesServer(names=(site.name,), reassembles=self.reassembles),
            then=self.then,
            residual_s=self.residual_s,
        )
        later = [passes_neutral(site, neutral, at_s=LONG_GONE_S if self.residual_s else 0.0)]
        if self.residual_s:
            punished = Greet(address=site.addresses[0], server_name=neutral.name)
            later.append(Symptom(trial=punished, outcome=Outcome.SILENCE, at_s=0.4))
        if self.spares_large:
            large = SendHello(address=site.addresses[0], server_name=site.name, padding=LARGE_BYTES)
            later.append(Symptom(trial=large))
        return Scenario(
            name=self.name,
            about=self.about,
            world=world,
            target=site.url,
            rules=rules(rule),
            truth=self.truth,
            symptoms=(greets(site, self.outcome), *later, *works(neutral)),
        )


def one_address(world: World) -> Scenario:
    """One of two addresses is dropped."""
    site = world.sites["news"]
    return Scenario(
        name="one-address-dropped",
        about="packets to one of the site's addresses are dropped",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=ToAddress(prefixes=(site.v4[1],)), then=Drop())),
        truth=partly(Pattern.IP_DROP),
        symptoms=(Symptom(trial=Reach(address=site.v4[1]), outcome=Outcome.SILENCE), *works(site)),
    )


def intercepted_tls(world: World) -> Scenario:
    """A box ends the TLS of one name with a certificate of its own."""
    site = world.sites["news"]
    box = msgspec.structs.replace(world.box, forges_for=site.names)
    divert = Rule(
        id="divert", when=ToAddress(prefixes=site.addresses, ports=(443,)), then=Divert(to=BOX_V4, to_v6=BOX_V6)
    )
    return Scenario(
        name="tls-mitm",
        about="a box shows a forged certificate for the site and splices all other names",
        world=msgspec.structs.replace(world, box=box),
        target=site.url,
        rules=rules(divert),
        truth=named(Pattern.TLS_MITM_UNTRUSTED),
        symptoms=(greets(site, Outcome.BAD_CERTIFICATE), greets(world.sites["forum"], Outcome.OK, at=site)),
    )


def sometimes(world: World) -> Scenario:
    """About a quarter of the connections are dropped."""
    site = world.sites["single"]
    rule = Rule(id="sometimes", when=NamesServer(names=(site.name,)), then=Drop(), probability=0.26)
    meets = Greet(address=site.addresses[0], server_name=site.name)
    return Scenario(
        name="sni-drop-sometimes",
        about="26 % of the connections with the name are dropped",
        world=world,
        target=site.url,
        rules=rules(rule),
        truth=partly(Pattern.TLS_TIMEOUT_SNI),
        # Three runs in four see nothing by themselves, and ten tries leave it open in two of five.
        options=("--tries", "10", "--wait"),
        symptoms=tuple(
            Symptom(trial=meets, outcome=outcome, times=16, at_least=1) for outcome in (Outcome.OK, Outcome.SILENCE)
        ),
    )


def harmless_filter(
    name: str, about: str, when: FirstBytes, *proofs: Callable[[World], Symptom], probability: float = 1.0
) -> Build:
    """Return a scenario with a filter of first bytes that lets TLS pass."""

    def build(world: World) -> Scenario:
        site = world.sites["news"]
        return Scenario(
            name=name,
            about=about,
            world=world,
            target=site.url,
            rules=rules(Rule(id="first", when=when, then=Drop(), probability=probability)),
            truth=FINE,
            symptoms=(*works(site), asks(site, says="Front Page"), *(proof(world) for proof in proofs)),
        )

    return build


def says_first(
    world: World, *, text: str = "", outcome: Outcome = Outcome.OK, times: int = 1, at_least: int | None = None
) -> Symptom:
    """Return the proof of what a first payload meets, noise if there is no text, at a port that answers anything."""
    trial = Speak(address=world.sites["tunnel"].v4[0], port=8388, text=text, over_tcp=True)
    return Symptom(trial=trial, outcome=outcome, times=times, at_least=at_least)


def _silent(site: Site) -> tuple[Symptom, ...]:
    return reaches(site, Outcome.SILENCE) + reaches(site, port=80)


CONNECTIONS: tuple[Build, ...] = (
    _AtAddress(
        name="port-dropped",
        about="port 443 of the site is dropped; port 80 answers",
        when=lambda site: ToAddress(prefixes=site.addresses, ports=(443,)),
        then=Drop(),
        truth=hidden(Pattern.IP_PORT_DROP),
        symptoms=_silent,
    ),
    _AtAddress(
        name="icmp-prohibited",
        about="a router of the access network refuses the site's addresses by ICMP",
        when=lambda site: ToAddress(prefixes=site.addresses),
        then=Prohibit(router=ROUTERS_V4[2], router_v6=ROUTERS_V6[2]),
        truth=hidden(Pattern.IP_UNREACHABLE),
        symptoms=lambda site: reaches(site, Outcome.UNREACHABLE),
    ),
    _AtAddress(
        name="rst-to-syn",
        about="a reset answers every SYN to the site",
        when=lambda site: Opening(prefixes=site.addresses, ports=(443,)),
        then=Reset(in_path=True, ip_ttl=60),
        truth=hidden(Pattern.TCP_RST_SYN),
        symptoms=lambda site: reaches(site, Outcome.REFUSED) + reaches(site, port=80),
    ),
    _AtAddress(
        name="tls-reset-any-name",
        about="every hello to the site's addresses is reset, whatever the name",
        when=lambda site: HelloShape(prefixes=site.addresses),
        then=Reset(in_path=True),
        truth=hidden(Pattern.TLS_RESET_ENDPOINT),
        symptoms=lambda site: (greets(site, Outcome.RESET), *reaches(site)),
    ),
    one_address,
    _ByName(
        name="sni-reset-triple",
        about="three RST+ACK follow the server name",
        then=Reset(form=ResetForm.TRIPLE, ip_ttl=113, window=1980),
        truth=named(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
    ),
    _ByName(
        name="sni-reset-in-path",
        about="a box resets both ends at the server name and drops the rest",
        then=Reset(form=ResetForm.RST_ACK, in_path=True),
        truth=named(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
    ),
    _ByName(
        name="sni-reset-payload",
        about="a RST+ACK with ten bytes of payload follows a server name in one segment; a browser's hello takes two",
        then=Reset(form=ResetForm.RST_ACK, payload_hex=HENAN_PAYLOAD, ip_id=1, ip_ttl=58, both_ends=False),
        truth=partly(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
        reassembles=False,
        spares_large=True,
    ),
    _ByName(
        name="sni-reset-shared-host",
        about="the name of one of several sites at a shared address is reset",
        then=Reset(ip_ttl=90),
        truth=named(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
        key="shop",
    ),
    _ByName(
        name="sni-reset-residual",
        about="after the reset, all to the address and port is dropped for two seconds",
        then=Reset(ip_ttl=57),
        truth=named(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
        residual_s=RESIDUAL_S,
    ),
    _ByName(
        name="sni-drop-residual",
        about="the server name is dropped, and for two seconds all to the address and port",
        then=Drop(),
        truth=named(Pattern.TLS_TIMEOUT_SNI),
        outcome=Outcome.SILENCE,
        residual_s=RESIDUAL_S,
    ),
    _ByName(
        name="sni-drop-outward",
        about="only the client's packets are dropped after the server name",
        then=Drop(to_client=False),
        truth=named(Pattern.TLS_TIMEOUT_SNI),
        outcome=Outcome.SILENCE,
    ),
    _ByName(
        name="sni-fin",
        about="a forged FIN follows the server name",
        then=Finish(),
        truth=named(Pattern.TLS_FIN_SNI),
        outcome=Outcome.END,
    ),
    _ByName(
        name="sni-reset-single-address",
        about="the name of a site with a single IPv4 address is reset",
        then=Reset(ip_ttl=57),
        truth=named(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
        key="single",
    ),
    _ByName(
        name="sni-reset-http3-passes",
        about="the name of a site that offers HTTP/3 is reset over TCP; its QUIC passes",
        then=Reset(ip_ttl=57),
        truth=named(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
        key="video",
    ),
    sometimes,
    intercepted_tls,
    _ByName(
        name="sni-reset-copied-ipid",
        about="a RST+ACK with the hello's own IPID follows the server name",
        then=Reset(form=ResetForm.RST_ACK, copies_ip_id=True, ip_ttl=61),
        truth=named(Pattern.TLS_RESET_SNI),
        outcome=Outcome.RESET,
    ),
    harmless_filter(
        "protocol-allow-list",
        "only HTTP, TLS and DNS may open a connection",
        FirstBytes(fully_encrypted=False),
        lambda world: says_first(world, outcome=Outcome.SILENCE),
        lambda world: says_first(world, text="SSH-2.0-OpenSSH_9.2\r\n", outcome=Outcome.SILENCE),
        lambda world: says_first(world, text="GET / HTTP/1.1\r\n\r\n"),
    ),
    harmless_filter(
        "entropy-filter",
        "connections that look fully encrypted are dropped",
        FirstBytes(fully_encrypted=True),
        lambda world: says_first(world, outcome=Outcome.SILENCE),
        lambda world: says_first(world, text="SSH-2.0-OpenSSH_9.2\r\n"),
    ),
    harmless_filter(
        "entropy-filter-sometimes",
        "26 % of the connections that look fully encrypted are dropped",
        FirstBytes(fully_encrypted=True),
        lambda world: says_first(world, outcome=Outcome.SILENCE, times=32, at_least=1),
        lambda world: says_first(world, times=32, at_least=1),
        probability=0.263,
    ),
)
