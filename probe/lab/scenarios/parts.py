"""What scenarios are put together from: truths, proofs, and what censors of the field use."""

import msgspec

from probe.lab.censor.rules import Rule, RuleSet
from probe.lab.scenarios.model import Ask, Greet, Load, Outcome, Reach, Resolve, Symptom, Truth
from probe.lab.world.atlas import ISP_RESOLVER
from probe.lab.world.plan import Site
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

POOL = ("59.24.3.174", "108.160.167.174", "157.240.2.14")
"""Addresses that injectors of the field answer with, the first of those that lists name; nobody is there here."""
TEREDO = ("2001::6ca0:a7ae", "2001::9df0:20e")
BOGON = "10.10.34.35"
BLOCK_BODY = (
    "<html><head><title>Доступ ограничен</title></head><body><h1>Доступ к запрашиваемому ресурсу ограничен</h1>"
    "<p>Access to this site is restricted by a decision of the competent authority.</p></body></html>\n"
)
"""A page that is seen in the field, with a phrase that lists of fingerprints know."""
STRANGE_BODY = (
    "<html><head><title>Notice</title></head><body>This address was restricted; ask your provider.</body></html>\n"
)
"""A page that no list knows."""
LONG_GONE_S = 3.5
"""After so long every residual punishment of the scenarios is over."""

FINE = Truth(status=Status.OK)


def rules(*several: Rule) -> RuleSet:
    """Return a censor that does these things."""
    return RuleSet(rules=several)


def blocked(*patterns: Pattern, local: Status = Status.BLOCKED) -> Truth:
    """Return the truth that the network blocks; `local` is how much of it can be said on the spot."""
    return Truth(status=Status.BLOCKED, patterns=patterns, cause=Cause.NETWORK, local=local)


def seeming(truth: Truth, *seen: Pattern) -> Truth:
    """Return the truth with what it looks like from here, where that is another pattern."""
    return msgspec.structs.replace(truth, seen=seen)


def hidden(*patterns: Pattern) -> Truth:
    """Return the truth that the network blocks, in a way that looks from here like the server's own fault.

    A control alone, one method of comparison, never settles that: who does it is likely, not certain.
    """
    truth = blocked(*patterns, local=Status.IMPAIRED)
    return msgspec.structs.replace(truth, outside=Status.LIKELY_BLOCKED)


def named(*patterns: Pattern) -> Truth:
    """Return the truth that the network blocks by name, which comparisons on the spot isolate but never settle."""
    return blocked(*patterns, local=Status.LIKELY_BLOCKED)


def likely(*patterns: Pattern) -> Truth:
    """Return the truth that the network blocks in a way that a name's own servers may choose as well for a country."""
    return msgspec.structs.replace(named(*patterns), outside=Status.LIKELY_BLOCKED)


def refusable(*patterns: Pattern) -> Truth:
    """Return the truth that the network blocks, in a way that a name's own servers use to refuse a country's resolvers.

    No control tells the two apart: its resolver stands in another country.
    """
    return msgspec.structs.replace(hidden(*patterns), outside=Status.IMPAIRED)


def partly(*patterns: Pattern, cause: Cause = Cause.NETWORK) -> Truth:
    """Return the truth that the target works, and that something is interfered with all the same."""
    return Truth(status=Status.DEGRADED, patterns=patterns, cause=cause)


def gone(*patterns: Pattern, local: Status = Status.IMPAIRED, seen: tuple[Pattern, ...] = ()) -> Truth:
    """Return the truth that it works for nobody; `seen` is what that looks like from here."""
    return Truth(status=Status.DOWN, patterns=patterns, cause=Cause.OUTAGE, local=local, seen=seen)


def own_doing(*patterns: Pattern, local: Status | None = None) -> Truth:
    """Return the truth that the server itself refuses."""
    return Truth(status=Status.SERVER_SIDE, patterns=patterns, cause=Cause.SERVER, local=local)


def works(*sites: Site) -> tuple[Symptom, ...]:
    """Return the proof that sites are served from their first addresses."""
    return tuple(Symptom(trial=Greet(address=s.addresses[0], server_name=s.name)) for s in sites)


def resolves(site: Site, resolver: str = ISP_RESOLVER) -> tuple[Symptom, ...]:
    """Return the proof that a resolver tells the truth about a site."""
    return (Symptom(trial=Resolve(name=site.name, resolver=resolver, addresses=site.v4)),)


def says(
    site: Site,
    *addresses: str,
    outcome: Outcome = Outcome.OK,
    resolver: str = ISP_RESOLVER,
    kind: str = "A",
    replies: int = 1,
) -> Symptom:
    """Return the proof of what a resolver says of a site."""
    trial = Resolve(name=site.name, resolver=resolver, query_type=kind, addresses=addresses, replies=replies)
    return Symptom(trial=trial, outcome=outcome)


def greets(site: Site, outcome: Outcome, *, at: Site | None = None, times: int = 1, at_s: float = 0.0) -> Symptom:
    """Return the proof of what a site's name meets in a hello, at its own first address or at another site's."""
    address = (at or site).addresses[0]
    return Symptom(trial=Greet(address=address, server_name=site.name), outcome=outcome, times=times, at_s=at_s)


def passes_neutral(site: Site, neutral: Site, *, at_s: float = 0.0) -> Symptom:
    """Return the proof that another name's hello gets through to the site: it shows a certificate not for that name."""
    trial = Greet(address=site.addresses[0], server_name=neutral.name)
    return Symptom(trial=trial, outcome=Outcome.BAD_CERTIFICATE, at_s=at_s)


def reaches(site: Site, outcome: Outcome = Outcome.OK, *, port: int = 443) -> tuple[Symptom, ...]:
    """Return the proof of what a SYN to each of a site's addresses meets."""
    return tuple(Symptom(trial=Reach(address=a, port=port), outcome=outcome) for a in site.addresses)


def asks(
    site: Site, outcome: Outcome = Outcome.OK, *, says: str = "", path: str = "/", at: Site | None = None
) -> Symptom:
    """Return the proof of what a request in clear meets."""
    trial = Ask(address=(at or site).addresses[0], host=site.name, says=says, path=path)
    return Symptom(trial=trial, outcome=outcome)


def loads(
    site: Site,
    *,
    path: str = "/",
    min_bytes: int = 0,
    max_bytes: int | None = None,
    says: str = "",
    within_s: float = 2.0,
) -> Symptom:
    """Return the proof of how much of a page arrives over TLS in so many seconds."""
    trial = Load(
        address=site.addresses[0], server_name=site.name, path=path, min_bytes=min_bytes, max_bytes=max_bytes,
        says=says, within_s=within_s,
    )  # fmt: skip
    return Symptom(trial=trial)


def render_block_page(status: str = "403 Forbidden", *fields: str, body: str = BLOCK_BODY) -> str:
    """Return the response that boxes put in place of a page."""
    head = (f"HTTP/1.1 {status}", "Content-Type: text/html; charset=utf-8", "Connection: close", *fields)
    return "\r\n".join((*head, f"Content-Length: {len(body.encode())}", "", body))
