"""Why a verdict is no surer and no weaker: the designs that were run, what would raise it, what could not be done.

Source: CONTRACT section 2. Facts about this measurement only; nothing here judges.
"""

import msgspec

from probe.export.text.comparisons import Cell, cells_of
from probe.model.experiment import Design
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.target import Exposure
from probe.model.vantage import Baseline
from probe.model.verdict import Cause, Confidence, EvidenceFamily, EvidenceLevel, Status, Verdict

_VARIED: dict[Design, tuple[str, str]] = {
    Design.REPEAT: ("the moment", "name, address, transport"),
    Design.SNI: ("the name in the TLS hello", "address, port, hello shape"),
    Design.HOST: ("the name in the request", "address, port"),
    Design.RESIDUAL: ("the time since the name was sent", "address, port, a neutral name"),
    Design.CERTIFICATE: ("the name in the TLS hello", "address, port"),
    Design.ROUTE: ("the transport", "name, address"),
    Design.CONNECT: ("the port, many times", "the address"),
    Design.SHARE: ("the moment, many times", "name, address, port"),
    Design.CROSS: ("the address, to one that has nothing to do with the name", "the name"),
    Design.VOLUME: ("page and place", "this line"),
    Design.FLOW: ("the name, by turns", "a control's echo port, its rate"),
    Design.PATH: ("the page", "name, address"),
    Design.RESOLVERS: ("the resolver and its transport", "the name"),
    Design.NEUTRAL_LOOKUP: ("the name", "our resolver"),
    Design.NOWHERE: ("the name", "an address where no resolver is"),
    Design.ADDRESSES: ("the address", "the name"),
    Design.HOLD: ("nothing is sent", "address, port"),
    Design.PORTS: ("the port", "the address"),
    Design.MIN_TTL: ("the lowest TTL that is let in, and the name", "address"),
    Design.TRACE: ("how many hops packets live", "what they carry"),
    Design.ENCRYPTED_ROUTE: ("https instead of http", "name, address"),
    Design.SOURCE_PORT: ("the source port, to one not above the port it goes to", "name, address, QUIC"),
    Design.INITIAL: ("the size of the hello, two datagrams as browsers' take", "name, address, QUIC"),
    Design.HTTP3: ("QUIC instead of TCP, and the name in it", "address"),
    Design.HELLO: ("the shape of the TLS hello", "name, address"),
    Design.ECH: ("how the name is hidden in the hello", "address, port"),
    Design.SERVICE: ("the service", "the host"),
    Design.REFERENCE: ("the server", "the protocol"),
    Design.ENTROPY: ("what the first bytes look like", "address, port, length"),
    Design.PROTOCOL: ("whether the first bytes are of a known protocol", "address, port"),
    Design.PROXY: ("the name", "the address that was given"),
    Design.SYSTEM: ("who asks: the system's function", "the name"),
}
_OWN_METHODS = (Design.SNI, Design.HOST, Design.HTTP3, Design.RESOLVERS)
_ELSEWHERE = (EvidenceFamily.CONTROL, EvidenceFamily.TUNNEL, EvidenceFamily.OTHER_ROUTE)


class DesignTable(msgspec.Struct, frozen=True, kw_only=True):
    """One design: what was varied, what was held, and its cells with their outcomes."""

    design: Design
    varied: str
    held: str
    cells: tuple[Cell, ...]
    measurement: str = ""
    """The earlier measurement that it is cited from; empty = this one."""


def build_designs(measurement: Measurement) -> tuple[DesignTable, ...]:
    """Return the designs in the order they were planned, those of cited measurements first."""
    tables: list[DesignTable] = []
    for citation in measurement.cites:
        tables += _tables(cells_of(citation.experiments, citation.observations, by_shape=True), citation.measurement)
    return (*tables, *_tables(cells_of(measurement.experiments, measurement.observations, by_shape=True), ""))


def _tables(cells: tuple[Cell, ...], measurement: str) -> list[DesignTable]:
    found: dict[Design, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.design, []).append(cell)
    return [
        DesignTable(
            design=design,
            varied=_VARIED[design][0],
            held=_VARIED[design][1],
            cells=tuple(rows),
            measurement=measurement,
        )
        for design, rows in found.items()
    ]


def what_would_raise(measurement: Measurement) -> tuple[str, ...]:
    """Return what would make the verdict surer, nearest first; nothing where it is settled or fine."""
    verdict = measurement.verdict
    if verdict.status is Status.OK or verdict.confidence is Confidence.C3:
        return ()
    steps = [f"{pending.question}: in {pending.due_in_s:.0f} s, by --wait or the daemon" for pending in verdict.pending]
    if measurement.baseline is None or not measurement.baseline.fit:
        return (*steps, "a look at the vantage that is fit: nothing is judged before it")
    families = {e.family for e in verdict.evidence if e.level is EvidenceLevel.SCORED}
    if verdict.confidence is Confidence.C0 and not verdict.pending:
        steps.append("another run, 30 s or more after this one: a single failure proves nothing")
    if not families.intersection(_ELSEWHERE) and verdict.cause is not Cause.LOCAL:
        steps.append(_second_view(measurement))
    if EvidenceFamily.DIFFERENTIAL not in families and not _has_own_design(measurement):
        steps.append("a comparison from here, such as another name at the same address")
    if measurement.vantage.asn == 0 and _is_about_addresses(verdict):
        steps.append("AS data (`knowledge: {asn_file: …}`), so that a trace can say in whose network packets end")
    return tuple(steps)


def _second_view(measurement: Measurement) -> str:
    if any(report.answered for report in measurement.controls):
        return "a control that was asked the same twice, 30 s apart, and sees it otherwise"
    return "a control: a server of yours, a tunnel (`via:`) or another agent (`peer:`), under `control:`"


def _has_own_design(measurement: Measurement) -> bool:
    return any(e.design in _OWN_METHODS for e in measurement.experiments)


def _is_about_addresses(verdict: Verdict) -> bool:
    return any(pattern.layer in ("ip", "tcp") for pattern in verdict.patterns)


def what_was_not_possible(measurement: Measurement) -> tuple[str, ...]:
    """Return what could not be looked at, each with why."""
    missing = [*_vantage_lacks(measurement.baseline)]
    if measurement.unlooked and not measurement.deep:
        missing.append(
            "not looked at closely yet (a browser's hello, HTTP/3, what other resolvers say): that has a budget, and"
            " comes with a later run"
        )
    if measurement.verdict.status is Status.OK:
        return tuple(missing)
    if not measurement.controls:
        missing.append("no view from elsewhere: no control is configured, or none was needed")
    for report in measurement.controls:
        if not report.answered:
            way = " (we did not get through to it)" if report.unreachable else ""
            missing += [f"control {other}" for other in report.tried if not other.startswith(f"{report.control}: ")]
            missing.append(f"control {report.control}: {report.failure}{way}")
    if measurement.vantage.asn == 0:
        missing.append("no comparison of networks: our own AS is not known")
    if measurement.target.exposure is Exposure.PRIVATE:
        missing.append("no variants of the hello, no neutral names: the endpoint is private")
    if _lacks_low_ports(measurement):
        missing.append("no QUIC from a low source port: this host keeps those for the privileged")
    hot = sum(bool(getattr(observation, "hot", False)) for observation in measurement.observations)
    if hot:
        heated = f"{hot} connections went to a place that an earlier failure had heated"
        missing.append(f"{heated}: a failure there counts only after a neutral name has passed")
    ran = {observation.experiment for observation in measurement.observations}
    left = sum(experiment.id not in ran for experiment in measurement.experiments)
    if left:
        missing.append(f"{left} planned experiments did not run to an end: {_why_left(measurement)}")
    missing += [e.reason for e in measurement.verdict.evidence if e.level is not EvidenceLevel.SCORED and e.reason]
    return tuple(dict.fromkeys(missing))


def _lacks_low_ports(measurement: Measurement) -> bool:
    low = {experiment.id for experiment in measurement.experiments if experiment.low_port}
    denied = (o for o in measurement.observations if o.experiment in low and o.failure is not None)
    return any(o.failure is not None and o.failure.code is FailureCode.PERMISSION_DENIED for o in denied)


def _why_left(measurement: Measurement) -> str:
    if measurement.interrupted:
        return "the run was interrupted"
    settled = measurement.verdict.confidence is Confidence.C3
    return "the verdict was settled before" if settled else "their place was not free, or the budget was spent"


def _vantage_lacks(baseline: Baseline | None) -> list[str]:
    if baseline is None:
        return []
    lacks = [] if 6 in baseline.families else ["no IPv6 address was tried: this network has no IPv6"]
    if not baseline.fit:
        lacks.append(f"the vantage was {baseline.state.value}: failures are not judged")
    return lacks
