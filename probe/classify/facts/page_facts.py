"""A page that came in the clear, held against what the site itself serves, and where on the way it came from.

Source: CONTRACT section 2 (an injected packet settles); TTL-limited requests as in `boundary.py`.
"""

from probe.classify.facts.boundary import Boundary
from probe.classify.facts.pages import differ, fingerprint_of, is_challenge
from probe.classify.facts.path_facts import PathFacts, host_of
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import is_literal
from probe.model.experiment import Design, NameKind, Place
from probe.model.observation import HTTPExchange
from probe.model.path_trace import TraceKind
from probe.protocols.special_address import is_special

ANSWERS_AT_LEAST = 2
"""Of tests, of controls, and of TTLs: what is seen once may be an accident."""
REFUSAL = 400
"""First status of the classes that refuse (RFC 9110 section 15)."""


def clear_page(facts: PathFacts) -> HTTPExchange | None:
    """Return what the check itself got in the clear on this path; `None` = no page, or an encrypted one."""
    page = facts.exchange
    return page if page is not None and not page.secure and page.status else None


def leads_to(page: HTTPExchange) -> str:
    """Return the host that a redirect leads to; empty = it is none, or stays where it is."""
    location = page.location
    return host_of(location) if "://" in location else ""


def is_kin(one: str, other: str) -> bool:
    """Tell whether two hosts are of one site, as far as their names tell: one is the other's parent, or a sibling."""
    if not one or not other:
        return True
    ours, theirs = one.lower().rstrip(".").split(".")[-2:], other.lower().rstrip(".").split(".")[-2:]
    return ours == theirs and not one.replace(".", "").isdigit()


def moves_away(page: HTTPExchange) -> bool:
    """Tell whether an answer redirects to another site."""
    there = leads_to(page)
    return bool(there) and not is_kin(host_of(page.url), there)


def is_moved_in_the_clear(facts: PathFacts) -> bool:
    """Tell whether we are redirected to another site in the clear, and not over https at the same address."""
    page, encrypted = clear_page(facts), facts.encrypted_page
    if page is None or encrypted is None or not moves_away(page) or facts.hop:
        return False
    return leads_to(encrypted) != leads_to(page)


def is_moved_untold(facts: PathFacts) -> bool:
    """Tell whether we are redirected to another site in the clear, and nothing is known of the site's https page."""
    page = clear_page(facts)
    return page is not None and facts.encrypted_page is None and moves_away(page) and not facts.hop


def leads_home(facts: PathFacts) -> bool:
    """Tell whether a redirect in the clear leads to an address of a private network, which a public site does not.

    A site that is in such a network itself may.
    """
    page = clear_page(facts)
    if page is None or not is_literal(leads_to(page)) or is_special(page.endpoint.address):
        return False
    return is_special(leads_to(page))


def is_other_in_the_clear(facts: PathFacts) -> bool:
    """Tell whether the page in the clear is plainly none that the site serves over https."""
    page, encrypted = clear_page(facts), facts.encrypted_page
    if page is None or encrypted is None:
        return False
    refuses = page.status >= REFUSAL > encrypted.status
    return refuses or differ(page, encrypted)


def refuses_without_https(facts: PathFacts) -> bool:
    """Tell whether a refusal came in the clear, and there is no https page to hold it against."""
    page = clear_page(facts)
    if page is None or facts.encrypted_page is not None or page.status < REFUSAL or is_challenge(page):
        return False
    return bool(facts.seen(Layer.TCP, at=tuple(Place), design=Design.ENCRYPTED_ROUTE))


def reads_like_block_page(facts: PathFacts) -> bool:
    """Tell whether the page in the clear is a known block page, and not the site's own."""
    page, encrypted = clear_page(facts), facts.encrypted_page
    own = encrypted is not None and fingerprint_of(facts.case, encrypted) is not None
    return page is not None and not own and fingerprint_of(facts.case, page) is not None


def landing_page(facts: PathFacts) -> HTTPExchange | None:
    """Return the last answer of the redirects that begin here; `None` = they were not followed."""
    pages = [
        o for o in facts.case.observations if isinstance(o, HTTPExchange) and not o.experiment and o.hop > facts.hop
    ]
    return pages[-1] if pages else None


def landed_on_block_page(facts: PathFacts) -> bool:
    """Tell whether the redirects that begin here end at a known block page."""
    page = landing_page(facts)
    return page is not None and fingerprint_of(facts.case, page) is not None


def breaks_over_https_too(facts: PathFacts) -> bool:
    """Tell whether the same request, under the site's own certificate, was cut off or left unanswered as well."""
    broken: bool | None = facts.rows.derived.get("broken over https")
    if broken is None:
        broken = facts.rows.derived["broken over https"] = _breaks_over_https(facts)
    return broken


def _breaks_over_https(facts: PathFacts) -> bool:
    """Tell whether the encrypted request is ended too; asked of all places at once, for it is the same on each path."""
    ended = facts.seen(Layer.HTTP, *TRIGGERABLE, at=tuple(Place), design=Design.ENCRYPTED_ROUTE)
    asked = {row.experiment.id for row in ended if row.experiment is not None and _is_encrypted(row)}
    shaken = facts.seen(Layer.TLS, Outcome.OK, at=tuple(Place), design=Design.ENCRYPTED_ROUTE)
    return any(row.experiment is not None and row.experiment.id in asked for row in shaken)


def _is_encrypted(row: Try) -> bool:
    return isinstance(row.observation, HTTPExchange) and row.observation.secure


def path_pairs(facts: PathFacts) -> int:
    """Return how often the page was cut off and another page of the same host came between, on fresh connections."""
    rows = sorted(facts.seen(Layer.HTTP, design=Design.PATH), key=lambda row: row.started_s)
    count, ready = 0, False
    for row in rows:
        if row.kind is NameKind.NONE:
            if row.outcome is not Outcome.OK:
                return 0
            ready = True
        elif facts.failing is not None and row.outcome is facts.failing.outcome and ready:
            count, ready = count + 1, False
    return count


def page_boundary(facts: PathFacts) -> Boundary | None:
    """Return from where on the way this path's page comes, when requests that cannot reach the server bring it."""
    found = facts.boundary(TraceKind.REQUEST, siblings=True, answered=True)
    enough = found is not None and min(found.ttls, found.tests, found.controls) >= ANSWERS_AT_LEAST
    return found if enough else None
