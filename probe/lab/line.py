"""The access line and the transit behind it: delay, loss, rate and outage. Sans-IO: times in, times out."""

import random

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How the way from the client to the world is."""

    access_delay_s: float = 0.004
    """One way, client to censor."""
    transit_delay_s: float = 0.016
    """One way, censor to what lies beyond the border; domestic hosts are a quarter of it away."""
    loss_ratio: float = 0.0
    """Each way."""
    bytes_per_s: float | None = None
    """Each way; `None` = no limit."""
    queue_s: float = 0.3
    """How much may wait for a limited line; what comes later is lost."""
    is_cut: bool = False
    lost_above_bytes: int | None = None
    """An MTU black hole: larger packets vanish without a word."""
    loses_ipv6: bool = False
    loses_ipv4: bool = False
    jitter_s: float = 0.0
    """Each packet is held for up to so long besides: those behind it may overtake it."""
    doubled_ratio: float = 0.0
    """Share of packets that arrive twice."""
    gaps_s: tuple[tuple[float, float], ...] = ()
    """From when to when nothing passes, in seconds since the line was laid."""


class Lane:
    """One direction of the line: says when a packet arrives, or that it is lost."""

    def __init__(self, line: Line, seed: int, laid_s: float = 0.0) -> None:
        self._line = line
        self._dice = random.Random(seed)
        self._free_s = 0.0
        self._laid_s = laid_s

    def admit(self, size: int, version: int, now_s: float) -> float | None:
        """Return when a packet has left the sender; `None` = it is lost on the way."""
        line = self._line
        if line.is_cut or (line.loses_ipv6 and version == 6) or (line.loses_ipv4 and version == 4):
            return None
        if any(start_s <= now_s - self._laid_s < end_s for start_s, end_s in line.gaps_s):
            return None
        if line.lost_above_bytes is not None and size > line.lost_above_bytes:
            return None
        if line.loss_ratio and self._dice.random() < line.loss_ratio:
            return None
        held_s = line.jitter_s and self._dice.random() * line.jitter_s
        if line.bytes_per_s is None:
            return now_s + held_s
        start_s = max(now_s, self._free_s)
        if start_s - now_s > line.queue_s:
            return None
        self._free_s = start_s + size / line.bytes_per_s
        return self._free_s + held_s

    def doubles(self) -> bool:
        """Tell whether the packet arrives once more."""
        return bool(self._line.doubled_ratio) and self._dice.random() < self._line.doubled_ratio
