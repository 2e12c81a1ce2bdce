"""Interference with requests in clear."""

import msgspec

from probe.lab.censor.rules import Divert, Drop, Finish, NamesHost, Reset, Rule, SaysKeyword, Then, ToAddress
from probe.lab.scenarios.model import Build, Outcome, Scenario, Truth
from probe.lab.scenarios.parts import (
    BLOCK_BODY,
    FINE,
    STRANGE_BODY,
    asks,
    hidden,
    named,
    render_block_page,
    rules,
    seeming,
    works,
)
from probe.lab.world.atlas import BOX_V4, BOX_V6
from probe.lab.world.plan import Page, World
from probe.model.pattern import Pattern


class _ByHost(msgspec.Struct, frozen=True, kw_only=True):
    """Something happens to requests in clear with the site's name."""

    name: str
    about: str
    then: Then
    truth: Truth
    outcome: Outcome = Outcome.OK
    says: str = ""

    def __call__(self, world: World) -> Scenario:
        site, neutral = world.sites["plain"], world.sites["anchor2"]
        return Scenario(
            name=self.name,
            about=self.about,
            world=world,
            target=site.cleartext_url,
            rules=rules(Rule(id="host", when=NamesHost(names=(site.name,)), then=self.then)),
            truth=self.truth,
            symptoms=(
                asks(site, self.outcome, says=self.says),
                asks(neutral, says="Front Page", at=site),
                *works(neutral),
            ),
        )


def keyword(world: World) -> Scenario:
    """A word in the path brings a reset; over https, where a server's own firewall reads it too, the page comes."""
    world = world.change("plain", https_ports=(443,))
    site = world.sites["plain"]
    return Scenario(
        name="http-keyword-reset",
        about="a word in the path of a cleartext request brings a reset; other paths pass",
        world=world,
        target=site.cleartext_url + "search?q=forbidden-word",
        rules=rules(Rule(id="keyword", when=SaysKeyword(text="forbidden-word"), then=Reset(in_path=True))),
        truth=named(Pattern.HTTP_RESET_KEYWORD),
        symptoms=(asks(site, Outcome.RESET, path="/search?q=forbidden-word"), asks(site, says="Front Page")),
    )


def proxied(world: World) -> Scenario:
    """Port 80 goes through a proxy that serves a page for the site."""
    site = world.sites["plain"]
    box = msgspec.structs.replace(
        world.box, page=Page(title="Access restricted", body=BLOCK_BODY), pages_for=site.names
    )
    return Scenario(
        name="block-page-proxied",
        about="a transparent proxy on port 80 serves a block page for the site and passes on the rest",
        world=msgspec.structs.replace(world, box=box),
        target=site.cleartext_url,
        rules=rules(Rule(id="divert", when=ToAddress(ports=(80,)), then=Divert(to=BOX_V4, to_v6=BOX_V6))),
        truth=hidden(Pattern.HTTP_BLOCKPAGE),
        symptoms=(asks(site, says="restricted"), asks(world.sites["anchor2"], says="Front Page")),
    )


def harmless_proxy(world: World) -> Scenario:
    """Port 80 goes through a proxy that changes nothing."""
    site = world.sites["plain"]
    return Scenario(
        name="transparent-proxy",
        about="port 80 goes through a proxy that passes everything on",
        world=world,
        target=site.cleartext_url,
        rules=rules(Rule(id="divert", when=ToAddress(ports=(80,)), then=Divert(to=BOX_V4, to_v6=BOX_V6))),
        truth=FINE,
        symptoms=(asks(site, says="Front Page"), *works(world.sites["anchor2"])),
    )


REQUESTS: tuple[Build, ...] = (
    _ByHost(
        name="http-host-reset",
        about="a reset follows the host of a cleartext request",
        then=Reset(in_path=True),
        truth=named(Pattern.HTTP_RESET_HOST),
        outcome=Outcome.RESET,
    ),
    _ByHost(
        name="http-host-drop",
        about="a cleartext request with the host is dropped",
        then=Drop(),
        truth=named(Pattern.HTTP_TIMEOUT_HOST),
        outcome=Outcome.SILENCE,
    ),
    _ByHost(
        name="http-host-fin",
        about="a FIN follows the host of a cleartext request",
        then=Finish(),
        truth=named(Pattern.HTTP_FIN_HOST),
        outcome=Outcome.END,
    ),
    _ByHost(
        name="http-redirect",
        about="a cleartext request is answered by a redirect to a block page",
        then=Finish(payload=render_block_page("302 Found", f"Location: http://{BOX_V4}/restricted.html")),
        truth=seeming(hidden(Pattern.HTTP_REDIRECT), Pattern.HTTP_BLOCKPAGE),
        says="302 Found",
    ),
    _ByHost(
        name="http-injected",
        about="an on-path box answers first with a block page; the site's answer follows",
        then=Finish(payload=render_block_page("200 OK"), in_path=False),
        truth=hidden(Pattern.HTTP_BLOCKPAGE),
        says="restricted",
    ),
    _ByHost(
        name="block-page-strange",
        about="a box on the way answers with a page that no list of block pages knows",
        then=Finish(payload=render_block_page(body=STRANGE_BODY)),
        truth=hidden(Pattern.HTTP_BLOCKPAGE),
        says="restricted",
    ),
    keyword,
    proxied,
    harmless_proxy,
)
