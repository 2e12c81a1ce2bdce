"""Where redirects lead, and the cookies that come along."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.protocols.http.redirect import WebAddress, build_cookie_header, keep_cookies, parse_host, parse_location

BASE = WebAddress(secure=True, host="www.example.org", port=443, path="/a/b?c=d")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://other.example/", (True, "other.example", 443, "/")),
        ("http://other.example", (False, "other.example", 80, "/")),
        ("HTTP://Other.Example:8080/x?y=z#frag", (False, "other.example", 8080, "/x?y=z")),
        ("/login", (True, "www.example.org", 443, "/login")),
        ("next", (True, "www.example.org", 443, "/a/next")),
        ("?q=1", (True, "www.example.org", 443, "/a/b?q=1")),
        ("../../..", (True, "www.example.org", 443, "/")),
        ("//cdn.example/x", (True, "cdn.example", 443, "/x")),
        ("https://user:pw@host.example./", (True, "host.example", 443, "/")),
        ("http://10.10.34.34/?x", (False, "10.10.34.34", 80, "/?x")),
        ("http://[2001:DB8::1]:81/", (False, "2001:db8::1", 81, "/")),
        ("https://b\xc3\xbccher.example/\xc3\xbc?\xc3\xbc", (True, "xn--bcher-kva.example", 443, "/%C3%BC?%C3%BC")),
        ("/with space%20x", (True, "www.example.org", 443, "/with%20space%20x")),
        ("http://a_b.example/", (False, "a_b.example", 80, "/")),
    ],
)
def test_a_location_leads_somewhere(location, url):
    there = parse_location(BASE, location)
    assert (there.secure, there.host, there.port, there.path) == url


def test_a_relative_location_keeps_an_odd_port_and_a_literal_host():
    base = WebAddress(secure=False, host="::1", port=8080)
    assert parse_location(base, "/x") == WebAddress(secure=False, host="::1", port=8080, path="/x")


@pytest.mark.parametrize(
    "location",
    [
        "",
        "   ",
        "http://",
        "https:///path",
        "ftp://example.org/",
        "javascript:alert(1)",
        "http://exa mple.org/",
        "http://[::1/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org:x/",
        "http://999.1.1.1/",
        "http://a..b/",
        "http://-a-/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 200 + "example/",
        "http://\xff\xfe/",
        "/" + "x" * 9000,
    ],
)
def test_a_location_that_leads_nowhere_is_an_error(location):
    with pytest.raises(ProtocolError):
        parse_location(BASE, location)


@given(st.one_of(st.text(max_size=80), st.text(alphabet="htps:/.[]@#?%a1\xff ", max_size=40)))
@example("http://%zz/")
def test_any_location_leads_somewhere_or_is_an_error(location):
    try:
        there = parse_location(BASE, location)
    except ProtocolError:
        return
    assert there.path.startswith("/")
    assert there.path.isascii()
    assert " " not in there.path
    assert parse_host(there.host) == there.host
    assert 0 < there.port < 65536


def cookie_after(*lines: str, to: WebAddress = BASE, at: WebAddress = BASE) -> str:
    jar = keep_cookies((), at, [("Set-Cookie", line) for line in lines])
    return build_cookie_header(jar, to)


def test_cookies_go_back_to_the_host_that_set_them():
    assert cookie_after("a=1; Path=/; HttpOnly", "b=x=y") == "a=1; b=x=y"
    assert cookie_after("a=1", "a=2") == "a=2"
    assert cookie_after("a=1", to=WebAddress(secure=True, host="evil.example", port=443)) == ""
    assert cookie_after("a=1", to=WebAddress(secure=True, host="sub.www.example.org", port=443)) == ""


def test_a_cookie_for_the_domain_goes_to_its_other_hosts():
    bare = WebAddress(secure=True, host="example.org", port=443)
    other = WebAddress(secure=True, host="api.example.org", port=443)
    assert cookie_after("a=1; Domain=.example.org", to=other) == "a=1"
    assert cookie_after("a=1; domain=example.org", to=bare) == "a=1"
    assert cookie_after("a=1; Domain=other.org") == ""
    assert cookie_after("a=1; Domain=ample.org") == ""


def test_a_secure_cookie_stays_off_cleartext():
    clear = WebAddress(secure=False, host="www.example.org", port=80)
    assert cookie_after("a=1; Secure", "b=2", to=clear) == "b=2"


def test_a_cookie_without_time_left_is_gone():
    assert cookie_after("a=1", "a=; Max-Age=0") == ""
    assert cookie_after("a=1; Max-Age=-5") == ""
    assert cookie_after("a=1; Max-Age=00") == ""
    assert cookie_after("a=1; Max-Age=60") == "a=1"


def test_a_jar_is_bounded():
    lines = [f"c{n}={'x' * 100}" for n in range(1000)]
    assert cookie_after(*lines).count(";") == 49
    assert cookie_after("a=" + "x" * 5000) == ""


@given(st.lists(st.text(alphabet="ab=;- 0123456789Max-AgeDomain.", max_size=40)))
def test_any_cookies_do_no_harm(lines):
    cookie_after(*lines)
