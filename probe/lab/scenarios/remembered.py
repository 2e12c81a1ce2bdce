"""Censors that remember who sent a name: after it the place is dead for any name, for some seconds.

As long as in the field it would take minutes; the agent's patience and its cool-down are shortened with it.
"""

import msgspec

from probe.lab.censor.rules import Drop, NamesHost, NamesServer, Reset, Rule, Then
from probe.lab.scenarios.model import Build, Configured, Outcome, Scenario, Symptom
from probe.lab.scenarios.parts import asks, blocked, greets, passes_neutral, reaches, rules, works
from probe.lab.world.plan import World
from probe.model.pattern import Pattern

REMEMBERS_S = 8.0
CONFIGURED = Configured(timeout="3s", cool_down="12s")
"""A connection that is dead is given up before the place comes back."""
LONG_GONE_S = 10.0
SOON_S = 0.4


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """The name is interfered with, and then all to the address and port is dropped for a while."""

    name: str
    about: str
    then: Then
    pattern: Pattern
    outcome: Outcome
    over_tls: bool = True

    def __call__(self, world: World) -> Scenario:
        site, neutral = world.sites["news"], world.sites["anchor2"]
        if self.over_tls:
            when: NamesServer | NamesHost = NamesServer(names=(site.name,))
            symptoms = (greets(site, self.outcome), passes_neutral(site, neutral, at_s=LONG_GONE_S))
        else:
            when = NamesHost(names=(site.name,))
            symptoms = (asks(site, self.outcome), msgspec.structs.replace(asks(neutral, at=site), at_s=LONG_GONE_S))
        (first, *_rest) = reaches(site, Outcome.SILENCE, port=443 if self.over_tls else 80)
        dead = Symptom(trial=first.trial, outcome=Outcome.SILENCE, at_s=SOON_S)
        return Scenario(
            name=self.name,
            about=self.about,
            world=world,
            target=site.url if self.over_tls else site.cleartext_url,
            rules=rules(Rule(id="name", when=when, then=self.then, residual_s=REMEMBERS_S)),
            truth=blocked(self.pattern, Pattern.FLOW_RESIDUAL),
            symptoms=(*symptoms, dead, *works(world.sites["forum"])),
            options=("--wait",),
            configured=CONFIGURED,
        )


REMEMBERED: tuple[Build, ...] = (
    _Remembered(
        name="sni-reset-remembered",
        about="the name is reset, and for eight seconds all to the address and port is dropped",
        then=Reset(ip_ttl=57),
        pattern=Pattern.TLS_RESET_SNI,
        outcome=Outcome.RESET,
    ),
    _Remembered(
        name="sni-drop-remembered",
        about="the name is dropped, and for eight seconds all to the address and port",
        then=Drop(),
        pattern=Pattern.TLS_TIMEOUT_SNI,
        outcome=Outcome.SILENCE,
    ),
    _Remembered(
        name="host-reset-remembered",
        about="a request for the host is reset, and for eight seconds all to the address and port is dropped",
        then=Reset(ip_ttl=57),
        pattern=Pattern.HTTP_RESET_HOST,
        outcome=Outcome.RESET,
        over_tls=False,
    ),
)
