"""The share of failing runs, and the test that tells a probabilistic block from healthy loss.

Source: Wald, Annals of Mathematical Statistics 16 (1945): a sequential probability ratio test with p0 = 0.05 (healthy
loss) against p1 = 0.26 (the weakest probabilistic block seen in the field: Wu et al., USENIX Security 2023), thresholds
ln 99 = 4.6 for errors of 1 %; Wilson's interval for a share. Deviation: of a row of contrary runs two count, and of
five or more none, because such a row is an episode, which has its own test. What remains is how often a target changes
sides. The sum never falls below zero, as in a one-sided CUSUM.
"""

import math

import msgspec

from probe.model.chance import wilson
from probe.model.episode import EpisodeState

WINDOW = 32
"""Judged runs that are remembered."""
_HEALTHY = 0.05
_LOSSY = 0.26
FAIL_SCORE = math.log(_LOSSY / _HEALTHY)
GOOD_SCORE = math.log((1 - _LOSSY) / (1 - _HEALTHY))
THRESHOLD = math.log(99)
_ROW_COUNTS = 2
_LONG_ROW = 5
_MIN_ROW = 4
_MAX_ROW = 16


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the recent runs were not ok, with Wilson's 95 % interval."""

    runs: int
    ratio: float
    low: float
    high: float


def failing_share(state: EpisodeState) -> Share:
    """Return the share of not-ok runs in the window; without runs it may be anything."""
    return _wilson(state.recent.bit_count(), state.recent_runs)


def mixed_score(contrary: int, runs: int) -> float:
    """Return how strongly a window speaks for a share of contrary runs (bits, newest lowest).

    Contrary are the failing runs of a good target and the good runs of a bad one: the test is the same. The row with
    which the window begins does not count either: how long it was before is not known. Decided above `THRESHOLD`.
    """
    score = 0.0
    row = _LONG_ROW
    for age in range(runs - 1, -1, -1):
        if contrary >> age & 1:
            row += 1
            if row <= _ROW_COUNTS:
                score += FAIL_SCORE
            elif row == _LONG_ROW:
                score -= _ROW_COUNTS * FAIL_SCORE
        else:
            row = 0
            score = max(0.0, score + GOOD_SCORE)
    return score


def row_of_failures(recent: int) -> int:
    """Return how many of the newest runs in a row were not ok."""
    return (~recent & (recent + 1)).bit_length() - 1


def row_that_settles(recent: int, runs: int) -> int:
    """Return how many failing runs in a row no longer fit the share seen before them.

    So many that, with the upper bound of that share, chance would give such a row less often than once in a hundred.
    """
    row = row_of_failures(recent)
    before = _wilson((recent >> row).bit_count(), runs - row).high
    if before >= 1:
        return _MAX_ROW
    return min(_MAX_ROW, max(_MIN_ROW, math.ceil(math.log(0.01) / math.log(before))))


def _wilson(failed: int, runs: int) -> Share:
    low, high = wilson(failed, runs)
    return Share(runs=runs, ratio=failed / runs if runs else 0.0, low=low, high=high)
