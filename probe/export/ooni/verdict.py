"""Our verdict in OONI's words, as far as they go.

Source: OONI spec ts-017 (`blocking`, `accessible`, `dns_consistency`, the experiment failures); probe-cli,
`internal/experiment/webconnectivitylte` (the bits of `x_blocking_flags`). Deviation: theirs follow from one run held
against a test helper, ours from our rules; a verdict that is not sure enough is `null` here, never a guess.
"""

from enum import IntFlag
from typing import Any

from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, HTTPExchange, Role, TCPConnect, TLSHandshake
from probe.model.verdict import Cause, Status, Verdict
from probe.protocols.ooni.failure import write_failure

_BLOCKED = (Status.BLOCKED, Status.LIKELY_BLOCKED)
_NOT_BLOCKED = (Status.DOWN, Status.SERVER_SIDE)
_DIFFERENT_PAGE = ("http.blockpage", "http.redirect", "http.injected")


class BlockingFlags(IntFlag):
    """`x_blocking_flags`."""

    DNS = 1
    TCP_IP = 2
    TLS = 4
    HTTP = 8
    HTTP_DIFF = 16
    SUCCESS = 32


_LAYERS = {
    "dns": BlockingFlags.DNS,
    "tcp": BlockingFlags.TCP_IP,
    "ip": BlockingFlags.TCP_IP,
    "tls": BlockingFlags.TLS,
    "http": BlockingFlags.HTTP,
    "flow": BlockingFlags.HTTP,
}
_WORDS = (
    (BlockingFlags.DNS, "dns"),
    (BlockingFlags.TCP_IP, "tcp_ip"),
    (BlockingFlags.TLS | BlockingFlags.HTTP, "http-failure"),
    (BlockingFlags.HTTP_DIFF, "http-diff"),
)
"""Of several layers OONI names the lowest."""


def build_verdict_keys(measurement: Measurement) -> dict[str, Any]:
    """Return the test keys that conclude something."""
    verdict = measurement.verdict
    blocking, accessible = map_verdict(verdict)
    return {
        "dns_consistency": _map_consistency(measurement),
        "dns_experiment_failure": _find_dns_failure(measurement),
        "http_experiment_failure": _find_http_failure(measurement),
        "blocking": blocking,
        "accessible": accessible,
        "x_blocking_flags": int(map_flags(verdict)),
        "x_wallprobe": {
            "id": measurement.id,
            "status": verdict.status.value,
            "patterns": [pattern.value for pattern in verdict.patterns],
            "cause": verdict.cause.value,
            "confidence": int(verdict.confidence),
            "depth": verdict.depth.value,
            "rule_id": verdict.rule_id,
            "rules_version": verdict.rules_version,
        },
    }


def map_flags(verdict: Verdict) -> BlockingFlags:
    """Return a bit for each layer that the network interferes with, and one for a page that came."""
    flags = BlockingFlags.SUCCESS if verdict.status.reachable else BlockingFlags(0)
    if verdict.cause is not Cause.NETWORK or verdict.status not in (*_BLOCKED, Status.DEGRADED):
        return flags
    for pattern in verdict.patterns:
        different = pattern.value.startswith(_DIFFERENT_PAGE)
        flags |= BlockingFlags.HTTP_DIFF if different else _LAYERS.get(pattern.layer, BlockingFlags(0))
    return flags


def map_verdict(verdict: Verdict) -> tuple[str | bool | None, bool | None]:
    """Return `blocking` and `accessible`."""
    if verdict.status.reachable:
        return False, True
    if verdict.status in _NOT_BLOCKED:
        return False, False
    if verdict.status in _BLOCKED:
        flags = map_flags(verdict)
        word = next((word for bits, word in _WORDS if flags & bits), None)
        return (word, False) if word else (None, None)
    return None, None


def _map_consistency(measurement: Measurement) -> str | None:
    """Return whether the answer to the name was true; `None` = nothing proved it either way."""
    if map_flags(measurement.verdict) & BlockingFlags.DNS:
        return "inconsistent"
    proven = any(
        isinstance(o, TLSHandshake) and o.verified and o.role is Role.TARGET and not o.hop
        for o in measurement.observations
    )
    return "consistent" if proven else None


def _find_dns_failure(measurement: Measurement) -> str | None:
    mine = [o for o in measurement.observations if isinstance(o, DNSLookup) and o.role is Role.TARGET and not o.hop]
    if any(lookup.addresses for lookup in mine):
        return None
    return next((write_failure(lookup.failure) for lookup in mine if lookup.failure is not None), None)


def _find_http_failure(measurement: Measurement) -> str | None:
    """Return why the last page did not come: the failure of the furthest step of the last hop."""
    steps = [
        o
        for o in measurement.observations
        if isinstance(o, DNSLookup | TCPConnect | TLSHandshake | HTTPExchange) and o.role is Role.TARGET
    ]
    last = max((step.hop for step in steps), default=0)
    here = [step for step in steps if step.hop == last]
    if any(isinstance(step, HTTPExchange) and step.failure is None and step.status for step in here):
        return None
    for kind in (HTTPExchange, TLSHandshake, TCPConnect, DNSLookup):
        for step in here:
            if isinstance(step, kind) and step.failure is not None:
                return write_failure(step.failure, step.alert if isinstance(step, TLSHandshake) else None)
    return None
