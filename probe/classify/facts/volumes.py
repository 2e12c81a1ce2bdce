"""How fast bytes came, and where they stopped: one page's arrival in numbers, and the statistics over several.

Source: Xue et al., "Throttling Twitter" (IMC 2021): a policed flow has a plateau far below what the same line carries
otherwise; net4people/bbs 490: it freezes after 15 to 20 KB. Five runs against five that separate completely do so by
chance in 0.8 % of cases (Fisher, and by permutation).
"""

import statistics
from collections.abc import Sequence

from probe.model.observation import Ending, HTTPExchange

SLOW = ((64_000, 1.5), (400_000, 3.0))
"""Below so many bytes per second for so long, a page of some size came slowly: it only lets a comparison begin.

A healthy page from far away is through its slow start by then.
"""
SOME_BYTES = 16_000
"""Less than this arrives in the first round trips, whatever the rate."""
MUCH_SLOWER = 0.2
"""Ratio of medians below which two rates are not the same line's."""
SLOWER = 1 / 3
"""The same against pages of other servers: it says that the line could do more, and accuses nobody."""
ALIKE = 0.25
"""Stalls whose byte counts differ by no more than this share from their median stop at one limit."""
PLATEAU = 0.15
"""A rate that varies less than so much from run to run is held there."""
STALLS_AT_LEAST = 3
"""Two counts may be alike by chance."""
_RAMP = 1 / 3
"""The first third of the bytes is the slow start's."""


def rate_of(page: HTTPExchange) -> float:
    """Return the rate in bytes per second at which most of the body came; 0.0 = none came.

    The kernel's slow start is left out where there are samples enough; a stall at the end counts as time.
    """
    if page.body_bytes <= 0 or page.first_byte_s is None:
        return 0.0
    start_s, start_bytes = page.first_byte_s, 0
    for sample in page.timeline:
        if sample.body_bytes >= page.body_bytes * _RAMP:
            if sample.body_bytes < page.body_bytes:
                start_s, start_bytes = sample.t_s, sample.body_bytes
            break
    return (page.body_bytes - start_bytes) / max(page.t_s - start_s, 0.001)


def is_slow(page: HTTPExchange) -> bool:
    """Tell whether a page of some size came slowly, or still was coming when time was over."""
    if page.body_bytes < SOME_BYTES or page.first_byte_s is None or page.ending not in (None, Ending.SILENCE):
        return False
    rate, took_s = rate_of(page), page.t_s - page.first_byte_s
    return any(rate < limit and took_s >= long_s for limit, long_s in SLOW)


def is_stalled(page: HTTPExchange) -> bool:
    """Tell whether an answer began and then nothing more came, without a word of its end."""
    return bool(page.status) and page.body_bytes > 0 and page.ending is Ending.SILENCE


def share_early(page: HTTPExchange) -> float | None:
    """Return which share of the segments came behind a hole; `None` = the kernel does not say."""
    if not page.segments or page.early_segments is None:
        return None
    return min(1.0, page.early_segments / page.segments)


def much_slower(tests: Sequence[float], controls: Sequence[float], ratio: float = MUCH_SLOWER) -> bool:
    """Tell whether every test was slower than every control, and the median by more than this ratio."""
    if not tests or not controls:
        return False
    apart = max(tests) < min(controls)
    return apart and statistics.median(tests) < ratio * statistics.median(controls)


def stall_at(pages: Sequence[HTTPExchange]) -> int:
    """Return the byte count at which all of these stopped alike; 0 = too few of them, or not alike."""
    counts = [page.body_bytes for page in pages if is_stalled(page)]
    if len(counts) < STALLS_AT_LEAST or len(counts) < len(pages):
        return 0
    middle = statistics.median(counts)
    return int(middle) if all(abs(count - middle) <= ALIKE * middle for count in counts) else 0


def variation(rates: Sequence[float]) -> float:
    """Return the coefficient of variation; a policed rate keeps within a few hundredths."""
    mean = statistics.fmean(rates) if rates else 0.0
    return statistics.pstdev(rates) / mean if mean else 0.0
