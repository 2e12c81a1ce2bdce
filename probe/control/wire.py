"""Our contract: what goes over the wire between client and control, as msgspec JSON.

A request is a `ControlRequest`; the answer carries observations without what a comparison does not need.
"""

import ipaddress

import msgspec

from probe.model.control import GREETINGS, ControlRequest, KnownVerdict
from probe.model.errors import ProtocolError
from probe.model.observation import DNSLookup, DNSReply, HTTPExchange, Observation
from probe.model.target import CheckName
from probe.protocols.http.redirect import parse_host

MAX_REQUEST_BYTES = 65536
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_ADDRESSES = 16
MAX_SERVER_NAMES = 4
MAX_KEPT_BODY_BYTES = 4096
"""A longer page goes as its hash, length and title."""
MAX_PATH_CHARS = 4096
SHORTEST_TIMEOUT_S = 0.1
QUERY_TYPES = frozenset({"A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "SOA", "SRV", "SVCB", "TXT"})


class ControlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a 200."""

    control: str
    version: str
    started_at: float
    runtime_s: float
    cut_short: bool = False
    """Time was over before all was seen."""
    asn: int = 0
    country: str = ""
    observations: tuple[Observation, ...] = ()
    known: tuple[KnownVerdict, ...] = ()
    """Of an agent: what it last said of targets of its own at this host."""


class EchoOffer(msgspec.Struct, frozen=True, kw_only=True):
    """The echo services: every port answers TLS, HTTP and whatever else comes, over TCP; QUIC, and no other UDP."""

    tcp: tuple[tuple[int, int], ...] = ()
    """Ranges of ports, both ends in it."""
    udp: tuple[tuple[int, int], ...] = ()
    cert_sha256: str = ""
    """Of the certificate that the TLS service shows for any name."""


_requests = msgspec.json.Decoder(ControlRequest)
_answers = msgspec.json.Decoder(ControlAnswer)
_offers = msgspec.json.Decoder(EchoOffer)
encode = msgspec.json.Encoder().encode


def parse_request(data: bytes) -> ControlRequest:
    """Read a request and hold it to its bounds.

    Raises:
        ProtocolError: it is none, or asks for too much.
    """
    try:
        request = _requests.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"not a request: {error}") from error
    if len(request.addresses) > MAX_ADDRESSES or len(request.server_names) > MAX_SERVER_NAMES:
        raise ProtocolError(f"at most {MAX_ADDRESSES} addresses and {MAX_SERVER_NAMES} server names")
    if not request.path.startswith("/") or len(request.path) > MAX_PATH_CHARS:
        raise ProtocolError("path does not begin with a slash, or is too long")
    if not (request.families and set(request.families) <= {4, 6}):
        raise ProtocolError("families are 4 and 6")
    if not SHORTEST_TIMEOUT_S <= request.timeout_s <= 300:
        raise ProtocolError("timeout_s is out of bounds")
    # Only ICMP has no port.
    if not (0 if request.check is CheckName.ICMP else 1) <= request.port <= 65535:
        raise ProtocolError("port is out of bounds")
    if request.query_type not in QUERY_TYPES:
        raise ProtocolError(f"query_type is not one of {', '.join(sorted(QUERY_TYPES))}")
    if (request.check is CheckName.VPN) is not (request.greeting in GREETINGS):
        raise ProtocolError(f"greeting goes with check vpn, and is one of {', '.join(sorted(GREETINGS))}")
    return msgspec.structs.replace(
        request,
        host=parse_host(request.host),
        addresses=tuple(dict.fromkeys(_parse_literal(address) for address in request.addresses)),
        server_names=tuple(parse_host(name) if name else "" for name in request.server_names),
    )


def _parse_literal(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ProtocolError(f"not an address: {text[:64]!r}") from error


def parse_answer(data: bytes) -> ControlAnswer:
    """Read an answer.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return _answers.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"not an answer of a control: {str(error)[:120]}") from error


def parse_offer(data: bytes) -> EchoOffer:
    """Read what echo services there are.

    Raises:
        ProtocolError: it does not say.
    """
    try:
        return _offers.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"not an offer of echo ports: {str(error)[:120]}") from error


def strip(observation: Observation) -> Observation:
    """Return an observation without what only its own place can use: raw bytes, long bodies, arrival times."""
    match observation:
        case HTTPExchange():
            body = observation.body if len(observation.body) <= MAX_KEPT_BODY_BYTES else b""
            return msgspec.structs.replace(observation, body=body, head=b"", timeline=())
        case DNSLookup():
            return msgspec.structs.replace(observation, replies=tuple(map(_strip_reply, observation.replies)))
        case _:
            return observation


def _strip_reply(reply: DNSReply) -> DNSReply:
    return msgspec.structs.replace(reply, raw=b"") if reply.raw else reply
