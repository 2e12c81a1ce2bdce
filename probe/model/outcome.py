"""What a run comes to in figures: did it fail, with which code, and how long each phase took."""

from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.observation import (
    DialogueExchange,
    DNSLookup,
    HTTPExchange,
    ICMPEcho,
    Observation,
    QUICHandshake,
    Role,
    TCPConnect,
    TLSHandshake,
)
from probe.model.snapshot import Phase

PHASES = ("queued", "resolve", "connect", "tls", "first_byte", "transfer", "echo", "handshake", "quic")
_NAMES: dict[type, str] = {
    DNSLookup: "resolve",
    TCPConnect: "connect",
    TLSHandshake: "tls",
    ICMPEcho: "echo",
    DialogueExchange: "handshake",
    QUICHandshake: "quic",
}


def find_failure(measurement: Measurement) -> FailureCode | None:
    """Return the code of the first own step that failed; `None` for a usable target, or when no step failed."""
    if measurement.verdict.status.reachable:
        return None
    for observation in measurement.observations:
        if observation.failure is not None and observation.role is Role.TARGET:
            return observation.failure.code
    return None


def measure_phases(measurement: Measurement) -> tuple[Phase, ...]:
    """Return how long each phase of the first hop took on the fastest address of a family; experiments do not count.

    A phase that failed is absent, those before it stay. A lookup has the family it asked for; `queued` has none (0).
    """
    fastest: dict[tuple[str, int], float] = {}
    for observation in measurement.observations:
        if observation.failure is not None or observation.hop or observation.role is not Role.TARGET:
            continue
        for name, duration_s in _durations_of(observation):
            key = (name, _family_of(observation))
            known = fastest.get(key)
            if known is None or duration_s < known:
                fastest[key] = duration_s
    if measurement.queued_s:
        fastest["queued", 0] = measurement.queued_s
    return tuple(Phase(name=name, family=family, duration_s=value) for (name, family), value in fastest.items())


def _durations_of(observation: Observation) -> tuple[tuple[str, float], ...]:
    if isinstance(observation, HTTPExchange):
        first_s = observation.first_byte_s
        if first_s is None:
            return ()
        return ("first_byte", first_s - observation.t0_s), ("transfer", observation.t_s - first_s)
    return ((_NAMES[type(observation)], observation.t_s - observation.t0_s),)


def _family_of(observation: Observation) -> int:
    if isinstance(observation, DNSLookup):
        return 6 if observation.query_type == "AAAA" else 4
    address = observation.address if isinstance(observation, ICMPEcho) else observation.endpoint.address
    return 6 if ":" in address else 4
