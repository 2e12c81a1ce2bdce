"""One row per try: its factors and how it came out. Observations in, rows out; `explain` prints these rows."""

import functools
import ipaddress
from enum import StrEnum
from typing import assert_never

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.experiment import Experiment, HelloShape, NameKind, Place, Step
from probe.model.failure import INSTRUMENT_CODES, FailureCode
from probe.model.observation import (
    DialogueExchange,
    DNSLookup,
    Ending,
    HTTPExchange,
    ICMPEcho,
    Observation,
    QUICHandshake,
    Role,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.model.path_trace import PathTrace


class Layer(StrEnum):
    """The layers a try can speak of; also the first part of pattern ids."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    HELLO = "hello"
    """A ClientHello of another shape than our own; never a step of a check."""
    QUIC = "quic"
    QUIC_LOW = "quic_low"
    """QUIC from a source port that is not above the one it goes to; never a step of a check."""
    QUIC_LARGE = "quic_large"
    """QUIC with a hello that takes two datagrams; never a step of a check."""
    ICMP = "icmp"
    VPN = "vpn"
    """A conversation in a protocol of tunnels and proxies."""
    TRACE = "trace"
    """How far packets get; never a step of a check."""


class Outcome(StrEnum):
    """How a try came out, as a plain socket can tell."""

    OK = "ok"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    FIN = "fin"
    SILENT = "silent"
    ALERT = "alert"
    GARBAGE = "garbage"
    CUT = "cut"
    """An answer began and did not complete."""
    UNTRUSTED = "untrusted"
    DENIED = "denied"
    """The peer understood and refused."""
    LAPSED = "lapsed"
    """It ended where we showed a credential that is over."""
    NO_SUCH_NAME = "nxdomain"
    NO_ANSWER = "no_answer"
    DNS_REFUSED = "dns_refused"
    SERVFAIL = "servfail"
    INSTRUMENT = "instrument"
    """Our own host failed; proves nothing."""
    ERROR = "error"


STOCK = HelloShape.STOCK.value
TRIGGERABLE = frozenset({Outcome.RESET, Outcome.FIN, Outcome.SILENT})
"""What a name-triggered filter does to a connection."""


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of tries."""

    transaction: int
    layer: Layer
    outcome: Outcome
    name: str
    kind: NameKind
    place: Place
    spot: str
    """Address and port, or the resolver asked."""
    address: str = ""
    experiment: Experiment | None = None
    hop: int = 0
    hot: bool = False
    """The place had been triggered by an earlier measurement."""
    started_s: float
    ended_s: float
    observation: Observation
    measurement: str = ""
    """Where it comes from when it is cited; empty = this measurement."""


_DNS_OUTCOMES = {
    FailureCode.DNS_NXDOMAIN: Outcome.NO_SUCH_NAME,
    FailureCode.DNS_NO_ANSWER: Outcome.NO_ANSWER,
    FailureCode.DNS_REFUSED: Outcome.DNS_REFUSED,
    FailureCode.DNS_SERVFAIL: Outcome.SERVFAIL,
    FailureCode.DNS_TEMPORARY: Outcome.SERVFAIL,
}

_OUTCOMES = {
    FailureCode.CONNECTION_REFUSED: Outcome.REFUSED,
    FailureCode.CONNECTION_RESET: Outcome.RESET,
    FailureCode.EOF: Outcome.FIN,
    FailureCode.TIMEOUT: Outcome.SILENT,
    FailureCode.HOST_UNREACHABLE: Outcome.UNREACHABLE,
    FailureCode.NETWORK_UNREACHABLE: Outcome.UNREACHABLE,
    FailureCode.NETWORK_DOWN: Outcome.INSTRUMENT,
    FailureCode.TLS_ALERT: Outcome.ALERT,
    FailureCode.SSL_FAILED_HANDSHAKE: Outcome.GARBAGE,
    FailureCode.SSL_INVALID_CERTIFICATE: Outcome.UNTRUSTED,
    FailureCode.SSL_INVALID_HOSTNAME: Outcome.UNTRUSTED,
    FailureCode.SSL_UNKNOWN_AUTHORITY: Outcome.UNTRUSTED,
    FailureCode.HTTP_REQUEST_FAILED: Outcome.GARBAGE,
    FailureCode.QUIC_CLOSED: Outcome.ALERT,
    FailureCode.QUIC_INCOMPATIBLE_VERSION: Outcome.ALERT,
    FailureCode.UNEXPECTED_ANSWER: Outcome.GARBAGE,
    FailureCode.REFUSED_BY_PEER: Outcome.DENIED,
    FailureCode.CREDENTIALS_EXPIRED: Outcome.LAPSED,
}

REDIRECT_CODES = frozenset({FailureCode.HTTP_INVALID_REDIRECT, FailureCode.TOO_MANY_REDIRECTS})
"""The answer came whole; only where it leads is wrong."""

_ENDINGS = {Ending.RESET: Outcome.RESET, Ending.FIN: Outcome.FIN, Ending.SILENCE: Outcome.SILENT}


def build_tries(
    observations: tuple[Observation, ...], experiments: tuple[Experiment, ...], measurement: str = ""
) -> tuple[Try, ...]:
    """Return the table, in the order in which the tries ended."""
    by_id = {experiment.id: experiment for experiment in experiments}
    rows = []
    for observation in observations:
        experiment = by_id.get(observation.experiment)
        if observation.role in (Role.ANCHOR, Role.CONTROL) or (observation.experiment and experiment is None):
            continue
        if experiment is not None and experiment.step is Step.LOOKUP and not isinstance(observation, DNSLookup):
            continue  # the way to an encrypted resolver, not a try at the target
        rows.append(_build_row(observation, experiment, measurement))
    return tuple(rows)


def _build_row(observation: Observation, experiment: Experiment | None, measurement: str) -> Try:
    layer, spot, address, name, outcome = _read(observation)
    if experiment is not None and experiment.low_port:
        layer = Layer.QUIC_LOW
    elif experiment is not None and layer is Layer.QUIC and experiment.shape is not HelloShape.STOCK:
        layer = Layer.QUIC_LARGE
    return Try(
        transaction=observation.transaction,
        layer=layer,
        outcome=outcome,
        name=name if experiment is None or layer is not Layer.TCP else experiment.name,
        kind=NameKind.TEST if experiment is None else experiment.name_kind,
        place=Place.OWN if experiment is None else experiment.place,
        spot=spot,
        address=address,
        experiment=experiment,
        hop=observation.hop,
        hot=isinstance(observation, TCPConnect | QUICHandshake | DialogueExchange) and observation.hot,
        started_s=observation.t0_s,
        ended_s=observation.t_s,
        observation=observation,
        measurement=measurement,
    )


def _read(observation: Observation) -> tuple[Layer, str, str, str, Outcome]:
    match observation:
        case DNSLookup():
            return Layer.DNS, str(observation.resolver), "", observation.name, read_dns(observation)
        case TCPConnect(endpoint=endpoint):
            return Layer.TCP, str(endpoint), endpoint.address, "", read_tcp(observation)
        case TLSHandshake(endpoint=endpoint):
            layer = Layer.TLS if observation.hello_shape == STOCK else Layer.HELLO
            return layer, str(endpoint), endpoint.address, observation.server_name, read_tls(observation)
        case HTTPExchange(endpoint=endpoint):
            spot = write_spot(endpoint, over_quic=observation.over_quic)
            return Layer.HTTP, spot, endpoint.address, observation.url, read_http(observation)
        case QUICHandshake(endpoint=endpoint):
            spot = write_spot(endpoint, over_quic=True)
            return Layer.QUIC, spot, endpoint.address, observation.server_name, _read_failure(observation)
        case ICMPEcho():
            return Layer.ICMP, observation.address, observation.address, "", _read_failure(observation)
        case DialogueExchange(endpoint=endpoint):
            return Layer.VPN, str(endpoint), endpoint.address, observation.protocol, _read_failure(observation)
        case PathTrace(endpoint=endpoint):
            return Layer.TRACE, str(endpoint), endpoint.address, observation.server_name, _read_failure(observation)
        case _:
            assert_never(observation)


def write_spot(endpoint: Endpoint, *, over_quic: bool) -> str:
    """Return how a place is named: what passes by UDP there is a place of its own."""
    return f"{endpoint}/udp" if over_quic else str(endpoint)


def _read_failure(observation: Observation) -> Outcome:
    if observation.failure is None:
        return Outcome.OK
    if observation.failure.code in INSTRUMENT_CODES:
        return Outcome.INSTRUMENT
    return _OUTCOMES.get(observation.failure.code, Outcome.ERROR)


def read_dns(lookup: DNSLookup) -> Outcome:
    """Say how a lookup came out; an answer without the wanted addresses is `NO_ANSWER`."""
    if lookup.failure is not None:
        return _DNS_OUTCOMES.get(lookup.failure.code, _read_failure(lookup))
    if lookup.query_type in ("A", "AAAA") and not lookup.addresses:
        return Outcome.NO_ANSWER
    return Outcome.OK


def read_tcp(observation: TCPConnect) -> Outcome:
    """Say how a connect came out, or how the connection that was then held ended."""
    return (
        _ENDINGS.get(observation.held_ending, Outcome.ERROR) if observation.held_ending else _read_failure(observation)
    )


def read_tls(observation: TLSHandshake) -> Outcome:
    """Say how a handshake came out."""
    if observation.stage is TLSStage.DONE or observation.failure is None:
        return _read_failure(observation)
    if observation.alert is not None:
        return Outcome.ALERT
    if observation.stage is TLSStage.GARBAGE:
        return Outcome.GARBAGE
    return _read_failure(observation)


def read_http(observation: HTTPExchange) -> Outcome:
    """Say how an exchange came out; a page that did not complete is no success, whatever its status."""
    failure = observation.failure
    if failure is None or failure.code in REDIRECT_CODES:
        return Outcome.OK
    if not observation.status or failure.code in INSTRUMENT_CODES:
        return _read_failure(observation)
    if 300 <= observation.status < 400 and observation.location:
        return Outcome.OK
    return Outcome.GARBAGE if failure.code is FailureCode.HTTP_REQUEST_FAILED else Outcome.CUT


ENCRYPTED = frozenset({Transport.DOT, Transport.DOH})


def is_private(address: str) -> bool:
    """Tell whether an address belongs to our own network: private, loopback or link-local."""
    try:
        parsed = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    return parsed.is_loopback or parsed.is_link_local or (parsed.is_private and not is_benchmark(address))


def is_benchmark(address: str) -> bool:
    """Tell whether an address is in 198.18.0.0/15, from which proxies make theirs up (RFC 2544)."""
    return address.startswith(("198.18.", "198.19."))


@functools.lru_cache(maxsize=65536)  # asked of the same few addresses by every rule about answers
def is_bogus(address: str) -> bool:
    """Tell whether no public name should have this address: not global, or Teredo (2001::/32)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return True
    teredo = isinstance(parsed, ipaddress.IPv6Address) and parsed.teredo is not None
    return not parsed.is_global or teredo


def is_nobody(address: str) -> bool:
    """Tell whether an address is the asking host itself, or none at all: nobody else is reached by it."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_loopback or parsed.is_unspecified


def is_teredo(address: str) -> bool:
    """Tell whether an address is of the Teredo prefix 2001::/32 (RFC 4380 section 2.6)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return isinstance(parsed, ipaddress.IPv6Address) and parsed.teredo is not None
