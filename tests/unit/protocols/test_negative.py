"""The SOA of a negative answer, and whatever else may come in its place."""

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.protocols.dns.negative import Negative, read_negative

SOA = "ns1.site.example. hostmaster.site.example. 1 7200 900 1209600 3600"


def build(zone="Site.example.", ttl_s=900, *, section="authority"):
    message = dns.message.make_response(dns.message.make_query("www.site.example", "A", id=1))
    message.set_rcode(dns.rcode.NXDOMAIN)
    getattr(message, section).append(dns.rrset.from_text(zone, ttl_s, "IN", "SOA", SOA))
    return message.to_wire()


@pytest.mark.parametrize(("zone", "read"), [("Site.example.", "site.example"), (".", ""), ("example.", "example")])
def test_the_zone_and_what_is_left_are_read(zone, read):
    assert read_negative(build(zone, 12)) == Negative(zone=read, ttl_s=12)


def test_a_policys_own_record_is_in_another_section_and_counts_nothing():
    assert read_negative(build(section="additional")) is None


@pytest.mark.parametrize("data", [b"", b"x", dns.message.make_query("a.example", "A", id=7).to_wire()])
def test_no_record_is_nothing(data):
    assert read_negative(data) is None


def test_a_message_cut_anywhere_is_nothing():
    whole = build()
    assert all(read_negative(whole[:end]) is None for end in range(len(whole)))


@given(st.binary(max_size=128))
def test_any_bytes_are_a_record_or_nothing(data):
    assert read_negative(data) is None or isinstance(read_negative(data), Negative)


@given(st.integers(0, 2**31 - 1), st.integers(0, 200), st.integers(0, 255))
def test_a_byte_changed_anywhere_never_raises(ttl_s, place, value):
    data = bytearray(build(ttl_s=ttl_s))
    data[place % len(data)] = value
    read_negative(bytes(data))
