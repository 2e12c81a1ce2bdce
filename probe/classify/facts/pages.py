"""What a page says of itself: block pages, challenges, refusals. Pure look-ups over one HTTP exchange.

Source: status meanings RFC 9110 section 15, RFC 7725 (451), RFC 6585 section 4 (429); challenge markers are those that
the large protection services document for their own customers.
"""

import re

from probe.classify.case import Case
from probe.classify.facts.print_index import index_of
from probe.model.fingerprint import Fingerprint, Reference
from probe.model.observation import HTTPExchange
from probe.protocols.http.content import decode_text, find_charset

_CHALLENGE_MARKS = (
    b"cf-chl-",
    b"challenge-platform",
    b"g-recaptcha",
    b"h-captcha",
    b"px-captcha",
    b"captcha-delivery.com",
    b"_incapsula_resource",
    b"awswafcaptcha",
)
_COUNTRY_REFUSALS = (
    b"not available in your country",
    b"not available in your region",
    b"block access from your country",
    b"blocked access from your country",
    b"country or region in which you are",
    b"error 1009",
)
_SEARCHED_BYTES = 65536
WORDS_AT_LEAST = 5
"""Pages of fewer different words are not held against each other by their words."""
WORDS_SHARED = 0.15
"""Of all different words: a page that changes between two looks keeps far more."""


def fingerprint_of(case: Case, page: HTTPExchange) -> Fingerprint | None:
    """Return which block page an answer is, found once, for a dozen rules ask; `None` = it is none that we know."""
    key = f"fingerprint {id(page)}"  # it lives as long as the case
    if key not in case.derived:
        said = (page.body, page.title, page.headers)  # a site's addresses often say the same
        if said not in case.derived:
            case.derived[said] = find_fingerprint(page, case.reference)
        case.derived[key] = case.derived[said]
    found: Fingerprint | None = case.derived[key]
    return found


def find_fingerprint(page: HTTPExchange, reference: Reference) -> Fingerprint | None:
    """Return the block page fingerprint that this answer matches; a known false positive suppresses all others.

    The text is what a reader would see: pages of the countries in question often come in charsets of their own.
    """
    headers = [(name.lower(), value) for name, value in page.headers]
    content_type = next((value for name, value in headers if name == "content-type"), "")
    body = decode_text(page.body[:_SEARCHED_BYTES], find_charset(page.body, content_type))
    found = index_of(reference.fingerprints).match_page(body, page.title, headers)
    if any(print_.suppresses for print_ in found):
        return None
    return min(found, key=lambda print_: not print_.expected_countries, default=None)


def is_challenge(page: HTTPExchange) -> bool:
    """Tell whether the answer asks the visitor to prove that they are human: the site is reachable."""
    if page.status < 400:
        return False
    if any(name.lower() == "cf-mitigated" and value.strip().lower() == "challenge" for name, value in page.headers):
        return True
    if page.status not in (401, 403, 405, 429, 503):
        return False
    body = page.body[:_SEARCHED_BYTES].lower()
    return any(mark in body for mark in _CHALLENGE_MARKS)


def is_country_refusal(page: HTTPExchange) -> bool:
    """Tell whether the server refuses this country by its own word, or by status 451."""
    if page.status != 403:
        return page.status == 451
    body = page.body[:_SEARCHED_BYTES].lower()
    return any(words in body for words in _COUNTRY_REFUSALS)


def differ(cleartext: HTTPExchange, encrypted: HTTPExchange) -> bool:
    """Tell whether two answers for one host are plainly not the same page.

    Titles decide when both have one with a word of five letters or more; else bodies of clearly different length do, or
    bodies that came whole and have next to no word in common. A redirect to the encrypted page is not a difference.
    """
    if cleartext.location or encrypted.location:
        return False
    ours, theirs = _words(cleartext.title), _words(encrypted.title)
    if ours and theirs:
        return not ours & theirs
    if ours or theirs:
        return True
    longer = max(cleartext.body_bytes, encrypted.body_bytes)
    if longer > 0 and min(cleartext.body_bytes, encrypted.body_bytes) / longer < 0.3:
        return True
    if cleartext.body_truncated or encrypted.body_truncated:
        return False
    said, meant = _text_words(cleartext.body), _text_words(encrypted.body)
    return min(len(said), len(meant)) >= WORDS_AT_LEAST and len(said & meant) / len(said | meant) < WORDS_SHARED


def _text_words(body: bytes) -> set[str]:
    """Return the words of a page's text, its tags left out."""
    text = re.sub(r"<[^>]*>", " ", body[:_SEARCHED_BYTES].decode("utf-8", "replace"))
    return set(re.findall(r"[^\W\d_]{4,}", text.lower()))


def _words(title: str) -> set[str]:
    return set(re.findall(r"\w{5,}", title.lower()))
