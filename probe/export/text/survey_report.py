"""What lives at a host, as a person reads it: who answered the hellos, and that silence of the others says little.

Pure text. No verdict: what is not there is not blocked, and a server that is silent to strangers may be there.
"""

from collections.abc import Sequence

from probe.export.text.failure_words import say_failure
from probe.export.text.report import Line, Tone
from probe.export.text.stages import write_stages
from probe.model.depth import Depth
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.observation import DialogueExchange, DNSLookup, Role, TCPConnect, TLSHandshake

_OPENVPN = "OpenVPN"
_NAMES = {
    "anyconnect": "AnyConnect",
    "globalprotect": "GlobalProtect",
    "fortigate": "FortiGate SSL VPN",
    "sstp": "SSTP",
    "openvpn": _OPENVPN,
    "ikev2": "IKEv2",
}
_SILENCE = "Silence says little: OpenVPN with tls-auth or tls-crypt says nothing to strangers."
_SHOWN = ("server", "software", "message", "asks_for", "login", "answer")
"""Fields of a reply that tell a reader something."""


def answered(measurement: Measurement) -> bool:
    """Tell whether somebody spoke this protocol."""
    return any(exchange.depth.rank >= Depth.HELLO.rank for exchange in _exchanges(measurement))


def build_survey_report(host: str, asked: Sequence[Measurement], skipped: int = 0) -> tuple[Line, ...]:
    """Return what is found at a host; `skipped` protocols were not asked because their port does not answer."""
    found = [measurement for measurement in asked if answered(measurement)]
    if found:
        head = f"  Lives at {host}: {_list(found)}"
    elif all(map(_is_too_soon, asked)):
        head = f"  {host} was greeted a moment ago and is not again: run this in a minute."
    else:
        head = f"  No VPN gateway that is known here answers at {host}."
    lines = [Line(text=head, tone=Tone.GOOD if found else Tone.PLAIN)]
    for measurement in sorted(asked, key=lambda m: not answered(m)):
        tone = Tone.GOOD if measurement in found else Tone.FAINT
        lines.append(Line(text=f"    {_name(measurement):<18}{_place(measurement):<10}{_what(measurement)}", tone=tone))
    if skipped:
        lines.append(Line(text=f"    {skipped} more were not asked: their port does not answer", tone=Tone.FAINT))
    if _OPENVPN not in map(_name, found):
        lines.append(Line(text=f"    {_SILENCE}", tone=Tone.FAINT))
    return tuple(lines)


def _list(found: Sequence[Measurement]) -> str:
    """Return `AnyConnect (443/tcp), IKEv2 (500/udp, 4500/udp)`."""
    places: dict[str, list[str]] = {}
    for measurement in found:
        places.setdefault(_name(measurement), []).append(_place(measurement))
    return ", ".join(f"{name} ({', '.join(at)})" for name, at in places.items())


def _name(measurement: Measurement) -> str:
    protocol = measurement.target.params.get("protocol", "")
    return _NAMES.get(protocol, protocol)


def _place(measurement: Measurement) -> str:
    target = measurement.target
    udp = target.params.get("proto") == "udp" or target.params.get("protocol") == "ikev2"
    return f"{target.port}/{'udp' if udp else 'tcp'}"


def _exchanges(measurement: Measurement) -> list[DialogueExchange]:
    return [o for o in measurement.observations if isinstance(o, DialogueExchange) and o.role is Role.TARGET]


def _is_too_soon(measurement: Measurement) -> bool:
    failures = [exchange.failure for exchange in _exchanges(measurement)]
    return any(failure is not None and failure.code is FailureCode.TOO_SOON for failure in failures)


def _what(measurement: Measurement) -> str:
    exchanges = sorted(_exchanges(measurement), key=lambda exchange: exchange.depth.rank)
    if exchanges:
        best = exchanges[-1]
        said = ", ".join(best.reply[key] for key in _SHOWN if best.reply.get(key))
        return write_stages(best) + (f"   “{said[:80]}”" if said else "")
    for observation in measurement.observations:
        if observation.failure is not None and isinstance(observation, DNSLookup | TCPConnect | TLSHandshake):
            step = {DNSLookup: "resolve", TCPConnect: "reach", TLSHandshake: "TLS"}[type(observation)]
            return f"{step} ✗ {say_failure(observation.failure)}"
    return "nothing was asked"
