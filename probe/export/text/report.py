"""A measurement as a person reads it: the verdict first, then what was tried, what came back, and what to do next.

Pure text with marks of meaning; the command line adds colour. Source of the shape: CONTRACT section 8.
"""

from enum import StrEnum

import msgspec

from probe.export.text.advice import advise
from probe.export.text.comparisons import build_comparisons
from probe.export.text.ladder import build_ladder
from probe.export.text.outside_view import build_outside_lines
from probe.export.text.untried import name_untried
from probe.export.text.words import render_duration
from probe.model.measurement import Measurement
from probe.model.proof import ProofSource
from probe.model.target import CheckName, GroupMode, Target
from probe.model.vantage import Baseline, LocalFinding, VantageState
from probe.model.verdict import Cause, Status, Verdict


class Tone(StrEnum):
    """What a line means, for whoever colours it."""

    GOOD = "good"
    BAD = "bad"
    CARE = "care"
    PLAIN = "plain"
    FAINT = "faint"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a report."""

    text: str
    tone: Tone = Tone.PLAIN


_HEADS: dict[Status, tuple[str, str, Tone]] = {
    Status.OK: ("✓", "OK", Tone.GOOD),
    Status.DEGRADED: ("!", "DEGRADED", Tone.CARE),
    Status.BLOCKED: ("✗", "BLOCKED", Tone.BAD),
    Status.LIKELY_BLOCKED: ("✗", "LIKELY BLOCKED", Tone.BAD),
    Status.SERVER_SIDE: ("✗", "REFUSED BY THE SERVER", Tone.CARE),
    Status.DOWN: ("✗", "DOWN", Tone.CARE),
    Status.IMPAIRED: ("?", "NOT REACHABLE, CAUSE UNCLEAR", Tone.CARE),
    Status.INSUFFICIENT: ("?", "CANNOT TELL YET", Tone.CARE),
}

_WHO: dict[Cause, str] = {
    Cause.NETWORK: "by the network, not the server",
    Cause.SERVER: "by the server, not the network",
    Cause.LOCAL: "by something on or beside this machine",
    Cause.OUTAGE: "for everybody",
    Cause.INSTRUMENT: "because this host could not measure",
}


def build_report(measurement: Measurement) -> tuple[Line, ...]:
    """Return the report of one measurement, verdict first."""
    verdict = measurement.verdict
    lines = [build_headline(measurement)]
    if verdict.status is not Status.OK:
        patterns = "  ".join(verdict.patterns)
        lines.append(Line(text=f"  {verdict.summary}    {patterns}".rstrip()))
    lines += [Line(text=f"  {finding}", tone=Tone.CARE) for finding in _local_findings(measurement.baseline)]
    lines += [Line(text=f"  {rung}", tone=_rung_tone(rung)) for rung in build_ladder(measurement)]
    lines += [Line(text=f"  Not tried: {untried}.") for untried in (name_untried(measurement),) if untried]
    lines += _credentials(measurement)
    comparisons = build_comparisons(measurement)
    if comparisons:
        lines.append(Line(text="  Compared:", tone=Tone.FAINT))
        lines += [Line(text=f"    {row}") for row in comparisons]
    lines += [Line(text=f"  From elsewhere: {row}") for row in build_outside_lines(measurement)]
    lines += _evidence_lines(verdict)
    lines += [Line(text=f"  Pending: {pending}", tone=Tone.CARE) for pending in _pending(verdict)]
    if verdict.works:
        lines.append(Line(text=f"  Works from here: {', '.join(verdict.works)}.", tone=Tone.GOOD))
    lines += [Line(text=f"  Next: {step}") for step in advise(measurement)]
    lines.append(
        Line(text=f"  {_network_line(measurement)}    more: wallprobe explain {measurement.id}", tone=Tone.FAINT)
    )
    return tuple(lines)


def build_headline(measurement: Measurement) -> Line:
    """Return the verdict in one line."""
    about = f"{_name(measurement.target)}{_name_tunnel(measurement)}"
    return build_head(measurement.verdict, about, measurement.runtime_s)


def _name(target: Target) -> str:
    """Return what a reader calls it: the only endpoint of a file by the file's name, which is what was asked for."""
    if target.check is CheckName.VPN and target.group and target.group_mode is not GroupMode.LABEL and not target.alias:
        return f"{target.group}  {target.place}"
    return target.address


def _name_tunnel(measurement: Measurement) -> str:
    """Return through which tunnel it was seen: a site that works there may well be blocked on this network."""
    if measurement.vantage.via:
        return f"  through the tunnel {measurement.vantage.via}"
    baseline = measurement.baseline
    found = baseline is not None and LocalFinding.TUNNEL_ROUTE in baseline.findings
    return "  through a tunnel, the default route" if found else ""


def build_head(verdict: Verdict, about: str, runtime_s: float) -> Line:
    """Return a verdict in one line, about this."""
    mark, word, tone = _HEADS[verdict.status]
    if verdict.status is Status.IMPAIRED and verdict.cause is Cause.LOCAL:
        word = "NOT REACHABLE"  # the cause is clear, and stands behind it
    who = _WHO.get(verdict.cause, "") if verdict.status not in (Status.OK, Status.INSUFFICIENT) else ""
    if verdict.status is Status.IMPAIRED and verdict.cause is Cause.OUTAGE:
        who = f"perhaps {who}"  # somebody else fails there, too, and that was seen once
    sure = f"(C{int(verdict.confidence)}, {render_duration(runtime_s)})"
    parts = [f"{mark} {word}", about, who, sure]
    return Line(text="  ".join(part for part in parts if part), tone=tone)


def _credentials(measurement: Measurement) -> list[Line]:
    """Say of a tunnel that fails what is known of its credentials: what may be concluded depends on it."""
    verdict = measurement.verdict
    if measurement.target.check is not CheckName.VPN or verdict.status.reachable:
        return []
    if not measurement.proofs and verdict.cause in (Cause.INSTRUMENT, Cause.SERVER, Cause.LOCAL):
        return []  # what is in the way was said, or the server said it
    if not measurement.proofs:
        return [Line(text="  Credentials: not proven; a wrong key looks like this (--worked DATE if you know better).")]
    proof = min(measurement.proofs, key=lambda proof: proof.age_s)
    if proof.source is ProofSource.USER:
        return [Line(text=f"  Credentials: good on {measurement.target.worked}, the user says.")]
    place = "from another network" if proof.elsewhere else "from here"
    source = f" ({proof.measurement})" if proof.measurement else ""
    return [Line(text=f"  Credentials: good {_ago(proof.age_s)} ago, {place}{source}.")]


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"


def _rung_tone(rung: str) -> Tone:
    return Tone.BAD if "✗" in rung else Tone.PLAIN


def _evidence_lines(verdict: Verdict) -> list[Line]:
    lines = []
    for evidence in {e.rule_id: e for e in verdict.evidence}.values():
        family = f"{evidence.family.value}, C{int(evidence.confidence)}"
        lines.append(Line(text=f"  Because: {evidence.reason} [{evidence.rule_id}; {family}]", tone=Tone.FAINT))
    return lines[:6]


def _pending(verdict: Verdict) -> list[str]:
    return [f"{p.question} (--wait, {render_duration(p.due_in_s)})" for p in verdict.pending]


def _local_findings(baseline: Baseline | None) -> list[str]:
    if baseline is None:
        return []
    return [f"On this network: {finding.value.replace('_', ' ')}." for finding in baseline.findings]


def _network_line(measurement: Measurement) -> str:
    vantage, baseline = measurement.vantage, measurement.baseline
    network = f"AS{vantage.asn}" if vantage.asn else "AS unknown"
    if baseline is None:
        return f"Network: {network}."
    state = {
        VantageState.ONLINE: "online",
        VantageState.DEGRADED: "partly working",
        VantageState.FOREIGN_CUT: "foreign places unreachable",
        VantageState.PORTAL: "behind a captive portal",
        VantageState.OFFLINE: "offline",
    }[baseline.state]
    six = "IPv6" if 6 in baseline.families else "no IPv6"
    return f"Network: {network}, {state}, {six}."
