"""The outside view: what we ask a control to measure, and what it saw.

A control stands where the censor is not on the path. What it saw are observations like ours, with role `control`.
"""

from enum import StrEnum

import msgspec

from probe.model.failure import INSTRUMENT_CODES, FailureCode
from probe.model.observation import DNSLookup, HTTPExchange, Observation, TCPConnect, TLSHandshake
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, Confidence, Status

_NO_ROUTE = frozenset({FailureCode.NETWORK_UNREACHABLE, FailureCode.NETWORK_DOWN})
GREETINGS = frozenset({"openvpn", "ikev2", "l2tp", "stun"})
"""Protocols over UDP whose servers answer a first packet that holds nobody's credentials: a control can send it."""


class ControlKind(StrEnum):
    """Who answered: what a report can hold depends on it."""

    WALLPROBE = "wallprobe"
    """Our own server: every step, every hop, chains, times and body hashes."""
    OONI = "ooni"
    """OONI's test helper: no chains, times, hashes or redirect hops; of HTTP the last page alone."""

    PEER = "peer"
    """Another agent. It may stand behind a censor of its own: of what it saw, what a certificate proves counts."""
    TUNNEL = "tunnel"
    """The same steps through a way out that the user has: family C."""


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a control is asked to measure: a target's address in parts, and where its name led us."""

    check: CheckName
    host: str
    """Server name or address literal, lower-case and IDNA-encoded."""
    port: int
    path: str = "/"
    """Path and query, of a web target."""
    secure: bool = True
    """Web only: https or http."""
    addresses: tuple[str, ...] = ()
    """Address literals that the client's own resolvers gave for `host`: the control tries these besides its own."""
    server_names: tuple[str, ...] = ()
    """SNI values to shake hands with on each address; empty = the host. An empty string in it = no SNI."""
    query_type: str = "A"
    """Of a dns target."""
    greeting: str = ""
    """Of a vpn target: the protocol, one of `GREETINGS`, whose first packet the control is to send."""
    families: tuple[int, ...] = (4, 6)
    timeout_s: float = 10.0
    """Per step; the control has an upper bound of its own."""


class KnownVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What another agent last said of a target of its own: told beside its view, never judged."""

    target: str
    """Its address as written, such as `https://example.org`."""
    status: Status
    patterns: tuple[Pattern, ...] = ()
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    since: float = 0.0
    """Wall time of the first run of its episode; 0 = not confirmed yet."""
    seen_at: float = 0.0
    """Wall time of the run that said so."""


class ControlReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one control said, or why it said nothing: a control that cannot be reached is a finding, not an error."""

    control: str
    """Its name: as configured, else its host and port."""
    kind: ControlKind = ControlKind.WALLPROBE
    asked_at: float
    """Wall time (UTC) at which it was asked."""
    age_s: float = 0.0
    """How old the answer was when it was handed over; 0 = asked for this very measurement."""
    runtime_s: float = 0.0
    """How long the control needed, the way there and back included."""
    asn: int = 0
    """AS that the control stands in; 0 = not known."""
    country: str = ""
    """Its country (ISO 3166); empty = not known."""
    observations: tuple[Observation, ...] = ()
    """What it saw, every redirect hop included; times are seconds since the start of its own measurement."""
    cut_short: bool = False
    """Its time was over before all was seen: what is missing says nothing."""
    failure: str = ""
    """Why there is no answer, such as `connection_reset: connect`; empty = it answered. Never judged as text."""
    unreachable: bool = False
    """With `failure`: we did not get through to it (silence, reset, foreign certificate); it did not refuse."""
    late: bool = False
    """With `failure`: it was asked, and the first verdict did not wait for it."""
    way: tuple[Observation, ...] = ()
    """With `failure`: our own steps on the way to it."""
    known: tuple[KnownVerdict, ...] = ()
    """Of a peer: what it had said of this host when it was asked."""
    tried: tuple[str, ...] = ()
    """Controls that failed before this one was asked, each with its failure."""

    @property
    def answered(self) -> bool:
        """Tell whether there is an outside view at all."""
        return not self.failure

    def looked(self, check: CheckName) -> bool:
        """Tell whether it says anything of a target of this kind: a proxy that will not connect, or hangs, does not.

        A name for which it was given nothing is an answer; a step that its own host refused is none.
        """
        lookups = [seen for seen in self.observations if isinstance(seen, DNSLookup)]
        steps = [seen for seen in self.observations if not isinstance(seen, DNSLookup)]
        if check is CheckName.DNS:
            return True
        if not steps:
            return not any(lookup.addresses for lookup in lookups)
        return not all(map(is_own_fault, steps))

    def of_target(self, check: CheckName) -> tuple[Observation, ...]:
        """Return what it saw of a target of this kind: the way to resolvers that it asked is no part of that.

        A page that DoH answered with is a page all the same, and must never be taken for the site's.
        """
        if check in (CheckName.DOT, CheckName.DOH):
            return self.observations
        asked = {seen.resolver.endpoint for seen in self.observations if isinstance(seen, DNSLookup)}
        return tuple(
            seen
            for seen in self.observations
            if not isinstance(seen, TCPConnect | TLSHandshake | HTTPExchange) or seen.endpoint not in asked
        )


def is_own_fault(observation: Observation) -> bool:
    """Tell whether a control's step says nothing of the place: its host erred, or has no route of that family."""
    failure = observation.failure
    return failure is not None and (failure.code in INSTRUMENT_CODES or failure.code in _NO_ROUTE)


class EchoRange(msgspec.Struct, frozen=True, kw_only=True):
    """Ports of a control that answer for any name: an address that has nothing to do with the target."""

    control: str
    address: str
    tcp: tuple[tuple[int, int], ...] = ()
    """Ranges, both ends in them: TLS with any SNI, HTTP with any Host, a sink for the rest."""
    udp: tuple[tuple[int, int], ...] = ()
    """QUIC with any name, a sink for the rest."""
    cert_sha256: str = ""
    """Of the certificate that every TLS port shows: another one was not theirs."""
