import pytest

from probe.classify.facts.pages import differ, find_fingerprint, is_challenge, is_country_refusal
from probe.classify.judge import judge
from probe.model.fingerprint import Fingerprint, FoundIn, Matching, Reference
from probe.model.vantage import Vantage
from probe.model.verdict import Status
from tests.unit.classify.cases import OWN, Story

CLEAR = {"secure": False, "port": 80, "address": "http://www.site.example"}


def page(**fields):
    return Story(**CLEAR).http(**fields).observations[-1]


def mark(pattern, found_in=FoundIn.BODY, **fields):
    given = {"name": "mark", "scope": "nat", "found_in": found_in, "pattern": pattern}
    return Fingerprint(**(given | fields))


def match(answer, *fingerprints):
    return find_fingerprint(answer, Reference(fingerprints=fingerprints))


@pytest.mark.parametrize(
    ("fingerprint", "hit"),
    [
        (mark("ministry"), True),
        (mark("Ministry"), False),
        (mark("By order", matching=Matching.PREFIX), True),
        (mark("order", matching=Matching.PREFIX), False),
        (mark("By order of the ministry", matching=Matching.FULL), True),
        (mark("By order", matching=Matching.FULL), False),
        (mark(r"order .* ministry$", matching=Matching.REGEXP), True),
        (mark("Denied", FoundIn.TITLE), True),
        (mark("squid", FoundIn.HEADER, header="server"), True),
        (mark("squid", FoundIn.HEADER, header="via"), False),
        (mark("ministry", FoundIn.DNS), False),
    ],
)
def test_a_fingerprint_looks_where_it_says(fingerprint, hit):
    answer = page(body=b"By order of the ministry", title="Denied", headers=(("Server", "squid/5"),))
    assert (match(answer, fingerprint) is not None) is hit


@pytest.mark.parametrize(
    ("charset", "header"), [("windows-1251", True), ("windows-1251", False), ("koi8-r", True), ("utf-8", False)]
)
def test_a_phrase_is_found_in_the_charset_that_the_page_is_in(charset, header):
    words = "Доступ к ресурсу ограничен"
    meta = b"" if header else f'<meta charset="{charset}">'.encode()
    headers = (("Content-Type", f"text/html; charset={charset}"),) if header else ()
    answer = page(body=meta + words.encode(charset), headers=headers)
    assert match(answer, mark("ресурсу ограничен")) is not None


@pytest.mark.parametrize("charset", ["punycode", "unicode_escape", "hex", "nonsense"])
def test_a_charset_that_is_none_is_read_as_utf_8(charset):
    answer = page(body=b"a-" * 20000 + "é order".encode(), headers=(("Content-Type", f"x; charset={charset}"),))
    assert match(answer, mark("é order")) is not None


@pytest.mark.parametrize(("scope", "settles"), [("nat", True), ("isp", True), ("inst", False), ("vbw", False)])
def test_only_a_countrys_own_pages_settle(scope, settles):
    story = Story(**CLEAR).dns(OWN).tcp().http(body=b"closed by the ministry")
    known = Reference(fingerprints=(mark("by the ministry", scope=scope, expected_countries=("XA",)),))
    said = judge(story.case(reference=known, vantage=Vantage(country_code="XA")))
    assert (said.status is Status.BLOCKED) is settles


def test_a_known_false_positive_suppresses_every_match():
    answer = page(body=b"By order of the ministry", title="Denied")
    assert match(answer, mark("ministry"), mark("Denied", FoundIn.TITLE, scope="fp")) is None


def test_a_fingerprint_of_a_country_comes_before_one_of_anywhere():
    found = match(page(body=b"ministry order"), mark("ministry"), mark("order", expected_countries=("XA",)))
    assert found is not None
    assert found.expected_countries == ("XA",)


@pytest.mark.parametrize("status", [401, 403, 405, 429, 503])
def test_a_challenge_is_known_by_its_marks(status):
    assert is_challenge(page(status=status, body=b"<script src=/cdn-cgi/challenge-platform/x>"))
    assert not is_challenge(page(status=status, body=b"no"))


def test_a_page_that_merely_embeds_a_captcha_is_none():
    assert not is_challenge(page(status=200, body=b"g-recaptcha"))
    assert not is_challenge(page(status=200, headers=(("cf-mitigated", "challenge"),)))


def test_a_country_is_refused_by_451_or_in_words():
    assert is_country_refusal(page(status=451))
    assert is_country_refusal(page(status=403, body=b"This content is Not Available In Your Country."))
    assert not is_country_refusal(page(status=403, body=b"no"))
    assert not is_country_refusal(page(status=200, body=b"not available in your country"))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"title": "Morning Gazette"}, {"title": "Access denied"}, True),
        ({"title": "Morning Gazette"}, {"title": "Evening Gazette"}, False),
        ({"title": "", "body": b"x" * 100}, {"title": "", "body": b"x" * 100}, False),
        ({"title": "", "body": b"x" * 10}, {"title": "", "body": b"x" * 1000}, True),
        ({"title": "BBC", "body": b"x" * 500}, {"title": "CNN", "body": b"x" * 400}, False),
        ({"title": "BBC", "body": b"x" * 5}, {"title": "CNN", "body": b"x" * 400}, True),
        ({"title": "", "body": b""}, {"title": "", "body": b""}, False),
        ({"title": "Denied here"}, {"title": ""}, True),
        ({"headers": (("Location", "https://x/"),)}, {"title": "Morning Gazette"}, False),
    ],
)
def test_pages_differ_by_title_or_else_by_size(ours, theirs, expected):
    assert differ(page(**ours), page(**theirs)) is expected


def test_a_difference_alone_accuses_nobody():
    """Other titles, other sizes, a redirect here and none there: without a fingerprint nothing is a block page."""
    for fields in ({"title": "Access denied"}, {"body": b"x"}, {"status": 404}, {"status": 403}, {"status": 302}):
        story = Story(**CLEAR).dns(OWN).tcp().http(**fields)
        story.encrypted(1, title="Morning Gazette", body=b"y" * 900).wait(31).encrypted(2, title="Morning Gazette")
        assert judge(story.case()).status in (Status.OK, Status.IMPAIRED)


def test_a_match_needs_its_country_or_two_rounds_to_accuse():
    known = Reference(fingerprints=(mark("ministry", expected_countries=("XA",)),))
    here = Vantage(country_code="XB")
    one = Story(**CLEAR).dns(OWN).tcp().http(body=b"ministry", title="Access denied").encrypted(title="Morning Gazette")
    assert judge(one.case(reference=known, vantage=here)).status is Status.IMPAIRED
    soon = one.encrypted(2, title="Morning Gazette")
    assert judge(soon.case(reference=known, vantage=here)).status is Status.IMPAIRED
    later = one.wait(31).encrypted(3, title="Morning Gazette")
    assert judge(later.case(reference=known, vantage=here)).status is Status.LIKELY_BLOCKED


def test_a_title_less_block_page_in_place_of_a_title_less_page_is_found_by_its_fingerprint_alone():
    known = Reference(fingerprints=(mark("ministry", expected_countries=("XA",)),))
    story = Story(**CLEAR).dns(OWN).tcp().http(body=b"ministry").encrypted(title="", body=b"content!")
    assert judge(story.case(reference=known, vantage=Vantage(country_code="XA"))).status is Status.BLOCKED


def test_what_came_under_a_valid_certificate_is_the_sites_own_whatever_it_reads_like():
    known = Reference(fingerprints=(mark("ministry", expected_countries=("XA",)),))
    story = Story().dns(OWN).tcp().tls().http(body=b"By order of the ministry")
    assert judge(story.case(reference=known, vantage=Vantage(country_code="XA"))).status is Status.OK
