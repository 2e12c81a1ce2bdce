"""The request for a flow at a steady rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.protocols.flow import FASTEST_FLOW, MOST_FLOW_BYTES, build_flow_path, read_flow


@given(size=st.integers(1, MOST_FLOW_BYTES), rate=st.integers(1, FASTEST_FLOW))
def test_what_is_asked_for_is_read(size, rate):
    head = f"GET {build_flow_path(size, rate)} HTTP/1.1\r\nHost: any.example\r\n\r\n".encode()
    assert read_flow(head) == (size, rate)


@pytest.mark.parametrize(("size", "rate"), [(0, 1), (1, 0), (MOST_FLOW_BYTES + 1, 1), (1, FASTEST_FLOW + 1)])
def test_too_much_or_nothing_is_no_flow(size, rate):
    assert read_flow(f"GET {build_flow_path(size, rate)} HTTP/1.1\r\n\r\n".encode()) is None


@given(st.binary(max_size=200))
def test_any_head_is_a_flow_within_its_limits_or_none(head):
    flow = read_flow(head)
    assert flow is None or (0 < flow[0] <= MOST_FLOW_BYTES and 0 < flow[1] <= FASTEST_FLOW)
