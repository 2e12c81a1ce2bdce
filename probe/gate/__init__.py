"""All traffic passes here: budgets, one holder at a time per address and port, and where it is hot."""

from probe.gate.gate import Gate
from probe.gate.stats import GateStats

__all__ = ["Gate", "GateStats"]
