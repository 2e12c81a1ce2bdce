"""Asks somebody else's OONI test helper; `probe.protocols.ooni.control` reads its answer as observations."""

import msgspec

from probe.control.wire import encode
from probe.model.control import ControlRequest
from probe.model.endpoint import Endpoint
from probe.model.observation import Observation
from probe.protocols.http.http1 import USER_AGENT, OutgoingRequest
from probe.protocols.http.redirect import WebAddress
from probe.protocols.ooni.archive import parse_control
from probe.protocols.ooni.control import build_control_observations


class _Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    http_request: str
    http_request_headers: dict[str, list[str]]
    tcp_connect: list[str]
    x_quic_enabled: bool = False


def build_helper_request(request: ControlRequest) -> bytes:
    """Return what a probe would send for this target."""
    explicit = request.port != (443 if request.secure else 80)
    ports = (request.port,) if explicit else (443, 80)
    endpoints = [str(Endpoint(address=address, port=port)) for address in request.addresses for port in ports]
    return encode(
        _Outgoing(
            http_request=_url_of(request),
            http_request_headers={
                "Accept": ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
                "Accept-Language": ["en-US,en;q=0.9"],
                "User-Agent": [USER_AGENT],
            },
            tcp_connect=endpoints,
        )
    )


def _url_of(request: ControlRequest) -> str:
    return OutgoingRequest(host=request.host, port=request.port, secure=request.secure, path=request.path).url


def read_observations(body: bytes, request: ControlRequest) -> tuple[Observation, ...]:
    """Return what the helper saw.

    Raises:
        ProtocolError: it is no answer of a helper.
    """
    site = WebAddress(secure=request.secure, host=request.host, port=request.port, path=request.path)
    return build_control_observations(parse_control(body), site)
