"""Rules about HTTP: exchanges that broke, and pages that came."""

from collections.abc import Callable

from probe.classify.facts.page_facts import breaks_over_https_too
from probe.classify.facts.pages import differ, fingerprint_of, is_challenge, is_country_refusal
from probe.classify.facts.path_facts import PathFacts
from probe.classify.rules.injected import KEYWORD_RULES, OWN_REDIRECT_RULES
from probe.classify.rules.path import (
    ARTEFACT,
    HTTP,
    NET,
    OBSERVED,
    SERVER,
    UNKNOWN,
    D,
    named,
    repeated,
    unasked,
    unexplained,
    unnamed,
)
from probe.classify.rules.rule import C1, C2, C3, Rule
from probe.classify.tries import Outcome
from probe.model.expectation import unmet_expectations
from probe.model.failure import FailureCode
from probe.model.observation import Ending, HTTPExchange
from probe.model.pattern import Pattern
from probe.model.verdict import Confidence

_Test = Callable[[PathFacts], bool]


def _page(facts: PathFacts) -> HTTPExchange | None:
    page = facts.exchange
    return page if page is not None and page.status else None


def _cleartext(facts: PathFacts) -> bool:
    return facts.exchange is not None and not facts.exchange.secure


def _proven(facts: PathFacts) -> bool:
    """Tell whether the page came encrypted under a valid certificate, so that the server itself sent it."""
    return facts.exchange is not None and facts.exchange.secure and facts.is_proven


def _known_page(facts: PathFacts) -> bool:
    page = _page(facts)
    if page is None or _proven(facts) or _own_page(facts):
        return False
    return fingerprint_of(facts.case, page) is not None


def _country_page(facts: PathFacts) -> bool:
    page = _page(facts)
    found = fingerprint_of(facts.case, page) if page is not None and _known_page(facts) else None
    return found is not None and found.settles_in(facts.case.vantage.country_code)


def _other_page_encrypted(facts: PathFacts) -> bool:
    page, encrypted = _page(facts), facts.encrypted_page
    return page is not None and encrypted is not None and _cleartext(facts) and differ(page, encrypted)


def _own_page(facts: PathFacts) -> bool:
    """Tell whether the site's own https page reads like a block page as well: then it is the site's."""
    encrypted = facts.encrypted_page
    return encrypted is not None and fingerprint_of(facts.case, encrypted) is not None


def _same_encrypted(facts: PathFacts) -> bool:
    page, encrypted = _page(facts), facts.encrypted_page
    return page is not None and encrypted is not None and page.status == encrypted.status


def _two_rounds(facts: PathFacts) -> Confidence:
    return C2 if facts.encrypted_rounds >= 2 else C1


def _status(*wanted: int) -> _Test:
    return lambda f: (page := _page(f)) is not None and page.status in wanted


def _own_word(facts: PathFacts) -> bool:
    """Tell whether the server itself said it: under a valid certificate, or with the same status over https."""
    return _proven(facts) or _same_encrypted(facts)


def _page_that(test: Callable[[HTTPExchange], bool]) -> _Test:
    return lambda f: (page := _page(f)) is not None and test(page)


def _said(rule_id: str, test: _Test, pattern: Pattern, reason: str) -> Rule[PathFacts]:
    return Rule(
        id=rule_id,
        when=lambda f: test(f) and _own_word(f),
        pattern=pattern,
        cause=SERVER,
        family=OBSERVED,
        level=C2,
        reason=reason,
    )


def _unmet(facts: PathFacts) -> bool:
    expect = facts.case.target.expect
    if expect is None:
        return False
    chain = facts.handshake.chain if facts.handshake else ()
    return bool(unmet_expectations(expect, facts.exchange, chain, ()))


def _broken_code(facts: PathFacts) -> FailureCode | None:
    exchange = facts.exchange
    return exchange.failure.code if exchange is not None and exchange.failure is not None else None


def _cut(*endings: Ending | None) -> _Test:
    """Return a test of whether an answer began, and broke off in one of these ways."""
    return lambda f: f.failed(HTTP, Outcome.CUT) and f.exchange is not None and f.exchange.ending in endings


def _cut_short(rule_id: str, test: _Test, pattern: Pattern, reason: str) -> Rule[PathFacts]:
    return Rule(
        id=rule_id, when=test, pattern=pattern, cause=UNKNOWN, family=OBSERVED, level=repeated, reason=reason
    )  # fmt: skip


_server_error = _page_that(lambda page: page.status >= 500)

BLOCKPAGE_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="http.blockpage.country_fingerprint",
        when=_country_page,
        pattern=Pattern.HTTP_BLOCKPAGE,
        cause=NET,
        family=ARTEFACT,
        level=C3,
        reason="The page is a block page known from this country.",
    ),
    Rule(
        id="http.blockpage.fingerprint.encrypted_differs",
        when=lambda f: _known_page(f) and _other_page_encrypted(f),
        pattern=Pattern.HTTP_BLOCKPAGE,
        cause=NET,
        family=D,
        level=_two_rounds,
        reason="The page reads like a block page; the same site over https, with its own certificate, serves another.",
    ),
    Rule(
        id="http.blockpage.fingerprint",
        when=_known_page,
        pattern=Pattern.HTTP_BLOCKPAGE,
        cause=UNKNOWN,
        family=OBSERVED,
        reason="The page reads like a block page, but not like one known from this country.",
    ),
)

PAGE_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="srv.challenge.seen",
        when=_page_that(is_challenge),
        pattern=Pattern.SRV_CHALLENGE,
        cause=SERVER,
        family=OBSERVED,
        level=C2,
        usable=True,
        reason="The site asks visitors to prove that they are human: it is reachable.",
    ),
    _said(
        "srv.geoblock.http.own_word",
        _page_that(is_country_refusal),
        Pattern.SRV_GEOBLOCK_HTTP,
        "The server itself refuses this country or region.",
    ),
    _said(
        "srv.rate_limited.429",
        _status(429),
        Pattern.SRV_RATE_LIMITED,
        "The server itself says that it got too many requests.",
    ),
    _said("srv.auth_failed.401", _status(401, 407), Pattern.SRV_AUTH_FAILED, "The server itself asks for a login."),
    _said("srv.refused.403", _status(403), Pattern.SRV_GEOBLOCK_HTTP, "The server itself refuses the request (403)."),
    _said("srv.http_error.5xx", _server_error, Pattern.SRV_HTTP_ERROR, "The server itself reports a fault."),
    Rule(
        id="http.refusal.cleartext",
        when=lambda f: _cleartext(f) and (_status(401, 403, 407, 429, 451)(f) or _server_error(f)),
        pattern=Pattern.HTTP,
        cause=UNKNOWN,
        family=OBSERVED,
        reason="A refusal came in the clear; anyone on the way could have sent it.",
    ),
    Rule(
        id="srv.redirect_loop.own_word",
        when=lambda f: _broken_code(f) is FailureCode.TOO_MANY_REDIRECTS and _proven(f),
        pattern=Pattern.SRV_REDIRECT_LOOP,
        cause=SERVER,
        family=OBSERVED,
        reason="More than ten redirects in a row.",
    ),
    Rule(
        id="srv.http_error.location",
        when=lambda f: _broken_code(f) is FailureCode.HTTP_INVALID_REDIRECT and _proven(f),
        pattern=Pattern.SRV_HTTP_ERROR,
        cause=SERVER,
        family=OBSERVED,
        reason="The server redirects to an address that is none.",
    ),
    *OWN_REDIRECT_RULES,
    Rule(
        id="http.redirect.cleartext",
        when=lambda f: _broken_code(f) in (FailureCode.TOO_MANY_REDIRECTS, FailureCode.HTTP_INVALID_REDIRECT),
        pattern=Pattern.HTTP,
        cause=UNKNOWN,
        family=OBSERVED,
        reason="A redirect that leads nowhere came in the clear; anyone on the way could have sent it.",
    ),
    Rule(
        id="srv.unexpected.proven",
        when=lambda f: _unmet(f) and _proven(f),
        pattern=Pattern.SRV_UNEXPECTED,
        cause=SERVER,
        family=OBSERVED,
        reason="The answer comes from the server itself, and is not what the target expects.",
    ),
    Rule(
        id="http.unexpected.seen",
        when=_unmet,
        pattern=Pattern.HTTP,
        cause=UNKNOWN,
        family=OBSERVED,
        reason="The answer is not what the target expects.",
    ),
)

EXCHANGE_RULES: tuple[Rule[PathFacts], ...] = (
    *unasked(HTTP),
    Rule(
        id="http.broken.encrypted_too",
        when=lambda f: f.failed(HTTP, Outcome.RESET, Outcome.FIN, Outcome.SILENT) and breaks_over_https_too(f),
        pattern=Pattern.HTTP,
        cause=UNKNOWN,
        family=D,
        reason="Over https, under the site's own certificate, the same request ends in the same way: nobody on the way"
        " can read that one.",
    ),
    *KEYWORD_RULES,
    named(HTTP, Outcome.RESET, Pattern.HTTP_RESET_HOST, "The connection is reset as soon as the host is named;"),
    named(HTTP, Outcome.FIN, Pattern.HTTP_FIN_HOST, "The connection is closed as soon as the host is named;"),
    named(HTTP, Outcome.SILENT, Pattern.HTTP_TIMEOUT_HOST, "Nothing comes back once the host is named;"),
    unnamed(HTTP, Outcome.RESET, Pattern.HTTP_RESET, "The connection is reset after the request."),
    unnamed(HTTP, Outcome.FIN, Pattern.HTTP_FIN, "The connection is closed after the request."),
    unnamed(HTTP, Outcome.SILENT, Pattern.HTTP_TIMEOUT, "Nothing comes back after the request."),
    _cut_short(
        "http.reset.mid_page",
        _cut(Ending.RESET),
        Pattern.HTTP_RESET,
        "The page begins, and the connection is reset before its end.",
    ),
    _cut_short(
        "http.fin.mid_page", _cut(Ending.FIN), Pattern.HTTP_FIN, "The page begins, and is closed before its end."
    ),
    _cut_short(
        "flow.stalled.mid_page",
        lambda f: f.failed(HTTP, Outcome.CUT),
        Pattern.FLOW,
        "The page begins, and does not come to its end in time.",
    ),
    Rule(
        id="srv.http_error.garbled",
        when=lambda f: f.failed(HTTP, Outcome.GARBAGE) and _proven(f),
        pattern=Pattern.SRV_HTTP_ERROR,
        cause=SERVER,
        family=OBSERVED,
        level=lambda f: max(repeated(f), C1),
        reason="The server itself, under its own certificate, sends what is not HTTP.",
    ),
    unnamed(HTTP, Outcome.GARBAGE, Pattern.HTTP, "What comes back is not HTTP."),
    unexplained(HTTP, Pattern.HTTP, "The exchange fails in a way that tells nothing of its cause."),
)
"""An exchange that broke."""
