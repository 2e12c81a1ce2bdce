"""Targets that are asked by QUIC alone: what is done to QUIC makes them unusable. Source: Zohaib et al. 2025."""

from probe.lab.censor.rules import Drop, NamesQuicServer, Rule, ToAddress
from probe.lab.scenarios.model import Build, GreetQuic, Negotiate, Outcome, Scenario, Symptom
from probe.lab.scenarios.parts import FINE, hidden, named, own_doing, partly, rules, works
from probe.lab.world.plan import Site, World
from probe.model.pattern import Pattern

UDP = 17
RESIDUAL_S = 8.0
"""Where three minutes were seen. A silent handshake takes longer than that, and the lab's cool-down comes after it."""
SERVICE_PORT = 443


def served(world: World) -> Scenario:
    """Nothing is wrong."""
    site = world.sites["video"]
    return Scenario(
        name="h3-target-works",
        about="nothing is wrong; the target is asked over HTTP/3 alone",
        world=world,
        target=_url(site),
        truth=FINE,
        symptoms=(_greets(site), _negotiates(site)),
    )


def name_dropped(world: World) -> Scenario:
    """A name in an Initial silences its flow."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    rule = NamesQuicServer(names=(site.name,), reassembles=True, spares_low_source_ports=True)
    return Scenario(
        name="h3-target-name-dropped",
        about="QUIC flows with the target's name are dropped, from source ports above the port that they go to",
        world=world,
        target=_url(site),
        rules=rules(Rule(id="quic", when=rule, then=Drop())),
        truth=named(Pattern.QUIC_TIMEOUT_SNI),
        symptoms=(
            _greets(site, Outcome.SILENCE),
            _greets(site, Outcome.SILENCE, large=True),
            _greets(site, source_port=SERVICE_PORT),
            _greets(neutral, Outcome.BAD_CERTIFICATE, at=site),
            *works(site),
        ),
    )


def name_split(world: World) -> Scenario:
    """A name in one datagram silences its flow; a hello in two is not put together."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    rule = NamesQuicServer(names=(site.name,))
    return Scenario(
        name="h3-target-one-datagram-dropped",
        about="QUIC flows with the target's name in one datagram are dropped; a browser's hello takes two, and passes",
        world=world,
        target=_url(site),
        rules=rules(Rule(id="quic", when=rule, then=Drop())),
        truth=partly(Pattern.QUIC_TIMEOUT_SNI),
        symptoms=(
            _greets(site, Outcome.SILENCE),
            _greets(site, Outcome.SILENCE, source_port=SERVICE_PORT),
            _greets(site, large=True),
            _greets(neutral, Outcome.BAD_CERTIFICATE, at=site),
            *works(site),
        ),
    )


def name_punished(world: World) -> Scenario:
    """A name in an Initial silences the whole place for a while, so that no comparison there tells at once."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    when = NamesQuicServer(names=(site.name,), reassembles=True)
    rule = Rule(id="quic", when=when, then=Drop(), residual_s=RESIDUAL_S)
    return Scenario(
        name="h3-target-name-punished",
        about="a QUIC Initial with the target's name closes the address's UDP port for a while, for every name",
        world=world,
        target=_url(site),
        rules=rules(rule),
        truth=named(Pattern.QUIC_TIMEOUT_SNI),
        symptoms=(
            _greets(site, Outcome.SILENCE),
            _greets(neutral, Outcome.SILENCE, at=site, at_s=0.6),
            _greets(neutral),
            *works(site),
        ),
        options=("--wait",),
    )


def high_ports_dropped(world: World) -> Scenario:
    """No QUIC handshake gets through, whatever its name, unless it comes from a low port."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    rule = NamesQuicServer(names=("*",), reassembles=True, prefixes=site.addresses, spares_low_source_ports=True)
    return Scenario(
        name="h3-target-high-ports-dropped",
        about="QUIC handshakes with the site's addresses are dropped, but for those from low source ports",
        world=world,
        target=_url(site),
        rules=rules(Rule(id="quic", when=rule, then=Drop())),
        truth=named(Pattern.QUIC_ENDPOINT),
        symptoms=(
            _greets(site, Outcome.SILENCE),
            _greets(neutral, Outcome.SILENCE, at=site),
            _greets(site, source_port=SERVICE_PORT),
            *works(site),
        ),
    )


def address_dropped(world: World) -> Scenario:
    """No datagram reaches the site's addresses."""
    site, neutral = world.sites["video"], world.sites["anchor1"]
    return Scenario(
        name="h3-target-address-dropped",
        about="all UDP to the site's addresses is dropped; QUIC to others passes",
        world=world,
        target=_url(site),
        rules=rules(Rule(id="udp", when=ToAddress(prefixes=site.addresses, protocols=(UDP,)), then=Drop())),
        truth=hidden(Pattern.QUIC_ENDPOINT),
        symptoms=(_greets(site, Outcome.SILENCE), _negotiates(site, Outcome.SILENCE), _greets(neutral), *works(site)),
    )


def not_offered(world: World) -> Scenario:
    """The server has no QUIC, and nobody interferes."""
    site = world.sites["news"]
    return Scenario(
        name="h3-target-not-offered",
        about="nothing is wrong with the network; the site has no HTTP/3, and its host says so by ICMP",
        world=world,
        target=_url(site),
        truth=own_doing(Pattern.SRV_FILTERED),
        symptoms=works(site),
    )


def _url(site: Site) -> str:
    return site.url.replace("https://", "h3://")


def _greets(
    site: Site,
    outcome: Outcome = Outcome.OK,
    *,
    at: Site | None = None,
    at_s: float = 0.0,
    source_port: int = 0,
    large: bool = False,
) -> Symptom:
    """Return the proof of what a site's name meets in a QUIC Initial, at its own first address or at another's."""
    address = (at or site).addresses[0]
    trial = GreetQuic(address=address, server_name=site.name, source_port=source_port, large=large)
    return Symptom(trial=trial, outcome=outcome, at_s=at_s)


def _negotiates(site: Site, outcome: Outcome = Outcome.OK) -> Symptom:
    return Symptom(trial=Negotiate(address=site.addresses[0]), outcome=outcome)


QUIC: tuple[Build, ...] = (
    served,
    name_dropped,
    name_split,
    name_punished,
    high_ports_dropped,
    address_dropped,
    not_offered,
)
