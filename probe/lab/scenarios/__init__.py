"""Situations with known truth."""

from probe.lab.scenarios.connections import CONNECTIONS
from probe.lab.scenarios.edges import EDGES
from probe.lab.scenarios.families import FAMILIES
from probe.lab.scenarios.field import FIELD
from probe.lab.scenarios.first import FIRST
from probe.lab.scenarios.flows import FLOWS
from probe.lab.scenarios.hellos import HELLOS
from probe.lab.scenarios.honest import HONEST
from probe.lab.scenarios.hosts import HOSTS
from probe.lab.scenarios.interception import INTERCEPTION
from probe.lab.scenarios.model import Build, Scenario
from probe.lab.scenarios.ooni.redirects import REDIRECTS
from probe.lab.scenarios.ooni.worlds import PLAIN
from probe.lab.scenarios.quic import QUIC
from probe.lab.scenarios.remembered import REMEMBERED
from probe.lab.scenarios.requests import REQUESTS
from probe.lab.scenarios.resolvers import RESOLVERS
from probe.lab.scenarios.servers import SERVERS
from probe.lab.scenarios.transports import TRANSPORTS
from probe.lab.scenarios.tunnel_hosts import TUNNELS
from probe.lab.scenarios.vantages import VANTAGES
from probe.lab.scenarios.vpn.table import VPN
from probe.lab.scenarios.zones import ZONES
from probe.lab.world.plan import World

BUILDS: tuple[Build, ...] = (
    *FIRST,
    *RESOLVERS,
    *INTERCEPTION,
    *ZONES,
    *CONNECTIONS,
    *REMEMBERED,
    *FAMILIES,
    *REQUESTS,
    *FLOWS,
    *TRANSPORTS,
    *HELLOS,
    *QUIC,
    *TUNNELS,
    *SERVERS,
    *VANTAGES,
    *HOSTS,
    *HONEST,
    *PLAIN,
    *REDIRECTS,
    *EDGES,
    *FIELD,
)


def build_scenarios(world: World) -> dict[str, Scenario]:
    """Return every scenario in this world, by name, in the order of the tables; those of tunnels are an exam apart."""
    return _build(BUILDS, world)


def build_tunnel_scenarios(world: World) -> dict[str, Scenario]:
    """Return the scenarios whose target is a tunnel."""
    return _build(VPN, world)


def build_all_scenarios(world: World) -> dict[str, Scenario]:
    """Return both."""
    return {**build_scenarios(world), **build_tunnel_scenarios(world)}


def _build(builds: tuple[Build, ...], world: World) -> dict[str, Scenario]:
    built = [build(world) for build in builds]
    return {scenario.name: scenario for scenario in built}
