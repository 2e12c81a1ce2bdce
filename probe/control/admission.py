"""Who comes in: token, client certificate, or loopback where nothing else was configured; then rate, then room."""

import hashlib
import ipaddress
import math
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from probe.control.figures import Interface, Outcome
from probe.control.tokens import Caller, Callers, parse_bearer
from probe.net.clock import Clock

_COME_BACK_S = 2
"""When all places are taken: about as long as a measurement of a healthy target takes."""


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """The request ends here, with this status."""

    def __init__(self, status: int, outcome: Outcome, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.outcome = outcome
        self.reason = reason
        self.headers = headers or {}


class Admission:
    """Long-lived; one per server."""

    def __init__(
        self,
        callers: Callers,
        clock: Clock,
        *,
        trusts_loopback: bool,
        concurrent: int,
        trusts_certificates: bool = True,
    ) -> None:
        self._callers = callers
        self._clock = clock
        self._trusts_loopback = trusts_loopback
        self._trusts_certificates = trusts_certificates
        self._concurrent = concurrent
        self.in_flight: Counter[Interface] = Counter()
        self.requests: Counter[tuple[Interface, Outcome]] = Counter()

    def identify(self, request: web.Request, path_token: str = "", *, anybody: bool = False) -> Caller:
        """Return who asks; `anybody` lets strangers in, each address with a rate of its own.

        Raises:
            Refusal: nobody we know.
        """
        token = parse_bearer(request.headers.get("Authorization", "")) or path_token
        now_s = self._clock.boot_s()
        if token:
            caller = self._callers.find(token)
            if caller is not None:
                return caller
        elif self._trusts_certificates and (certificate := _find_certificate(request)) is not None:
            return self._callers.known_otherwise(f"certificate {hashlib.sha256(certificate).hexdigest()}", now_s)
        elif self._trusts_loopback and _is_local(request):
            return self._callers.known_otherwise("loopback", now_s)
        elif anybody:
            return self._callers.known_otherwise(f"address {_network_of(request.remote)}", now_s)
        raise Refusal(
            401, Outcome.UNAUTHORIZED, "a token is needed", {"WWW-Authenticate": 'Bearer realm="wallprobe control"'}
        )

    def charge(self, caller: Caller) -> None:
        """Take one request from the caller's budget.

        Raises:
            Refusal: it is spent.
        """
        wait_s = caller.take(self._clock.boot_s())
        if wait_s > 0:
            headers = {"Retry-After": str(math.ceil(wait_s))}
            raise Refusal(429, Outcome.RATE_LIMITED, "too many requests with this token", headers)

    def check_room(self, interface: Interface, limit: int | None = None) -> None:
        """See that there is a place for one more measurement.

        Raises:
            Refusal: all are taken.
        """
        taken = sum(self.in_flight.values())
        if taken >= self._concurrent or (limit is not None and self.in_flight[interface] >= limit):
            headers = {"Retry-After": str(_COME_BACK_S)}
            raise Refusal(503, Outcome.OVERLOADED, "too many measurements under way", headers)


def _find_certificate(request: web.Request) -> bytes | None:
    """Return the client's certificate; it was verified, or the handshake would have failed."""
    tls: Any = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    return tls.getpeercert(binary_form=True) if tls is not None else None


def _is_local(request: web.Request) -> bool:
    """Tell whether a program of this machine asks, and not a page in its browser."""
    return "Origin" not in request.headers and _names_loopback(request.headers.get("Host", ""))


def _names_loopback(header: str) -> bool:
    """Tell whether `Host` is this machine: any other name was pointed here by somebody's page (DNS rebinding)."""
    try:
        host = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _network_of(address: str | None) -> str:
    """Return what one stranger has: an IPv4 address, or a /64."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)
