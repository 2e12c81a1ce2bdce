"""Resolvers as people write them, and what is said of those that make no sense."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.endpoint import Endpoint
from probe.model.errors import UserError
from probe.model.observation import Resolver, Transport
from probe.protocols.written.resolver_uri import SYSTEM, parse_resolver


@pytest.mark.parametrize(
    ("uri", "transport", "address", "port", "name", "path"),
    [
        ("udp://9.9.9.9", Transport.UDP, "9.9.9.9", 53, "", "/dns-query"),
        ("9.9.9.9", Transport.UDP, "9.9.9.9", 53, "", "/dns-query"),
        ("2620:fe::fe", Transport.UDP, "2620:fe::fe", 53, "", "/dns-query"),
        ("tcp://[2620:fe::fe]:5353", Transport.TCP, "2620:fe::fe", 5353, "", "/dns-query"),
        ("udp://[fe80::1%eth0]", Transport.UDP, "fe80::1%eth0", 53, "", "/dns-query"),
        ("dot://9.9.9.9#dns.quad9.net", Transport.DOT, "9.9.9.9", 853, "dns.quad9.net", "/dns-query"),
        ("doh+https://8.8.8.8/dns-query#dns.google", Transport.DOH, "8.8.8.8", 443, "dns.google", "/dns-query"),
        ("doh+https://8.8.8.8:8443/ask?x=1#Dns.Google", Transport.DOH, "8.8.8.8", 8443, "dns.google", "/ask?x=1"),
        ("doh+https://[2001:4860:4860::8888]", Transport.DOH, "2001:4860:4860::8888", 443, "", "/dns-query"),
    ],
)
def test_a_resolver_is_read(uri: str, transport: Transport, address: str, port: int, name: str, path: str) -> None:
    endpoint = Endpoint(address=address, port=port)
    assert parse_resolver(uri) == Resolver(transport=transport, endpoint=endpoint, server_name=name, path=path)


def test_system_is_this_hosts_own_view() -> None:
    assert parse_resolver("system") == parse_resolver(" System ") == parse_resolver(str(SYSTEM)) == SYSTEM


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "dns.google",
        "dot://dns.quad9.net",
        "https://8.8.8.8/dns-query",
        "udp://9.9.9.9#dns.quad9.net",
        "udp://9.9.9.9/path",
        "dot://user:secret@9.9.9.9",
        "udp://9.9.9.9:0",
        "udp://9.9.9.9:99999",
        "udp://[9.9.9.9",
        "dot://9.9.9.9#not a name",
        "udp://",
    ],
)
def test_what_is_no_resolver_is_the_users_error(uri: str) -> None:
    with pytest.raises(UserError):
        parse_resolver(uri)


def test_a_name_in_place_of_an_address_is_told_how_to_be_written() -> None:
    with pytest.raises(UserError) as caught:
        parse_resolver("dot://dns.quad9.net")
    assert "dot://ADDRESS#dns.quad9.net" in caught.value.remedy


@given(
    st.sampled_from(["udp", "tcp", "dot", "doh+https"]),
    st.ip_addresses().map(str),
    st.integers(1, 65535),
    st.sampled_from(["", "dns.example"]),
)
def test_what_is_shown_can_be_read_again(scheme: str, address: str, port: int, name: str) -> None:
    host = f"[{address}]" if ":" in address else address
    fragment = f"#{name}" if name and scheme in ("dot", "doh+https") else ""
    resolver = parse_resolver(f"{scheme}://{host}:{port}{fragment}")
    assert parse_resolver(str(resolver)) == resolver


@given(st.text(max_size=60))
def test_any_text_is_a_resolver_or_the_users_error(text: str) -> None:
    with contextlib.suppress(UserError):
        assert isinstance(parse_resolver(text), Resolver)
