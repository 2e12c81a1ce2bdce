"""Addresses that no public site has."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.protocols.special_address import is_special


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.10.34.34",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.7",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "2001::6ca0:a6d",
        "2001:db8::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "64:ff9b::a0a:2222",
        "::ffff:10.0.0.1",
        "not an address",
    ],
)
def test_no_public_site_is_there(address: str) -> None:
    assert is_special(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "2a03:2880::face", "2001:4860:4860::8888", "64:ff9b::808:808"],
)
def test_a_public_site_may_be_there(address: str) -> None:
    assert not is_special(address)


@given(st.ip_addresses())
def test_every_private_address_is_special(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_private:
        assert is_special(str(address))


@given(st.text(max_size=40))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(is_special(text), bool)
