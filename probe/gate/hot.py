"""Where it is hot: a name or a signature was sent there, the step failed, and the cool-down is not over.

Kept on the boot clock, which no step moves; wall times are for the ledger alone, and made anew after a step.
"""

from probe.model.endpoint import Endpoint
from probe.model.ledger import HotEndpoint
from probe.net.clock import Clock

_WALL_STEP_S = 2.0
Way = tuple[Endpoint, bool]
"""A place, and whether it is gone to by UDP: what a filter does to QUIC closes no TCP port."""


class _Heat:
    """Heat of one place: by whoever triggered it last, and by anybody else before."""

    __slots__ = ("holder", "kept", "others_until_s", "until_s")

    def __init__(self, holder: str, until_s: float) -> None:
        self.holder = holder
        self.until_s = until_s
        self.others_until_s = 0.0
        self.kept: HotEndpoint | None = None
        """As the ledger keeps it: built once, because tens of thousands at once would stall the loop."""


class HotPlaces:
    """All of them, the first to cool down in front."""

    def __init__(self, clock: Clock, cool_down_s: float) -> None:
        self._clock = clock
        self.cool_down_s = cool_down_s
        self._places: dict[Way, _Heat] = {}
        self._wall_minus_boot_s = clock.wall_s() - clock.boot_s()

    def __len__(self) -> int:
        return len(self._places)

    def trigger(self, way: Way, holder: str) -> None:
        """Note that this holder failed there just now; an empty holder is nobody known."""
        now_s = self._clock.boot_s()
        self.forget_cold(now_s)
        heat = self._places.pop(way, None)  # and back in at the end: the order is that of cooling down
        if heat is None:
            heat = _Heat(holder, 0.0)
        elif heat.holder != holder:
            heat.others_until_s = heat.until_s
            heat.holder = holder
        heat.until_s = now_s + self.cool_down_s
        heat.kept = self._keep(way, heat)
        self._places[way] = heat

    def is_hot(self, way: Way, holder: str, now_s: float) -> bool:
        """Tell whether somebody other than this holder made it hot."""
        heat = self._places.get(way)
        if heat is None:
            return False
        until_s = heat.others_until_s if holder and heat.holder == holder else heat.until_s
        return until_s > now_s

    def until_s(self, way: Way) -> float | None:
        """Return the boot time at which it is cold again; None = it is cold."""
        heat = self._places.get(way)
        return heat.until_s if heat is not None and heat.until_s > self._clock.boot_s() else None

    def forget_cold(self, now_s: float) -> None:
        """Drop what has cooled down; each place is dropped once, so this costs nothing on average."""
        while self._places:
            way, heat = next(iter(self._places.items()))
            if heat.until_s > now_s:
                return
            del self._places[way]

    def restore(self, saved: tuple[HotEndpoint, ...]) -> None:
        """Take over what an earlier process knew.

        Nothing stays hot for longer than one cool-down from now, whatever happened to the clocks in between.
        """
        now_s = self._clock.boot_s()
        for place in sorted(saved, key=lambda place: place.until_boot_s):
            until_s = min(place.until_boot_s, now_s + self.cool_down_s)
            if until_s > now_s:
                self._places[place.endpoint, place.over_udp] = _Heat("", until_s)

    def snapshot(self) -> tuple[HotEndpoint, ...]:
        """Return all that is hot, with wall times by the wall clock as it is now."""
        now_s = self._clock.boot_s()
        self.forget_cold(now_s)
        wall_minus_boot_s = self._clock.wall_s() - now_s
        if abs(wall_minus_boot_s - self._wall_minus_boot_s) > _WALL_STEP_S:
            self._wall_minus_boot_s = wall_minus_boot_s
            for heat in self._places.values():
                heat.kept = None
        return tuple(heat.kept or self._keep(way, heat) for way, heat in self._places.items())

    def _keep(self, way: Way, heat: _Heat) -> HotEndpoint:
        until_wall_s = heat.until_s + self._wall_minus_boot_s
        endpoint, over_udp = way
        return HotEndpoint(endpoint=endpoint, over_udp=over_udp, until_boot_s=heat.until_s, until_wall_s=until_wall_s)
