"""How much traffic a list means, before any is sent: CONTRACT section 7 says where it is printed.

The costs of one check are what the profiles were made for: a site with three addresses, asked for A and AAAA, whose
handshakes and page are small. They are a floor for bytes: what is really sent is counted by the gate.
"""

import math
from collections.abc import Iterable

import msgspec

from probe.model.settings import Limits, Profile
from probe.model.target import CheckName, Target
from probe.model.units import render_duration, render_size
from probe.targets.hosts import is_address

DAY_S = 86400.0
ADDRESSES_OF_A_NAME = 3
QUERIES_OF_A_NAME = 2
CONNECTION_BYTES = 1500
DNS_BYTES = 125
_NO_CONNECTION = frozenset({CheckName.DNS, CheckName.ICMP})


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What the targets of a list need together."""

    targets: int
    shortest_s: float
    longest_s: float
    checks_per_s: float
    connections_per_s: float
    dns_per_s: float
    bytes_per_day: float
    ratio: float
    """Share of the profile's connections or DNS questions, whichever is larger; 1.0 = full."""
    profile: Profile

    @property
    def stretch(self) -> float:
        """Return by how much the agent must lengthen all intervals to keep within its budget; 1.0 = not at all."""
        return max(1.0, self.ratio)

    @property
    def percent(self) -> int:
        """Return the share in percent, rounded up from the least excess over 100."""
        return math.ceil(self.ratio * 100) if self.ratio > 1 else round(self.ratio * 100)

    def __str__(self) -> str:
        intervals = render_duration(self.shortest_s)
        if self.longest_s > self.shortest_s:
            intervals += f" to {render_duration(self.longest_s)}"
        noun = "target" if self.targets == 1 else "targets"
        return (
            f"{self.targets:,} {noun} / {intervals} = {_figure(self.checks_per_s)} checks/s, "
            f"{_figure(self.connections_per_s)} conn/s, {_figure(self.dns_per_s)} DNS/s, "
            f"{render_size(self.bytes_per_day)}/day: {self.percent} % of profile {self.profile}"
        )


def _figure(number: float) -> str:
    """Return two significant figures, and no fraction from ten on: 0.033, 2.5, 30, 1,000."""
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.2g}"


def count_costs(target: Target) -> tuple[int, int]:
    """Return connections and DNS questions of one check of it."""
    literal = is_address(target.host)
    addresses = 1 if literal else ADDRESSES_OF_A_NAME
    questions = 0 if literal else QUERIES_OF_A_NAME
    if target.family is not None and not literal:
        addresses, questions = addresses - 1, 1
    if target.check is CheckName.DNS:
        return 0, 1 if "type" in target.params else QUERIES_OF_A_NAME
    return (0 if target.check in _NO_CONNECTION else addresses), questions


def calculate_load(targets: Iterable[Target], limits: Limits) -> Load:
    """Add up what the targets need."""
    # Few different intervals and costs, many targets: counting first keeps the sums exact.
    counts: dict[tuple[float, int, int], int] = {}
    for target in targets:
        key = (target.interval_s, *count_costs(target))
        counts[key] = counts.get(key, 0) + 1
    checks = math.fsum(count / interval_s for (interval_s, _, _), count in counts.items())
    connections = math.fsum(count * each / interval_s for (interval_s, each, _), count in counts.items())
    questions = math.fsum(count * each / interval_s for (interval_s, _, each), count in counts.items())
    ratio = max(connections / limits.connections_per_s, questions / limits.dns_per_s)
    intervals = [interval_s for interval_s, _, _ in counts]
    return Load(
        targets=sum(counts.values()),
        shortest_s=min(intervals, default=0.0),
        longest_s=max(intervals, default=0.0),
        checks_per_s=checks,
        connections_per_s=connections,
        dns_per_s=questions,
        bytes_per_day=(connections * CONNECTION_BYTES + questions * DNS_BYTES) * DAY_S,
        ratio=round(ratio, 6),
        profile=limits.profile,
    )
