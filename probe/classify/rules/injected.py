"""Rules about pages that somebody on the way sends in the site's name, and redirects that the site itself sends."""

from collections.abc import Callable

from probe.classify.facts.boundary import Boundary
from probe.classify.facts.page_facts import (
    is_moved_in_the_clear,
    is_other_in_the_clear,
    landed_on_block_page,
    leads_home,
    page_boundary,
    path_pairs,
    reads_like_block_page,
    refuses_without_https,
)
from probe.classify.facts.path_facts import PathFacts
from probe.classify.pairs import PAIRS
from probe.classify.rules.rule import C1, C2, C3, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, EvidenceFamily

ARTEFACT, D, OBSERVED = EvidenceFamily.ARTEFACT, EvidenceFamily.OTHER_ROUTE, EvidenceFamily.OBSERVED


def _takes_its_place(facts: PathFacts) -> bool:
    return is_other_in_the_clear(facts) or reads_like_block_page(facts) or refuses_without_https(facts)


def _sent_by_another(
    rule_id: str, pattern: Pattern, when: Callable[[PathFacts], bool], what: str
) -> tuple[Rule[PathFacts], ...]:
    """Return the rule for what comes from before the target's network, and for what comes from who knows whose."""

    def from_way(facts: PathFacts, *, outside: bool) -> bool:
        boundary: Boundary | None = page_boundary(facts) if when(facts) else None
        return boundary is not None and not boundary.is_local and boundary.is_outside is outside

    return (
        Rule(
            id=f"{rule_id}.injected",
            when=lambda f: from_way(f, outside=True),
            pattern=pattern,
            cause=Cause.NETWORK,
            family=ARTEFACT,
            level=C3,
            reason=f"{what} answers requests that die before they reach the target's network.",
        ),
        Rule(
            id=f"{rule_id}.traced",
            when=lambda f: from_way(f, outside=False),
            pattern=pattern,
            cause=Cause.UNKNOWN,
            family=ARTEFACT,
            level=C1,
            reason=f"{what} answers requests that die on the way; whose device sends it is not known.",
        ),
    )


INJECTED_RULES: tuple[Rule[PathFacts], ...] = (
    *_sent_by_another("http.redirect", Pattern.HTTP_REDIRECT, is_moved_in_the_clear, "A redirect to another site"),
    *_sent_by_another("http.blockpage", Pattern.HTTP_BLOCKPAGE, _takes_its_place, "A page that is not the site's"),
)
"""Where on the way a page comes from settles whose it is, if it is known in whose network that is."""

MOVED_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="http.redirect.private",
        when=leads_home,
        pattern=Pattern.HTTP_REDIRECT,
        cause=Cause.UNKNOWN,
        family=OBSERVED,
        level=C1,
        reason="In the clear the site seems to redirect into a private network: a box at home, at the provider, or"
        " behind it sends that, or the site is set up wrongly.",
    ),
    Rule(
        id="http.redirect.to_block_page",
        when=lambda f: is_moved_in_the_clear(f) and landed_on_block_page(f),
        pattern=Pattern.HTTP_REDIRECT,
        cause=Cause.UNKNOWN,
        family=D,
        reason="In the clear the site seems to redirect to what reads like a block page; over https it does not.",
    ),
)
"""Where nothing tells who sent it."""


def _wrong_redirect(facts: PathFacts, code: FailureCode) -> bool:
    """Tell whether the same wrong redirect came in the clear, and over https under the site's own certificate."""
    page, encrypted = facts.exchange, facts.encrypted_page
    failures = [seen.failure.code for seen in (page, encrypted) if seen is not None and seen.failure is not None]
    return page is not None and not page.secure and failures == [code, code]


KEYWORD_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="http.reset.keyword.other_page_ok",
        when=lambda f: f.failed(Layer.HTTP, Outcome.RESET) and path_pairs(f) > 0,
        pattern=Pattern.HTTP_RESET_KEYWORD,
        cause=Cause.NETWORK,
        family=EvidenceFamily.DIFFERENTIAL,
        # A server's own firewall reads addresses of pages too, and those that come encrypted as well.
        level=lambda f: C2 if path_pairs(f) >= PAIRS and f.encrypted_page is not None else C1,
        reason="A word in the page's address brings a reset, with another host as well; other pages of the host come.",
    ),
)
"""Where the host makes no difference, the path may."""

OWN_REDIRECT_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="srv.redirect_loop.encrypted_too",
        when=lambda f: _wrong_redirect(f, FailureCode.TOO_MANY_REDIRECTS),
        pattern=Pattern.SRV_REDIRECT_LOOP,
        cause=Cause.SERVER,
        family=D,
        level=C2,
        reason="More than ten redirects in a row, and over https the site goes on like that as well.",
    ),
    Rule(
        id="srv.http_error.location_encrypted_too",
        when=lambda f: _wrong_redirect(f, FailureCode.HTTP_INVALID_REDIRECT),
        pattern=Pattern.SRV_HTTP_ERROR,
        cause=Cause.SERVER,
        family=D,
        level=C2,
        reason="The server redirects to an address that is none, over https as well.",
    ),
)
"""What the site says under its own certificate, it says in the clear as well."""
