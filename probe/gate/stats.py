"""What the gate says of itself, for metrics and for `--verbose`."""

import msgspec


class GateStats(msgspec.Struct, frozen=True, kw_only=True):
    """The gate at one moment; totals count since the process started."""

    in_flight: int
    """Grants not yet released, of every kind."""
    sockets_in_flight: int
    sockets_limit: int
    queued: int
    """Asks that wait, for whatever reason."""
    waiting_for_dns: int
    waiting_for_connections: int
    waiting_for_endpoint: int
    """Asks behind another holder of the same address and port."""
    hot: int
    bytes_sent_total: int
    bytes_received_total: int
    bytes_today: int
    """Both directions, in the last 24 hours."""
    deep_allowed: bool
    grants_total: int
    follow_ups_deferred_total: int
    """How often the storm guard said no."""
