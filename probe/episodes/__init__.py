"""Verdicts over time: ok, degraded or not reachable, and since when. Pure: a state and a run give the next state.

The contract is VERDICTS section 5; the test for a share of failing runs is that of the reference, section D.5.
"""

from probe.episodes.fold import fold, reanchor
from probe.episodes.share import Share, failing_share

__all__ = ["Share", "failing_share", "fold", "reanchor"]
