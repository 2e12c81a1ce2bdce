"""Lists, files and addresses become targets. Every bad line is one error, and the rest of the list still loads.

`lists/` has the sources and their readers, `importers/` what `targets import` brings over from other tools,
`client_files/` the settings of tunnels' clients, `aliases/` what a tunnel is shown as. Beside them: how one address
becomes a target (`address`, `schemes`; `tunnels` for those of tunnels), and where its secrets stand.
"""

from probe.targets.address import parse_address
from probe.targets.lists.loaded import Loaded
from probe.targets.lists.reader import ListReader, load_sources
from probe.targets.load import Load, calculate_load
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
