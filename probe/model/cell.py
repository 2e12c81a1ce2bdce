"""One cell of the heat map as a byte: how bad it was at worst, and in which layer.

The high four bits are the status, ordered so that the worse of two cells is the larger byte; the low four bits are the
layer of the primary pattern. 0 = nothing was measured.
"""

from probe.model.pattern import Pattern
from probe.model.verdict import Status

NOTHING = 0
STATUSES: tuple[Status | None, ...] = (
    None,
    Status.INSUFFICIENT,
    Status.OK,
    Status.DEGRADED,
    Status.IMPAIRED,
    Status.SERVER_SIDE,
    Status.DOWN,
    Status.LIKELY_BLOCKED,
    Status.BLOCKED,
)
"""By the high four bits, mildest first; the first stands for nothing measured."""
LAYERS = (
    "", "dns", "ip", "tcp", "tls", "http", "quic", "flow", "vpn", "srv", "net", "local", "outage", "instrument",
)  # fmt: skip
"""By the low four bits; the first stands for no pattern."""

SEVERITY = {status: number for number, status in enumerate(STATUSES) if status is not None}
_LAYER_CODES = {layer: number for number, layer in enumerate(LAYERS)}
OK = SEVERITY[Status.OK] << 4


def encode_cell(status: Status, pattern: Pattern | None = None) -> int:
    """Return the byte of a run that came out so."""
    return SEVERITY[status] << 4 | (_LAYER_CODES[pattern.layer] if pattern is not None else 0)


def decode_cell(code: int) -> tuple[Status | None, str]:
    """Return status and layer of a byte; `None` = nothing was measured.

    Raises:
        IndexError: no cell has this code.
    """
    return STATUSES[code >> 4], LAYERS[code & 15]
