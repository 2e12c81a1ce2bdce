"""Lists, files and addresses become targets. Every bad line is one error, and the rest of the list still loads."""

from probe.targets.address import parse_address
from probe.targets.load import Load, calculate_load
from probe.targets.loaded import Loaded
from probe.targets.reader import ListReader, load_sources
from probe.targets.risk import needs_acceptance, risk_statement
from probe.targets.traits import Traits

__all__ = [
    "ListReader",
    "Load",
    "Loaded",
    "Traits",
    "calculate_load",
    "load_sources",
    "needs_acceptance",
    "parse_address",
    "risk_statement",
]
