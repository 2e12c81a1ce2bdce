"""What to try next, given a verdict. Short, and only what follows from what was seen."""

from probe.model.measurement import Measurement
from probe.model.verdict import Cause, Status


def advise(measurement: Measurement) -> tuple[str, ...]:
    """Return at most two steps."""
    verdict = measurement.verdict
    match verdict.status:
        case Status.OK:
            return ()
        case Status.BLOCKED | Status.LIKELY_BLOCKED:
            return (_route_around(verdict.patterns[0].layer if verdict.patterns else ""),)
        case Status.DEGRADED:
            return ("look at the paths marked ✗; the others are in use.",)
        case Status.SERVER_SIDE:
            return ("ask the server's owner; another network will see the same.",)
        case Status.DOWN:
            return ("wait; nobody can reach it.",)
        case Status.IMPAIRED if verdict.cause is Cause.LOCAL:
            return ("switch off what is named above, or ask who runs this network; then run this again.",)
        case Status.IMPAIRED:
            return (
                "run it again later, and once from another network: the two runs together tell an outage from a block.",
            )
        case Status.INSUFFICIENT if measurement.baseline is not None and measurement.baseline.fit:
            return ("run it again: one failure alone says nothing.",)
        case Status.INSUFFICIENT:
            return ("bring this network into order first (`wallprobe check` describes it), then run this again.",)


def _route_around(layer: str) -> str:
    if layer == "dns":
        return "use an encrypted resolver (DNS over HTTPS or TLS); the answers here are forged."
    if layer in ("tls", "http"):
        return "the server itself is reachable; a tunnel, or a browser with encrypted ClientHello, hides the name."
    return "use another route: a tunnel, or another address of the same service."
