"""Verdicts over time: ok, degraded or not reachable, and since when. Pure: a state and a run give the next state.

Source: `probe/classify/CONTRACT.md`, section 5; the test for a share of failing runs is in `share.py`.
"""

from probe.episodes.fold import fold, reanchor
from probe.episodes.share import Share, failing_share

__all__ = ["Share", "failing_share", "fold", "reanchor"]
