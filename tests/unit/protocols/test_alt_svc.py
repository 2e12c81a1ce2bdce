"""Alt-Svc as sites write it, and as anybody may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.protocols.http.alt_svc import find_h3_port, parse_alt_svc


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ('h3=":443"; ma=86400', 443),
        ('h3-29=":443"; ma=1, h3=":8443"; ma=86400; persist=1', 8443),
        ('h2=":443", h3=":444"', 444),
        ('h3="other.example:443"', 0),
        ('h3=":0"', 0),
        ('h3=":70000"', 0),
        ("clear", 0),
        ("", 0),
        ("h3=:443", 0),
    ],
)
def test_the_port_of_the_same_host_counts(value, port):
    assert find_h3_port((("Alt-Svc", value),)) == port


def test_another_header_says_nothing():
    assert find_h3_port((("Via", 'h3=":443"'),)) == 0


@given(st.text(max_size=200))
def test_any_text_is_read_without_fail(text):
    assert all(0 < port < 65536 for _, _, port in parse_alt_svc(text))
