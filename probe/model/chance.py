"""Small statistics that several judgements rest on: exact tests, intervals and sequential tests. Pure functions.

Source: Fisher, "The Design of Experiments" (1935), the hypergeometric test of a 2 x 2 table; Wilson, Journal of the
American Statistical Association 22 (1927), the score interval; Wald, "Sequential Analysis" (1947).
"""

import math
from enum import StrEnum

Z_95 = 1.96


def fisher_two_sided(test_failed: int, test_total: int, control_failed: int, control_total: int) -> float:
    """Return the probability of a table at least as uneven as this one, if test and control fail alike.

    Raises:
        ValueError: there are more failures than tries, or less than none.
    """
    if not (0 <= test_failed <= test_total and 0 <= control_failed <= control_total):
        raise ValueError("more failures than tries")
    failed, total = test_failed + control_failed, test_total + control_total
    whole = math.comb(total, failed)
    low, high = max(0, failed - control_total), min(failed, test_total)
    weights = [math.comb(test_total, n) * math.comb(control_total, failed - n) for n in range(low, high + 1)]
    seen = math.comb(test_total, test_failed) * math.comb(control_total, control_failed)
    return sum(weight for weight in weights if weight <= seen) / whole


def wilson(failed: int, tries: int, z: float = Z_95) -> tuple[float, float]:
    """Return the interval in which the true share lies; without tries it may be anything.

    Raises:
        ValueError: there are more failures than tries, or less than none.
    """
    if not 0 <= failed <= tries:
        raise ValueError("more failures than tries")
    if tries == 0:
        return 0.0, 1.0
    ratio, square = failed / tries, z * z
    spread = z * math.sqrt(ratio * (1 - ratio) / tries + square / (4 * tries * tries))
    middle, scale = ratio + square / (2 * tries), 1 + square / tries
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


class Decision(StrEnum):
    """What a sequential test says so far."""

    FAILING = "failing"
    HEALTHY = "healthy"
    OPEN = "open"


def decide_sequentially(
    failed: int, good: int, *, healthy: float = 0.05, failing: float = 0.7, error: float = 0.01
) -> Decision:
    """Return what Wald's test says of a share of failures, both kinds of error being bounded alike.

    With the shares given, two failures say failing and four successes healthy.
    """
    score = failed * math.log(failing / healthy) + good * math.log((1 - failing) / (1 - healthy))
    bound = math.log((1 - error) / error)
    if score >= bound:
        return Decision.FAILING
    return Decision.HEALTHY if score <= -bound else Decision.OPEN
