"""The README's table of what is wrong with tunnels names scenarios that there are."""

import fnmatch
import pathlib
import re

from probe.lab import scenarios
from probe.lab.world.atlas import build_world

README = pathlib.Path(scenarios.__file__).parents[1] / "README.md"


def test_every_scenario_that_the_table_names_is_there():
    table = README.read_text(encoding="utf-8").partition("| what is wrong |")[2].partition("\n\n")[0]
    named = re.findall(r"`([a-z0-9*-]+)`", table)
    names = [name.removeprefix("vpn-") for name in scenarios.build_tunnel_scenarios(build_world(1))]
    assert len(named) > 30
    assert [pattern for pattern in named if not fnmatch.filter(names, pattern)] == []
