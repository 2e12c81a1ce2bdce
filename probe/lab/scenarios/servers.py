"""What servers do by themselves, and what looks like blocking and is none."""

from collections.abc import Callable

import msgspec

from probe.lab.censor.rules import NamesServer, Reset, Rule
from probe.lab.scenarios.model import Build, Greet, Outcome, Reach, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import (
    FINE,
    asks,
    gone,
    greets,
    hidden,
    loads,
    own_doing,
    partly,
    reaches,
    resolves,
    rules,
    seeming,
    works,
)
from probe.lab.world.plan import Certificate, HangUp, Lie, Mute, Page, Site, StrangeName, Trickle, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

CHALLENGE = Page(
    status=403,
    title="Just a moment...",
    body="<html><head><title>Just a moment...</title></head><body>Checking your browser before accessing the site."
    '<div class="cf-turnstile"></div></body></html>\n',
    headers={"Server": "cloudflare", "cf-mitigated": "challenge", "cf-ray": "8a1b2c3d4e5f-LAB"},
)
COUNTRY = Page(
    status=451,
    title="Unavailable",
    body="<html><head><title>Unavailable</title></head><body>This content is not available in your country."
    "</body></html>\n",
)
DENIED = Page(
    status=403,
    title="Access Denied",
    body="<html><head><title>Access Denied</title></head><body><h1>Access Denied</h1>You don't have permission to"
    " access this server. Reference #18.2d351ab8.1557333295.a4e16ab</body></html>\n",
    headers={"Server": "AkamaiGHost"},
)


class _Serving(msgspec.Struct, frozen=True, kw_only=True):
    """The site is otherwise than usual, for its own reasons."""

    name: str
    about: str
    change: dict[str, object]
    truth: Truth
    symptoms: Callable[[Site], tuple[Symptom, ...]]
    key: str = "news"
    path: str = ""
    secure: bool = True

    def __call__(self, world: World) -> Scenario:
        changed = world.change(self.key, **self.change)
        site = changed.sites[self.key]
        return Scenario(
            name=self.name,
            about=self.about,
            world=changed,
            target=(site.url if self.secure else site.cleartext_url) + self.path,
            truth=self.truth,
            symptoms=(*self.symptoms(site), *resolves(site), *works(world.sites["forum"])),
        )


def _loads(says: str) -> Callable[[Site], tuple[Symptom, ...]]:
    return lambda site: (loads(site, says=says),)


def _bad_certificate(site: Site) -> tuple[Symptom, ...]:
    return (greets(site, Outcome.BAD_CERTIFICATE), *reaches(site))


def picky_and_reset(world: World) -> Scenario:
    """The server itself cuts strange names, so a comparison of names at its address says nothing."""
    changed = world.change("single", strange_name=StrangeName.RESET)
    site = changed.sites["single"]
    return Scenario(
        name="sni-reset-picky-server",
        about="the name is reset by a box, and the server resets all names that are not its own",
        world=changed,
        target=site.url,
        rules=rules(Rule(id="reset", when=NamesServer(names=(site.name,)), then=Reset())),
        truth=hidden(Pattern.TLS_RESET_SNI),
        symptoms=(
            greets(site, Outcome.RESET),
            Symptom(
                trial=Greet(address=site.addresses[0], server_name=world.sites["anchor1"].name), outcome=Outcome.RESET
            ),
        ),
    )


def moved_shared_host(world: World) -> Scenario:
    """One of several sites at a shared address is gone; the address still serves the others."""
    changed = world.change("shop", names=("www.moved-away-market.example",))
    site = world.sites["shop"]
    told = msgspec.structs.replace(changed, records={site.name: Lie(addresses=site.addresses)})
    return Scenario(
        name="moved-from-shared-host",
        about="the name still leads to the shared address, which shows another site's certificate",
        world=told,
        target=site.url,
        truth=own_doing(Pattern.SRV_CERT_NAME),
        symptoms=(greets(site, Outcome.BAD_CERTIFICATE), *works(world.sites["video"])),
    )


def redirected(world: World) -> Scenario:
    """A short link leads to another site."""
    site = world.sites["short"]
    return Scenario(
        name="redirect",
        about="nothing is wrong; the link redirects to another site",
        world=world,
        target=site.url + "go",
        truth=FINE,
        symptoms=(loads(site, path="/go", says="302"), *works(world.sites["news"])),
    )


def geo_answers(world: World) -> Scenario:
    """Every resolver leads visitors from here to a server that refuses them."""
    site, refusing = world.sites["news"], world.sites["wiki"]
    here = msgspec.structs.replace(site, addresses=refusing.addresses, answer=COUNTRY)
    changed = msgspec.structs.replace(world, sites={**world.sites, "wiki": here})
    for resolver in world.resolvers:
        changed = changed.lie(resolver.key, dict.fromkeys(site.names, Lie(addresses=here.addresses)))
    return Scenario(
        name="geoblock-dns",
        about="the site's own name servers lead visitors from this country to a server that refuses them",
        world=changed,
        target=site.url,
        truth=own_doing(Pattern.SRV_GEOBLOCK_HTTP, Pattern.SRV_GEOBLOCK_DNS),
        symptoms=(
            *resolves(here),
            *resolves(here, "8.8.8.8"),
            loads(here, says="not available in your country"),
            loads(site, says="reading room"),
        ),
    )


SERVERS: tuple[Build, ...] = (
    _Serving(
        name="challenge",
        about="the site asks visitors to prove that they are human",
        change={"answer": CHALLENGE},
        truth=Truth(status=Status.OK, patterns=(Pattern.SRV_CHALLENGE,), cause=Cause.SERVER),
        symptoms=_loads("Just a moment"),
    ),
    _Serving(
        name="challenge-cleartext",
        about="the same, over cleartext http",
        change={"answer": CHALLENGE},
        truth=Truth(status=Status.OK, patterns=(Pattern.SRV_CHALLENGE,), cause=Cause.SERVER),
        symptoms=lambda site: (asks(site, says="Just a moment"),),
        secure=False,
    ),
    _Serving(
        name="geoblock-451",
        about="the site itself refuses the country",
        change={"answer": COUNTRY},
        truth=own_doing(Pattern.SRV_GEOBLOCK_HTTP),
        symptoms=_loads("not available in your country"),
    ),
    _Serving(
        name="waf-403",
        about="the site's firewall denies access by a page",
        change={"answer": DENIED},
        truth=own_doing(Pattern.SRV_GEOBLOCK_HTTP),
        symptoms=_loads("Access Denied"),
    ),
    _Serving(
        name="waf-403-cleartext",
        about="the site denies access in clear, and over https in the same way",
        change={"answer": DENIED},
        truth=own_doing(Pattern.SRV_GEOBLOCK_HTTP),
        symptoms=lambda site: (asks(site, says="Access Denied"), loads(site, says="Access Denied")),
        secure=False,
    ),
    _Serving(
        name="rate-limited",
        about="the site says that it got too many requests",
        change={"answer": Page(status=429, title="Too Many Requests", headers={"Retry-After": "60"})},
        truth=own_doing(Pattern.SRV_RATE_LIMITED),
        symptoms=_loads("Too Many Requests"),
    ),
    _Serving(
        name="login-wanted",
        about="the site wants a login",
        change={"answer": Page(status=401, title="Login", headers={"WWW-Authenticate": 'Basic realm="x"'})},
        truth=own_doing(Pattern.SRV_AUTH_FAILED),
        symptoms=_loads("401"),
    ),
    _Serving(
        name="server-error",
        about="the site reports a fault of its own",
        change={"answer": Page(status=503, title="Service Unavailable")},
        truth=own_doing(Pattern.SRV_HTTP_ERROR),
        symptoms=_loads("503"),
    ),
    _Serving(
        name="certificate-expired",
        about="the site's certificate has expired",
        change={"certificate": Certificate.EXPIRED},
        truth=own_doing(Pattern.SRV_CERT_EXPIRED),
        symptoms=_bad_certificate,
    ),
    _Serving(
        name="certificate-wrong-name",
        about="the site's certificate names another host",
        change={"certificate": Certificate.WRONG_NAME},
        truth=own_doing(Pattern.SRV_CERT_NAME),
        symptoms=_bad_certificate,
    ),
    _Serving(
        name="certificate-self-signed",
        about="the site's certificate is self-signed, for everybody",
        change={"certificate": Certificate.SELF_SIGNED},
        truth=seeming(own_doing(Pattern.SRV_CERT_UNTRUSTED, local=Status.IMPAIRED), Pattern.TLS),
        symptoms=_bad_certificate,
    ),
    _Serving(
        name="certificate-unknown-authority",
        about="the site's certificate is of an authority that nobody trusts",
        change={"certificate": Certificate.UNKNOWN_AUTHORITY},
        truth=seeming(own_doing(Pattern.SRV_CERT_UNTRUSTED, local=Status.IMPAIRED), Pattern.TLS),
        symptoms=_bad_certificate,
    ),
    _Serving(
        name="slow-server",
        about="the page comes slowly, by the server's own doing",
        change={"answer": Trickle(body_bytes=6_000, bytes_per_s=3_000)},
        truth=FINE,
        symptoms=lambda site: (loads(site, min_bytes=3_000, max_bytes=6_500),),
    ),
    _Serving(
        name="mute-server",
        about="the server takes the request and never answers, for anybody",
        change={"answer": Mute()},
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.HTTP_TIMEOUT,)),
        symptoms=lambda site: (loads(site, max_bytes=0), asks(site, Outcome.SILENCE)),
    ),
    _Serving(
        name="server-hangs-up",
        about="the server closes every connection after the request",
        change={"answer": HangUp()},
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.HTTP_FIN,)),
        symptoms=lambda site: (asks(site, Outcome.END),),
        secure=False,
    ),
    _Serving(
        name="server-resets",
        about="the server resets every connection after the request",
        change={"answer": HangUp(reset=True)},
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.HTTP_RESET,)),
        symptoms=lambda site: (asks(site, Outcome.RESET),),
        secure=False,
    ),
    _Serving(
        name="port-closed",
        about="nothing listens on port 443",
        change={"https_ports": ()},
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.TCP_RST_SYN,)),
        symptoms=lambda site: reaches(site, Outcome.REFUSED),
    ),
    _Serving(
        name="one-address-down",
        about="one of the site's addresses is dead for everybody",
        change={"dead_addresses": 1},
        truth=seeming(partly(Pattern.SRV_DOWN, cause=Cause.OUTAGE), Pattern.IP),
        symptoms=lambda site: (Symptom(trial=Reach(address=site.addresses[1]), outcome=Outcome.SILENCE),),
    ),
    _Serving(
        name="geoblock-drop",
        about="the site's own firewall drops what comes from this country",
        change={"shuns_client": True},
        truth=Truth(
            status=Status.SERVER_SIDE,
            patterns=(Pattern.SRV_GEOBLOCK_TCP,),
            cause=Cause.SERVER,
            local=Status.IMPAIRED,
            outside=Status.IMPAIRED,
            seen=(Pattern.IP_DROP,),
        ),
        symptoms=lambda site: (*reaches(site, Outcome.SILENCE), *reaches(site, Outcome.SILENCE, port=80)),
    ),
    geo_answers,
    _Serving(
        name="strange-names-alerted",
        about="nothing is wrong; the server refuses strange names by an alert",
        change={"strange_name": StrangeName.ALERT},
        truth=FINE,
        symptoms=works,
    ),
    _Serving(
        name="strange-names-reset",
        about="nothing is wrong; the server resets strange names",
        change={"strange_name": StrangeName.RESET},
        truth=FINE,
        symptoms=works,
    ),
    _Serving(
        name="redirects-without-end",
        about="the site redirects fifteen times",
        change={},
        truth=own_doing(Pattern.SRV_REDIRECT_LOOP),
        symptoms=lambda site: (loads(site, path="/redirect/15", says="/redirect/14"),),
        key="short",
        path="redirect/15",
    ),
    redirected,
    moved_shared_host,
    picky_and_reset,
)
