"""A baseline as a description of this network."""

from probe.export.text.report import Line, Tone
from probe.model.vantage import AnchorResult, Baseline, LocalFinding, VantageState

_STATES = {
    VantageState.ONLINE: ("✓ ONLINE", Tone.GOOD),
    VantageState.DEGRADED: ("! PARTLY WORKING", Tone.CARE),
    VantageState.FOREIGN_CUT: ("✗ FOREIGN PLACES UNREACHABLE", Tone.BAD),
    VantageState.PORTAL: ("✗ BEHIND A CAPTIVE PORTAL", Tone.BAD),
    VantageState.OFFLINE: ("✗ OFFLINE", Tone.BAD),
}
_FINDINGS = {
    LocalFinding.TUNNEL_ROUTE: "the default route is a tunnel: what is measured is the tunnel's exit, not this network",
    LocalFinding.FAKE_IP: "a local proxy answers names with addresses of its own (fake IP)",
    LocalFinding.TLS_INSPECTION: "TLS is inspected: one private issuer signs unrelated sites",
    LocalFinding.PROXY_ENVIRONMENT: "proxy variables are set in the environment; measurements do not use them",
    LocalFinding.RESOLVER_FALSIFIES: "the resolver falsifies names that nobody blocks",
    LocalFinding.GETADDRINFO_DIFFERS: "the system's resolver function answers otherwise than its nameservers do",
    LocalFinding.CLOCK_WRONG: "this host's clock is wrong",
}


def build_network_report(baseline: Baseline) -> tuple[Line, ...]:
    """Return the description, its state first."""
    head, tone = _STATES[baseline.state]
    lines = [Line(text=f"{head}  this network  ({baseline.runtime_s:.1f} s)", tone=tone)]
    if not baseline.fit:
        lines.append(Line(text="  Nothing is judged from here until this changes.", tone=Tone.CARE))
    gateway = {True: "answers", False: "silent", None: "does not answer pings"}[baseline.gateway_ok]
    lines.append(Line(text=f"  Gateway    {gateway}"))
    lines.append(Line(text=f"  Resolvers  {baseline.resolvers_ok} of {baseline.resolvers_total} answer"))
    for group in ("foreign", "domestic"):
        anchors = [anchor for anchor in baseline.anchors if anchor.group == group]
        if anchors:
            lines.append(_anchor_line(group, anchors))
    lines.append(Line(text="  Families   " + (", ".join(f"IPv{f}" for f in baseline.families) or "none works")))
    if baseline.udp_ok is not None:
        lines.append(Line(text=f"  UDP        port 53 to a public resolver {'open' if baseline.udp_ok else 'closed'}"))
    if baseline.clock_offset_s is not None:
        lines.append(Line(text=f"  Clock      {baseline.clock_offset_s:+.0f} s against the world's"))
    lines += [Line(text=f"  {detail}") for detail in baseline.details]
    for finding in baseline.findings:
        lines.append(Line(text=f"  Local      {_FINDINGS[finding]}", tone=Tone.CARE))
    if not baseline.findings:
        lines.append(Line(text="  Local      no interception seen on or beside this machine", tone=Tone.GOOD))
    return tuple(lines)


def describe_finding(finding: LocalFinding) -> str:
    """Return what was found on or beside this machine, as a sentence's part."""
    return _FINDINGS[finding]


def _anchor_line(group: str, anchors: list[AnchorResult]) -> Line:
    good = [anchor for anchor in anchors if anchor.ok]
    times = sorted(anchor.rtt_s for anchor in good if anchor.rtt_s is not None)
    middle = f", median {times[len(times) // 2] * 1000:.0f} ms" if times else ""
    text = f"  {group.capitalize():9}  {len(good)} of {len(anchors)} anchors prove themselves{middle}"
    return Line(text=text, tone=Tone.PLAIN if good else Tone.BAD)
