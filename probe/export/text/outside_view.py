"""What controls saw, in one line each: `from fra-1: DNS ok, TCP ok 2/2, TLS ok 2/2, page 200`."""

from collections.abc import Iterable

from probe.model.control import ControlKind, ControlReport
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, HTTPExchange, Observation, QUICHandshake, TCPConnect, TLSHandshake
from probe.model.target import Target

_KINDS = {
    ControlKind.WALLPROBE: "a control",
    ControlKind.OONI: "an OONI test helper",
    ControlKind.PEER: "another agent",
    ControlKind.TUNNEL: "through a tunnel",
}


def build_outside_lines(measurement: Measurement) -> tuple[str, ...]:
    """Return a line for each control that was asked, the failed ones with why: that is a finding too."""
    lines: list[str] = []
    for report in measurement.controls:
        others = (one for one in report.tried if not one.startswith(f"{report.control}: "))
        lines += [f"{other} (asked first)" for other in others]
        lines.append(_line(report, measurement.target))
    return tuple(dict.fromkeys(lines))


def _line(report: ControlReport, target: Target) -> str:
    who = f"{report.control} ({_KINDS[report.kind]})" if report.control else _KINDS[report.kind]
    if report.late:
        return f"{who}: {report.failure}"
    if not report.answered:
        how = "we did not get through to it" if report.unreachable else "it gave no answer"
        return f"{who}: {how}: {report.failure}"
    age = f", {report.age_s:.0f} s old" if report.age_s >= 1 else ""
    said = "".join(f"; it says itself: {known.target} {known.status.value}" for known in report.known[:1])
    return f"{who}{age}: {', '.join(_steps(report.of_target(target.check), target.host)) or 'saw nothing'}{said}"


def _steps(observations: tuple[Observation, ...], host: str) -> Iterable[str]:
    named = [o for o in observations if isinstance(o, DNSLookup) and o.name == host]
    if named:
        yield "DNS ok" if any(o.addresses for o in named) else f"DNS {_why(named)}"
    for label, kind in (("TCP", TCPConnect), ("TLS", TLSHandshake), ("QUIC", QUICHandshake)):
        seen = [o for o in observations if isinstance(o, kind) and o.hop == 0]
        if not seen:
            continue
        fine = sum(o.failure is None for o in seen)
        yield f"{label} {'ok' if fine else _why(seen)}{f' {fine}/{len(seen)}' if fine and len(seen) > 1 else ''}"
    pages = [o for o in observations if isinstance(o, HTTPExchange)]
    if pages:
        last = pages[-1]
        yield f"page {last.status}" if last.status else f"page {_why(pages)}"


def _why(seen: Iterable[Observation]) -> str:
    failures = [o.failure.code.value for o in seen if o.failure is not None]
    return failures[-1] if failures else "no answer"
