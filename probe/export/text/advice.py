"""What to try next, given a verdict. Short, and only what follows from what was seen."""

from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, QUICHandshake, Role, TCPConnect
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, Status

SETTLE = (
    "to settle it, join another network (your phone's hotspot) and run this again; then once more here: "
    "the runs are compared."
)

_OTHER_PROTOCOL = "the protocol is recognised here: another one may pass, or the same in disguise."
_OTHER_PLACE = (
    "this server's address or port is what is stopped: another port, or another server of the provider, may pass."
)
_WAYS = {
    Pattern.IP_PROTO_DROP: "UDP does not pass here: use a way over TCP, such as the server's port for `proto tcp`.",
    Pattern.VPN_HANDSHAKE_DROP: _OTHER_PROTOCOL,
    Pattern.VPN_RESET: _OTHER_PROTOCOL,
    Pattern.VPN_DATA_DROP: _OTHER_PROTOCOL,
    Pattern.FLOW_ENTROPY: "bytes that look like nothing are stopped here: a protocol inside TLS may pass.",
    Pattern.VPN_ENDPOINT_BLOCK: _OTHER_PLACE,
    Pattern.VPN_BURNED: _OTHER_PLACE,
    Pattern.IP_DROP: _OTHER_PLACE,
    Pattern.IP_PORT_DROP: _OTHER_PLACE,
    Pattern.TCP_RST_SYN: _OTHER_PLACE,
}
"""What passes instead of a tunnel, by how it is stopped."""
_BY_NAME = {
    "dns": "",
    "tls": "the name in its hello is what is stopped: another `sni`, where the server takes one, may pass.",
}


def advise(measurement: Measurement) -> tuple[str, ...]:
    """Return at most two steps."""
    own = ""
    if measurement.target.check is CheckName.VPN:
        own = _settle_tunnel(measurement) or _pass_tunnel(measurement)
    return (own,) if own else _advise(measurement)


def _advise(measurement: Measurement) -> tuple[str, ...]:
    verdict = measurement.verdict
    match verdict.status:
        case Status.OK:
            return ()
        case Status.BLOCKED | Status.LIKELY_BLOCKED:
            return (_route_around(measurement),)
        case Status.DEGRADED:
            return (_of_what_works(measurement),)
        case Status.SERVER_SIDE:
            return ("ask the server's owner; another network will see the same.",)
        case Status.DOWN:
            unknown = Pattern.SRV_NO_SUCH_NAME in verdict.patterns
            told = "check how the name is written; nobody has an address for it."
            return (told if unknown else "wait; nobody can reach it.",)
        case Status.IMPAIRED if verdict.cause is Cause.LOCAL:
            is_clock = Pattern.NET_CLOCK in verdict.patterns
            mend = (
                "set this host's clock" if is_clock else "switch off what is named above, or ask who runs this network"
            )
            return (f"{mend}; then run this again.",)
        case Status.IMPAIRED:
            return (
                "run it again later, and once from another network: the two runs together tell an outage from a block.",
            )
        case Status.INSUFFICIENT if _is_fit(measurement):
            told = "wait some minutes, then run it again: it was tried here just before, and what follows proves less."
            return (told if _is_hot(measurement) else "run it again: one failure alone says nothing.",)
        case Status.INSUFFICIENT:
            return ("bring this network into order first (`wallprobe check` describes it), then run this again.",)


def _settle_tunnel(measurement: Measurement) -> str:
    """Return what would settle an open question about a tunnel; empty = there is none of its own kind."""
    verdict = measurement.verdict
    if verdict.rule_id == "vpn.not_asked":
        return "run it again when what is named above is mended, or a minute later."
    is_open = verdict.status in (Status.INSUFFICIENT, Status.IMPAIRED) and verdict.cause is not Cause.LOCAL
    return SETTLE if is_open and _is_fit(measurement) else ""


def _of_what_works(measurement: Measurement) -> str:
    if _has_broken_path(measurement):
        return "look at the paths marked ✗; the others are in use."
    if measurement.verdict.cause is Cause.LOCAL:
        return "it works; to see the network itself, run this where what is named above is not in between."
    return "it works; what is compared above says what is interfered with."


def _has_broken_path(measurement: Measurement) -> bool:
    """Tell whether a step of the check itself failed, questions apart: those have no path of their own."""
    own = (o for o in measurement.observations if o.role is Role.TARGET and not isinstance(o, DNSLookup))
    return any(o.failure is not None for o in own)


def _stops_at_right_address(pattern: Pattern) -> bool:
    """Tell whether what is wrong beside a forged answer is no matter of the address that it leads to."""
    return pattern.layer in ("tls", "tcp", "ip") and not pattern.value.startswith(Pattern.TLS_MITM.value)


def _pass_tunnel(measurement: Measurement) -> str:
    """Return what may pass where a tunnel does not, by what it is known by; empty = nothing of its own kind."""
    verdict = measurement.verdict
    if verdict.status not in (Status.BLOCKED, Status.LIKELY_BLOCKED) or not verdict.patterns:
        return ""
    stopped = verdict.patterns[0]
    if stopped not in _WAYS and stopped.layer in _BY_NAME:
        return _BY_NAME[stopped.layer]
    return _WAYS.get(stopped, "try another server of the provider, or another protocol.")


def _is_hot(measurement: Measurement) -> bool:
    """Tell whether a failure shortly before, such as one of the agent's, may be what this run ran into."""
    own = (o for o in measurement.observations if o.role is Role.TARGET)
    return any(o.hot for o in own if isinstance(o, TCPConnect | QUICHandshake))


def _is_fit(measurement: Measurement) -> bool:
    return measurement.baseline is not None and measurement.baseline.fit


def _route_around(measurement: Measurement) -> str:
    patterns = measurement.verdict.patterns
    layer = patterns[0].layer if patterns else ""
    if layer == "dns" and any(_stops_at_right_address(pattern) for pattern in patterns[1:]):
        return "use a tunnel: an encrypted resolver gives the right address, and what goes there is stopped as well."
    if layer == "dns":
        return "use an encrypted resolver (DNS over HTTPS or TLS); the answers here are forged."
    if layer == "http" and not measurement.target.secure:
        return "the server itself is reachable; try https, which hides the page, or a tunnel."
    if layer in ("tls", "http"):
        return "the server itself is reachable; a tunnel, or a browser with encrypted ClientHello, hides the name."
    return "use another route: a tunnel, or another address of the same service."
