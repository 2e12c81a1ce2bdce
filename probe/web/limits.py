"""What a client can hold of us, in one value."""

import msgspec


class WebLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on connections and scrapes."""

    connections: int = 200
    backlog: int = 128
    """Connections that the system holds until they are accepted."""
    handshakes: int = 50
    """TLS handshakes under way, besides; each holds half a megabyte."""
    handshake_s: float = 10.0
    head_s: float = 10.0
    """From connecting, or from the first byte of a request, to the end of its head."""
    serve_s: float = 60.0
    """From there until the answer is made and handed over."""
    idle_s: float = 130.0
    """Between requests: two scrapes at the usual 60 s fit in."""
    sweep_s: float = 2.0
    """How often the above are looked at."""
    scrapes: int = 4
    """Served at once; more are told to come back."""
    scrape_s: float = 30.0
    """Prometheus itself gives up after 10 s by default."""


DEFAULT_LIMITS = WebLimits()
