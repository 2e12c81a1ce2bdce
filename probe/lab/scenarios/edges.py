"""Places where a comparison of pages or of failures is easily fooled. Source: OONI, ts-017."""

import msgspec

from probe.lab.censor.rules import Drop, Finish, NamesHost, NamesServer, Reset, Rule, ToAddress
from probe.lab.scenarios.model import Build, Outcome, Reach, Scenario, Symptom
from probe.lab.scenarios.parts import (
    BLOCK_BODY,
    FINE,
    asks,
    gone,
    greets,
    hidden,
    loads,
    named,
    partly,
    reaches,
    render_block_page,
    resolves,
    rules,
    says,
    seeming,
    works,
)
from probe.lab.scenarios.servers import CHALLENGE
from probe.lab.world.plan import Lie, Page, World
from probe.model.pattern import Pattern

SHARED_FIELD = "X-Edge-Cluster: ams-7"
UNTITLED = "<html><body>This address was restricted; ask your provider. Reference 31.</body></html>\n"


def _page_for(world: World, payload: str, *, name: str, about: str, answer: Page) -> Scenario:
    """Return a scenario in which a page of the censor's takes the place of one that resembles it."""
    changed = world.change("news", answer=answer)
    site = changed.sites["news"]
    return Scenario(
        name=name,
        about=about,
        world=changed,
        target=site.cleartext_url,
        rules=rules(Rule(id="page", when=NamesHost(names=(site.name,)), then=Finish(payload=payload))),
        truth=hidden(Pattern.HTTP_BLOCKPAGE),
        symptoms=(asks(site, says="restricted"), loads(site, says="reading room"), *works(world.sites["forum"])),
    )


def untitled_pages(world: World) -> Scenario:
    """Neither the site's page nor the censor's has a title."""
    body = (
        "<html><body>"
        + "the council said that its new reading room will open before the winter. " * 3
        + "</body></html>\n"
    )
    payload = render_block_page("200 OK", body=UNTITLED)
    about = "a block page without a title takes the place of a page without a title"
    return _page_for(world, payload, name="edge-untitled-pages", about=about, answer=Page(body=body))


def shared_fields(world: World) -> Scenario:
    """The censor's page comes from the same CDN as the site's."""
    field, _, value = SHARED_FIELD.partition(": ")
    payload = render_block_page("200 OK", SHARED_FIELD)
    about = "the block page carries a rare header field that the site's page carries too"
    return _page_for(world, payload, name="edge-shared-field", about=about, answer=Page(headers={field: value}))


def challenged_elsewhere(world: World) -> Scenario:
    """Over https visitors are challenged, in clear they get the page."""
    changed = world.change("news", answer=CHALLENGE, cleartext=Page())
    site = changed.sites["news"]
    return Scenario(
        name="edge-challenge-elsewhere",
        about="the page comes in clear; by the encrypted route the site challenges visitors",
        world=changed,
        target=site.cleartext_url,
        truth=FINE,
        symptoms=(asks(site, says="Front Page"), loads(site, says="Just a moment")),
    )


def encrypted_block_page(world: World) -> Scenario:
    """The block page has a valid certificate of its own."""
    changed = world.change("wiki", answer=Page(body=BLOCK_BODY))
    site, page = changed.sites["news"], changed.sites["wiki"]
    moved = render_block_page("302 Found", f"Location: {page.url}")
    return Scenario(
        name="edge-encrypted-block-page",
        about="a request in clear is redirected to a block page on https, with a valid certificate",
        world=changed,
        target=site.cleartext_url,
        rules=rules(Rule(id="redirect", when=NamesHost(names=(site.name,)), then=Finish(payload=moved))),
        truth=seeming(hidden(Pattern.HTTP_REDIRECT), Pattern.HTTP_BLOCKPAGE),
        symptoms=(asks(site, says=page.url), loads(page, says="restricted"), *works(site)),
    )


def controls_blocked_too(world: World) -> Scenario:
    """What one would compare with is blocked as well."""
    site = world.sites["news"]
    encrypted = ("dns.google", "cloudflare-dns.com", "dns.quad9.net")
    return Scenario(
        name="edge-controls-blocked",
        about="the name is reset, and so is encrypted DNS",
        world=world,
        target=site.url,
        rules=rules(
            Rule(id="site", when=NamesServer(names=(site.name,)), then=Reset(ip_ttl=57)),
            Rule(id="dns", when=NamesServer(names=encrypted), then=Reset(ip_ttl=57)),
        ),
        truth=named(Pattern.TLS_RESET_SNI),
        symptoms=(
            greets(site, Outcome.RESET),
            Symptom(trial=Reach(address="1.1.1.1", port=853)),
            *resolves(site, "9.9.9.9"),
            *works(world.sites["forum"]),
        ),
    )


def dead_redirect_target(world: World) -> Scenario:
    """A link leads to a site that is down for everybody."""
    changed = world.change("news", is_up=False)
    return Scenario(
        name="edge-redirect-to-dead-site",
        about="the link works; the site that it leads to is down for everybody",
        world=changed,
        target=world.sites["short"].url + "go",
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.IP_DROP,)),
        symptoms=(loads(world.sites["short"], path="/go", says="302"), *reaches(world.sites["news"], Outcome.SILENCE)),
    )


def elected_address_fails(world: World) -> Scenario:
    """The address that is tried first fails, the others would have worked."""
    site = world.sites["news"]
    return Scenario(
        name="edge-first-address-dropped",
        about="the first of the site's addresses is dropped; its others work",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=ToAddress(prefixes=(site.addresses[0],)), then=Drop())),
        truth=partly(Pattern.IP_DROP),
        symptoms=(
            Symptom(trial=Reach(address=site.addresses[0]), outcome=Outcome.SILENCE),
            Symptom(trial=Reach(address=site.addresses[1])),
        ),
    )


def outage_of_a_network(world: World) -> Scenario:
    """A whole hosting network is down, with everything in it."""
    site = world.sites["news"]
    network = site.addresses[0].rsplit(".", 2)[0]
    inside = [key for key, s in world.sites.items() if s.addresses[0].startswith(f"{network}.") and key[:6] != "anchor"]
    changed = world
    for key in inside:
        changed = changed.change(key, is_up=False)
    return Scenario(
        name="hosting-network-down",
        about="a whole hosting network is down, for everybody",
        world=changed,
        target=site.url,
        truth=gone(Pattern.OUTAGE_AS, seen=(Pattern.IP_DROP, Pattern.SRV_DOWN)),
        symptoms=(*(s for key in inside for s in reaches(world.sites[key], Outcome.SILENCE)), *resolves(site)),
    )


def wildcard_home(world: World) -> Scenario:
    """A provider answers names that do not exist with a search page."""
    name = "www.mistyped-gazette.example"
    site = msgspec.structs.replace(world.sites["news"], names=(name,))
    found = world.sites["home1"].addresses
    return Scenario(
        name="nxdomain-search-page",
        about="the provider's resolver leads names that do not exist to a search page of its own",
        world=world.lie("isp", {name: Lie(addresses=found)}),
        target=f"http://{name}/",
        truth=gone(Pattern.SRV_NO_SUCH_NAME),
        symptoms=(says(site, *world.sites["home1"].v4), says(site, outcome=Outcome.NXDOMAIN, resolver="9.9.9.9")),
    )


EDGES: tuple[Build, ...] = (
    untitled_pages,
    shared_fields,
    challenged_elsewhere,
    encrypted_block_page,
    controls_blocked_too,
    dead_redirect_target,
    elected_address_fails,
    outage_of_a_network,
    wildcard_home,
)
