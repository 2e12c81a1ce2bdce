"""Which headers and body a request had: no observation holds them, and what is always sent need not be held.

Said is only what is sure: what our own steps send, of the version that measured. Headers that a target brings of its
own are named and their values left out, for they may be secrets; of a redirect's later requests nothing is said where
such headers, or a cookie, may have gone with them.
"""

from urllib.parse import urlsplit

from probe import __version__
from probe.export.ooni.scrub import SCRUBBED
from probe.model.experiment import Step
from probe.model.measurement import Measurement
from probe.model.observation import HTTPExchange
from probe.model.target import Header, Request
from probe.protocols.http.http1 import OutgoingRequest, list_headers

_COOKIE = "set-cookie"


class Sent:
    """The requests of one measurement."""

    def __init__(self, measurement: Measurement) -> None:
        self._known = measurement.vantage.software_version in ("", __version__)
        self._own = measurement.target.request or Request()
        self._fetches = {"", *(e.id for e in measurement.experiments if e.step is Step.FETCH)}
        """Whose requests are a browser's; a question to a resolver has headers of its own."""
        pages = [o for o in measurement.observations if isinstance(o, HTTPExchange) and not o.experiment]
        self._cookie_hop = min((o.hop for o in pages if any(n.lower() == _COOKIE for n, _ in o.headers)), default=None)
        """The first hop that set a cookie; `None` = none did."""

    def body_of(self, exchange: HTTPExchange) -> str:
        """Return what stands for the body: the target's own is its user's, and may be a secret."""
        return SCRUBBED if self._own.body and not exchange.experiment and not exchange.hop else ""

    def headers_of(self, exchange: HTTPExchange) -> tuple[tuple[str, str], ...]:
        """Return names and values in the order sent; empty = not known."""
        url = urlsplit(exchange.url)
        if not self._known or exchange.over_quic or exchange.experiment not in self._fetches or not url.hostname:
            return ()
        own = Request() if exchange.experiment else self._own
        if exchange.hop and not exchange.experiment and (own != Request() or self._may_have_cookie(exchange.hop)):
            return ()
        secure = url.scheme == "https"
        request = OutgoingRequest(
            method=exchange.method,
            host=url.hostname,
            port=url.port or (443 if secure else 80),
            secure=secure,
            headers=tuple(Header(name=header.name, value=SCRUBBED) for header in own.headers),
            body=own.body.encode(),
        )
        return list_headers(request)

    def _may_have_cookie(self, hop: int) -> bool:
        return self._cookie_hop is not None and self._cookie_hop < hop
