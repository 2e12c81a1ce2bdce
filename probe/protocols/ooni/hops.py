"""Where each record of an OONI measurement belongs: which redirect hop, and whether a client would have gone there.

Probes since 0.5 tag every record with `depth=N`. Those before do not: there a request's place in the list tells its
hop (newest first), and other records belong to the hop that asks for their name. The Python probes until 2020 list each
retry of a request that failed as well, and Measurement Kit leaves out the redirects before the last page.
"""

import functools
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from probe.model.errors import ProtocolError
from probe.protocols.http.redirect import REDIRECTS, WebAddress, parse_host, parse_location
from probe.protocols.ooni.archive import read_text
from probe.protocols.ooni.records import Query, TestKeys, Transaction

_DEPTH = "depth="
_SYSTEM_ENGINES = frozenset({"getaddrinfo", "golang_net_resolver", "system", "unknown", ""})
MAX_HOPS = 20


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One page on the way."""

    number: int
    site: WebAddress
    addresses: frozenset[str]
    """What the probe's own resolver gave for the name, or the literal that stands in its place."""
    resolved: bool
    """Whether the own resolver was asked for the name at all, as far as the file tells."""

    def is_own(self, address: str) -> bool:
        """Tell whether a client of the probe's network would have gone to this address."""
        return address in self.addresses or not self.resolved


def read_depth(tags: Sequence[str] | None) -> int | None:
    """Return the redirect hop that a record is tagged with; `None` = it is not."""
    for tag in tags or ():
        if tag.startswith(_DEPTH):
            number = tag[len(_DEPTH) :]
            return int(number) if number.isascii() and number.isdigit() and int(number) <= MAX_HOPS else None
    return None


def parse_site(url: str) -> WebAddress:
    """Return the address that a URL means.

    Raises:
        ProtocolError: it is no http or https URL.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ProtocolError(f"no URL: {url[:80]!r}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ProtocolError(f"no http or https URL: {url[:80]!r}")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebAddress(secure=secure, host=parse_host(parts.hostname), port=port or (443 if secure else 80), path=path)


def is_system(query: Query) -> bool:
    """Tell whether a lookup went by the probe's own resolver, as any program's on that host would."""
    return (query.engine or "") in _SYSTEM_ENGINES or "classic" in (query.tags or ())


@functools.lru_cache(maxsize=4096)
def read_name(name: str) -> str:
    """Return a host name as it goes on the wire; what is none stays as it is."""
    try:
        return parse_host(name)
    except ProtocolError:
        return name.lower()


def order_requests(site: WebAddress, keys: TestKeys) -> list[tuple[int, Transaction]]:
    """Return the requests with their hops, the first hop first."""
    requests = list(reversed(keys.requests or ()))
    tagged = [(read_depth(transaction.tags), transaction) for transaction in requests]
    if any(depth is not None for depth, _ in tagged):
        return sorted(((depth or 0, transaction) for depth, transaction in tagged), key=lambda pair: pair[0])
    return _count_hops(site, requests)


def _count_hops(site: WebAddress, requests: list[Transaction]) -> list[tuple[int, Transaction]]:
    """Return untagged requests with their hops: a retry stays in its hop, and what is elsewhere was led there."""
    counted: list[tuple[int, Transaction]] = []
    number, before = 0, None
    for transaction in requests:
        if before is None:
            number = 0 if _is_at(site, transaction) else 1
        elif not _is_retry(before, transaction):
            number += 1
        if number > MAX_HOPS:
            break
        counted.append((number, transaction))
        before = transaction
    return counted


def _is_at(site: WebAddress, transaction: Transaction) -> bool:
    """Tell whether a request goes to the site itself; one that does not say where does."""
    try:
        asked = parse_site(transaction.request.url if transaction.request is not None else "")
    except ProtocolError:
        return True
    return (asked.secure, asked.host, asked.port) == (site.secure, site.host, site.port)


def _is_retry(before: Transaction, transaction: Transaction) -> bool:
    """Tell whether a request asks again for what failed just before, without an answer."""
    answered = before.response is not None and bool(before.response.code)
    asked, again = (one.request.url if one.request is not None else "" for one in (before, transaction))
    return asked == again and before.failure is not None and not answered


def find_hops(site: WebAddress, keys: TestKeys) -> dict[int, Hop]:
    """Return the hops that the records tell of, the first always among them."""
    sites: dict[int, WebAddress] = {0: site}
    for number, transaction in order_requests(site, keys):
        here = sites.get(number)
        asked = transaction.request.url if transaction.request is not None else ""
        if number and here is None:
            try:
                here = sites[number] = parse_site(asked)
            except ProtocolError:
                continue
        following = None if here is None else _read_location(here, transaction)
        if following is not None:
            sites.setdefault(number + 1, following)
    for number, guessed in _guess_sites(keys).items():
        sites.setdefault(number, guessed)
    return {number: _build_hop(number, here, keys) for number, here in sorted(sites.items()) if number <= MAX_HOPS}


def _guess_sites(keys: TestKeys) -> dict[int, WebAddress]:
    """Return what the name asked for in a hop says of its page, for a file that lacks the requests."""
    secure = {read_depth(handshake.tags) for handshake in keys.tls_handshakes or ()}
    sites: dict[int, WebAddress] = {}
    for query in keys.queries or ():
        depth = read_depth(query.tags)
        if depth:
            port = 443 if depth in secure else 80
            site = WebAddress(secure=depth in secure, host=read_name(query.hostname), port=port)
            sites.setdefault(depth, site)
    return sites


def _read_location(here: WebAddress, transaction: Transaction) -> WebAddress | None:
    response = transaction.response
    if response is None or response.code not in REDIRECTS or not response.headers:
        return None
    location = next((read_text(value) for name, value in response.headers.items() if name.lower() == "location"), "")
    try:
        return parse_location(here, location)
    except ProtocolError:
        return None


def _build_hop(number: int, site: WebAddress, keys: TestKeys) -> Hop:
    if ":" in site.host or site.host.replace(".", "").isdigit():
        return Hop(number=number, site=site, addresses=frozenset({site.host}), resolved=True)
    # By name, not by hop: a probe asks once for a name, and remembers.
    mine = [q for q in keys.queries or () if is_system(q) and read_name(q.hostname) == site.host]
    addresses = {
        text for query in mine for answer in query.answers or () for text in (answer.ipv4, answer.ipv6) if text
    }
    return Hop(number=number, site=site, addresses=frozenset(addresses), resolved=bool(mine))
