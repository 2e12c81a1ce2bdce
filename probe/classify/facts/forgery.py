"""What gives a forged answer away beyond its content: who serves at the address, who contradicts himself, how far off.

Source: Anonymous et al., "Triplet Censors" (FOCI 2020), and Hoang et al., "How Great is the Great Firewall?" (USENIX
Security 2021), for what injected answers look like to a client. A name may be answered differently by honest resolvers
(CDNs, stale caches), so a difference alone says nothing; each function here looks for what no honest difference
explains.
"""

import ipaddress
from collections.abc import Iterable

from probe.classify.case import Case
from probe.classify.facts.answers import agrees, values_of
from probe.classify.facts.pages import fingerprint_of
from probe.classify.facts.print_index import index_of
from probe.classify.tries import ENCRYPTED, Outcome, Try
from probe.model.experiment import Design, NameKind
from probe.model.observation import DNSLookup, HTTPExchange, TLSHandshake, Transport

NAMES_AT_LEAST = 2
"""So many unrelated sites must be served at one address before it is called a proxy."""
REPLIES_AT_LEAST = 3
"""So many replies to the name, and so many to neutral names, before their distances are held against each other."""
_PREFIX = {4: 16, 6: 32}
"""Addresses that share so many bits may be of one operator; where AS data is at hand it decides instead."""


def neighbourhood(address: str) -> str:
    """Return the block that an address stands in; what is no address stands for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, _PREFIX[parsed.version]), strict=False))


def find_proxies(table: Iterable[Try], own: frozenset[str], truth: frozenset[str]) -> frozenset[str]:
    """Return the given addresses that served valid certificates of several sites which have nothing in common.

    `own` is what our resolver gave for the name, `truth` what encrypted resolvers give. One CDN may serve many names at
    any of its addresses, so a neutral name counts only if encrypted resolvers put it elsewhere: into another block than
    the address, than the name's own site, and than the other neutral names.
    """
    rows = tuple(table)
    homes: dict[str, frozenset[str]] = {}
    for row in rows:
        seen = row.observation
        if isinstance(seen, DNSLookup) and row.kind is NameKind.NEUTRAL and seen.resolver.transport in ENCRYPTED:
            homes[seen.name] = homes.get(seen.name, frozenset()) | frozenset(seen.addresses)
    if len(homes) < NAMES_AT_LEAST:
        return frozenset()
    strangers = frozenset(map(neighbourhood, truth))
    found = set()
    for address in own - truth:
        taken = strangers | {neighbourhood(address)}
        names = 0
        for name in sorted(_served_at(rows, address)):
            blocks = frozenset(map(neighbourhood, homes.get(name, frozenset())))
            if blocks and not blocks & taken:
                names += 1
                taken |= blocks
        if names >= NAMES_AT_LEAST:
            found.add(address)
    return frozenset(found)


def _served_at(rows: tuple[Try, ...], address: str) -> frozenset[str]:
    """Return the neutral names whose valid certificate an address showed."""
    return frozenset(
        row.observation.server_name
        for row in rows
        if isinstance(row.observation, TLSHandshake)
        and row.address == address
        and row.kind is NameKind.NEUTRAL
        and row.experiment is not None
        and row.experiment.design is Design.PROXY
        and row.observation.verified
    )


def find_two_faced(lookups: Iterable[tuple[Try, DNSLookup]], truth: frozenset[str]) -> frozenset[str]:
    """Return the servers that gave the truth in private, or nothing, and always something else in the clear."""
    private: dict[str, frozenset[str]] = {}
    clear: dict[str, list[frozenset[str]]] = {}
    for row, lookup in lookups:
        endpoint = lookup.resolver.endpoint
        if endpoint is None or row.experiment is None:
            continue
        if lookup.resolver.transport in ENCRYPTED:
            if row.outcome in (Outcome.OK, Outcome.NO_SUCH_NAME):
                known = private.get(endpoint.address, frozenset())
                private[endpoint.address] = known | frozenset(values_of(lookup))
        elif lookup.resolver.transport is Transport.UDP and row.outcome is Outcome.OK:
            clear.setdefault(endpoint.address, []).append(frozenset(values_of(lookup)))
    return frozenset(
        server
        for server, given in clear.items()
        if server in private and not any(agrees(one, truth | private[server]) for one in given)
    )


def from_other_distance(test: Iterable[DNSLookup], neutral: Iterable[DNSLookup]) -> bool:
    """Tell whether one server's replies about the name came over other numbers of hops than those about neutral names.

    A server's packets pass the same routers whatever they say; who answers in its name stands elsewhere, unless it
    takes the trouble to count.
    """
    ours, theirs = _ttls(test), _ttls(neutral)
    return min(len(ours), len(theirs)) >= REPLIES_AT_LEAST and not set(ours) & set(theirs)


def _ttls(lookups: Iterable[DNSLookup]) -> list[int]:
    replies = (lookup.accepted for lookup in lookups if lookup.resolver.transport is Transport.UDP)
    return [reply.ip_ttl for reply in replies if reply is not None and reply.ip_ttl is not None]


def gives_block_page(lookups: Iterable[DNSLookup], case: Case) -> bool:
    """Tell whether an answer holds an address or alias that lists know for block pages of the vantage's country."""
    index, country = index_of(case.reference.fingerprints), case.vantage.country_code
    answers = (answer for o in lookups if o.accepted is not None for answer in o.accepted.answers)
    return any(known.settles_in(country) for answer in answers for known in index.match_answer(answer.value))


def shows_block_page(rows: Iterable[Try], case: Case) -> bool:
    """Tell whether a page that came in the clear, and not for an experiment, reads like a block page."""
    pages = (row.observation for row in rows if row.experiment is None)
    clear = (page for page in pages if isinstance(page, HTTPExchange) and not page.secure and page.status)
    return any(fingerprint_of(case, page) is not None for page in clear)
