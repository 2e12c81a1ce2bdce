"""What a run comes to in figures: did it fail, with which code, and how long each phase took."""

from collections.abc import Iterator

from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, HTTPExchange, ICMPEcho, Observation, Role, TCPConnect, TLSHandshake
from probe.model.snapshot import Phase

PHASES = ("queued", "resolve", "connect", "tls", "first_byte", "transfer", "echo")


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

    A phase that failed is absent, those before it stay.
    """
    fastest: dict[tuple[str, int], float] = {}
    for observation in measurement.observations:
        if observation.role is Role.TARGET and observation.hop == 0 and observation.failure is None:
            for name, family, duration_s in _phases_of(observation):
                known = fastest.get((name, family))
                if known is None or duration_s < known:
                    fastest[name, family] = duration_s
    if measurement.queued_s:
        fastest["queued", 0] = measurement.queued_s
    return tuple(Phase(name=name, family=family, duration_s=value) for (name, family), value in fastest.items())


def _phases_of(observation: Observation) -> Iterator[tuple[str, int, float]]:
    """Yield name, family and duration; a lookup has the family it asked for, `queued` has none (0)."""
    took_s = observation.t_s - observation.t0_s
    match observation:
        case DNSLookup():
            yield "resolve", 6 if observation.query_type == "AAAA" else 4, took_s
        case TCPConnect():
            yield "connect", observation.endpoint.family, took_s
        case TLSHandshake():
            yield "tls", observation.endpoint.family, took_s
        case HTTPExchange():
            family = observation.endpoint.family
            if observation.first_byte_s is not None:
                yield "first_byte", family, observation.first_byte_s - observation.t0_s
                yield "transfer", family, observation.t_s - observation.first_byte_s
        case ICMPEcho():
            yield "echo", 6 if ":" in observation.address else 4, took_s
