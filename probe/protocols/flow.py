"""A flow of bytes at a rate that is asked for: the path of the request, at a control's echo port.

Source: our own; both sides read it here.
"""

import re

MOST_FLOW_BYTES = 1024 * 1024
FASTEST_FLOW = 8 * 1024 * 1024
_FLOW = re.compile(rb"GET /flow/([0-9]{1,7})/([0-9]{1,7}) HTTP/1\.[01]\r\n").match


def build_flow_path(size: int, rate: int) -> str:
    """Return the path that asks for so many bytes at so many a second."""
    return f"/flow/{size}/{rate}"


def read_flow(head: bytes) -> tuple[int, int] | None:
    """Return bytes and bytes a second of a request for `/flow/BYTES/RATE`; `None` = it asks for no such thing."""
    found = _FLOW(head)
    if found is None:
        return None
    size, rate = int(found[1]), int(found[2])
    return (size, rate) if 0 < size <= MOST_FLOW_BYTES and 0 < rate <= FASTEST_FLOW else None
