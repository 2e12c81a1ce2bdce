import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.endpoint import AddressFamily
from probe.model.errors import UserError
from probe.model.target import CheckName, Expect, Request, StatusRange, Target
from probe.protocols import specs_by_scheme
from probe.targets.address import parse_address
from probe.targets.traits import Traits


@pytest.mark.parametrize(
    ("written", "address", "check", "host", "port", "path"),
    [
        ("https://www.example.org", "https://www.example.org", CheckName.WEB, "www.example.org", 443, "/"),
        ("HTTPS://WWW.Example.ORG.:443/#top", "https://www.example.org", CheckName.WEB, "www.example.org", 443, "/"),
        ("www.example.org", "https://www.example.org", CheckName.WEB, "www.example.org", 443, "/"),
        ("http://a.example:80/x?y=z#f", "http://a.example/x?y=z", CheckName.WEB, "a.example", 80, "/x?y=z"),
        ("https://a.example?q", "https://a.example/?q", CheckName.WEB, "a.example", 443, "/?q"),
        ("https://a.example:8443/p", "https://a.example:8443/p", CheckName.WEB, "a.example", 8443, "/p"),
        ("a.example:8080", "http://a.example:8080", CheckName.WEB, "a.example", 8080, "/"),
        ("a.example:22", "tcp://a.example:22", CheckName.TCP, "a.example", 22, "/"),
        ("192.0.2.1", "https://192.0.2.1", CheckName.WEB, "192.0.2.1", 443, "/"),
        ("2001:DB8::1", "https://[2001:db8::1]", CheckName.WEB, "2001:db8::1", 443, "/"),
        ("[2001:db8:0::1]:853", "tcp://[2001:db8::1]:853", CheckName.TCP, "2001:db8::1", 853, "/"),
        ("tcp://[2001:db8::1]:22", "tcp://[2001:db8::1]:22", CheckName.TCP, "2001:db8::1", 22, "/"),
        ("tls://192.0.2.1", "tls://192.0.2.1:443", CheckName.TLS, "192.0.2.1", 443, "/"),
        ("icmp://192.0.2.1", "icmp://192.0.2.1", CheckName.ICMP, "192.0.2.1", 0, "/"),
        ("dns://Example.org", "dns://example.org", CheckName.DNS, "example.org", 53, "/"),
        ("dot://9.9.9.9:853", "dot://9.9.9.9", CheckName.DOT, "9.9.9.9", 853, "/"),
        ("doh+https://8.8.8.8", "doh+https://8.8.8.8/dns-query", CheckName.DOH, "8.8.8.8", 443, "/dns-query"),
        ("localhost:8080", "http://localhost:8080", CheckName.WEB, "localhost", 8080, "/"),
    ],
)
def test_every_way_to_write_an_address_has_one_canonical_form(written, address, check, host, port, path):
    target = parse_address(written)
    assert (target.address, target.check, target.host, target.port, target.path) == (address, check, host, port, path)
    assert target.source == "command line"


def test_names_in_any_script_become_what_goes_on_the_wire():
    assert parse_address("яндекс.рф").host == "xn--d1acpjx3f.xn--p1ai"
    assert parse_address("https://ЯНДЕКС.РФ/").id == parse_address("https://xn--d1acpjx3f.xn--p1ai").id
    assert parse_address("https://straße.example").host == "xn--strae-oqa.example"
    assert parse_address("https://例え。テスト/").host == "xn--r8jz45g.xn--zckzah"
    assert parse_address("https://a.example/путь").path == "/%D0%BF%D1%83%D1%82%D1%8C"
    assert parse_address("https://a.example/%d0%bf").path == "/%d0%bf"


def test_parameters_of_a_scheme_are_kept_in_canonical_form():
    dns = parse_address("dns://example.org?type=aaaa&resolver=dot://9.9.9.9#dns.quad9.net")
    assert dns.params == {"type": "AAAA", "resolver": "dot://9.9.9.9:853#dns.quad9.net"}
    assert parse_address(dns.address) == dns
    assert parse_address("tls://192.0.2.1?sni=WWW.example.org").params == {"sni": "www.example.org"}
    assert parse_address("tls://192.0.2.1?sni=").params == {"sni": ""}
    assert parse_address("tls://a.example?sni=a.example").params == {}
    alpn = parse_address("tls://a.example?alpn=h2,http/1.1&sni=")
    assert alpn.params == {"sni": "", "alpn": "h2,http/1.1"}
    assert parse_address(alpn.address) == alpn
    dot = parse_address("dot://9.9.9.9#dns.quad9.net")
    assert dot.params == {"sni": "dns.quad9.net"}
    doh = parse_address("doh+https://8.8.8.8/q?name=example.org&type=HTTPS#dns.google")
    assert doh.params == {"path": "/q", "sni": "dns.google", "name": "example.org", "type": "HTTPS"}
    assert parse_address(doh.address) == doh


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("", "empty"),
        ("https://", "host is missing"),
        ("tcp://a.example", "no port"),
        ("https://a.example:99999", "'99999' is not a port"),
        ("https://a.example:0", "'0' is not a port"),
        ("https://a.example:http", "'http' is not a port"),
        ("https://1.2.3", "not an IPv4 address"),
        ("https://999.1.1.1", "not an IPv4 address"),
        ("https://0x7f000001", "not an IPv4 address"),
        ("https://[2001:db8::1", "not closed"),
        ("https://[fe80::1%25eth0]/", "zone"),
        ("https://a_b!c.example/", "not a host name"),
        ("https://a..example/", "not a host name"),
        ("http://a.example\\b", "not a host name"),
        ("htps://a.example", "unknown scheme 'htps'"),
        ("hello", "not a full name"),
        ("/etc/passwd", "is a path"),
        ("a.example b.example", "blank or a control character"),
        ("https://a.example/\x1b[2J", "control character"),
        ("dns://8.8.8.8/example.org", "takes no path"),
        ("dns://example.org?type=NOPE", "no DNS type"),
        ("dns://example.org?resolver=udp://dns.google", "given by address"),
        ("dns://example.org:53", "no port"),
        ("icmp://a.example:1", "no port"),
        ("tls://a.example?sin=b.example", "no parameter 'sin'"),
        ("tls://a.example?alpn=h%202", "no ALPN names"),
        ("tls://a.example?sni=a.example&sni=b.example", "given twice"),
        ("https://" + "a" * 5000, "5008 characters"),
        ("https://" + "a." * 150 + "example", "not a host name"),
        ("office.ovpn", "office.ovpn is no file that can be read; check the name and the rights"),
        ("/nonexist.ovpn", "/nonexist.ovpn is no file that can be read"),
        ("~/wg0.conf", "~/wg0.conf is no file that can be read"),
        ("./links.txt", "is a path, and no file that can be read"),
        ("foo://a.example", "icmp://…, or a tunnel's link"),
        ("vles://a.example", "did you mean vless://?"),
        ("obfs4 192.0.2.1:443 0123 cert=secret iat-mode=0", "cert is no id and key of an obfs4 bridge"),
    ],
)
def test_what_is_no_address_is_one_line_that_says_why(written, what):
    with pytest.raises(UserError) as caught:
        parse_address(written, source="list.txt:7")
    line = str(caught.value)
    assert what in line
    assert line.startswith("list.txt:7: ")
    assert "\n" not in line
    assert "\x1b" not in line


# In NaïveProxy's links what stands alone before the @ is a user's name.
@pytest.mark.parametrize("scheme", sorted({*specs_by_scheme(), "later"} - {"naive", "naive+https"}))
def test_the_secret_of_a_link_stands_in_no_target_and_no_error(scheme):
    try:
        told = repr(parse_address(f"{scheme}://c2VjcmV0@192.0.2.1:443?key=c2VjcmV0"))
    except UserError as error:
        told = str(error)
        assert scheme in told
    assert "c2VjcmV0" not in told


@pytest.mark.parametrize("written", ["https://me:s3cret@a.example/", "me:s3cret@a.example", "tcp://s3cret@a.example:1"])
def test_user_names_and_passwords_are_refused_and_never_quoted(written):
    with pytest.raises(UserError, match="leave out all before the @") as caught:
        parse_address(written)
    assert "s3cret" not in str(caught.value)


def test_an_at_sign_in_a_path_is_no_password():
    assert parse_address("https://a.example/@user").path == "/@user"
    assert parse_address("https://a.example:444/@user").path == "/@user"


def test_the_id_is_the_name_for_a_site_on_its_usual_port():
    assert parse_address("https://www.example.org/").id == "www.example.org"
    assert parse_address("192.0.2.1").id == "192.0.2.1"


def test_ids_are_readable_and_differ_for_every_different_target():
    ids = [
        parse_address("https://a.example").id,
        parse_address("http://a.example").id,
        parse_address("https://a.example/x").id,
        parse_address("https://a.example/X").id,
        parse_address("https://a.example:444").id,
        parse_address("tcp://a.example:443").id,
        parse_address("tls://a.example").id,
        parse_address("icmp://a.example").id,
        parse_address("dns://a.example").id,
        parse_address("https://a.example", traits=Traits(family=AddressFamily.V4)).id,
        parse_address("https://a.example", traits=Traits(family=AddressFamily.V6)).id,
        parse_address("https://a.example", traits=Traits(request=Request(method="HEAD"))).id,
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9._-]+(~[0-9a-f]{10})?", one) and "a.example" in one for one in ids)


def test_an_id_never_changes():
    assert parse_address("tcp://gateway.example.org:1194").id == "tcp-gateway.example.org-1194~d7b9329e01"


def test_what_is_written_beside_an_address_does_not_change_its_id():
    expect = Expect(status=(StatusRange(low=200, high=299),))
    traits = Traits(group="g", labels={"a": "b"}, interval_s=60, expect=expect)
    assert parse_address("https://a.example/x", traits=traits).id == parse_address("https://a.example/x").id


@pytest.mark.parametrize(
    ("written", "traits", "what"),
    [
        ("tcp://a.example:1", Traits(expect=Expect(status=(StatusRange(low=200, high=200),))), "no meaning"),
        ("dns://a.example", Traits(expect=Expect(body="x")), "no meaning"),
        ("https://a.example", Traits(expect=Expect(answer=("192.0.2.1",))), "expect.answer"),
        ("http://a.example", Traits(expect=Expect(cert_sha256=("0" * 64,))), "needs TLS"),
        ("tcp://a.example:1", Traits(request=Request(method="HEAD")), "request has no meaning"),
        ("https://192.0.2.1", Traits(family=AddressFamily.V6), "family 6"),
        ("https://[2001:db8::1]", Traits(family=AddressFamily.V4), "family 4"),
    ],
)
def test_expectations_that_can_never_be_met_are_refused(written, traits, what):
    with pytest.raises(UserError, match=what):
        parse_address(written, traits=traits)


@given(st.text(max_size=80))
def test_any_text_is_a_target_or_a_user_error(text):
    _target_or_one_line(text)


_HEADS = ["https://", "http://", "tcp://", "tls://", "dns://", "dot://", "doh+https://", "icmp://", "udp://9.9.9.9"]
_HOSTS = ["a.example", "192.0.2.1", "[2001:db8::1]", "::1", "é", "。", "ß", "xn--", "0x", "99999999999", "\u200d"]
_MARKS = ["[", "]", ":", ":443", "/", "?", "#", "@", "%", "&", "\\", " ", "\x00", "-", "_", ".", "\ud800"]
_PIECES = st.sampled_from([*_HEADS, *_HOSTS, *_MARKS, "sni=", "alpn=h2", "type=A", "resolver="])


@given(st.lists(_PIECES, max_size=8).map("".join))
def test_any_pieces_of_addresses_are_a_target_or_a_user_error(text):
    _target_or_one_line(text)


def _target_or_one_line(text: str) -> None:
    error, target = None, None
    try:
        target = parse_address(text)
    except UserError as caught:
        error = caught
    if error is not None:
        assert "\n" not in str(error)
        return
    assert isinstance(target, Target)
    assert target.host.isascii()
    assert re.search(r"[\x00-\x20\x7f]", target.address + target.path) is None
    again = parse_address(target.address)
    assert (again.id, again.address, again.host, again.port, again.path, again.params) == (
        target.id,
        target.address,
        target.host,
        target.port,
        target.path,
        target.params,
    )
