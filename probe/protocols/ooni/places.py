"""Which records of an OONI measurement are paths of the target, and which are comparisons beside it.

A probe dials every address that anybody gave for the name, and for an http page port 443 too. A client of its network
would have used its own resolver's addresses and the page's port alone: all else becomes an experiment, as in our runs.
"""

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import Resolver, Role, Transport
from probe.protocols.ooni.hops import Hop, is_system, read_depth, read_name
from probe.protocols.ooni.records import Query
from probe.protocols.ooni.small_parts import read_endpoint

SYSTEM = Resolver(transport=Transport.GETADDRINFO, system=True)
_TRANSPORTS = {"udp": Transport.UDP, "tcp": Transport.TCP, "dot": Transport.DOT, "doh": Transport.DOH}
_HTTPS_PORT = 443


class Places:
    """Files records under hops and experiments; one for each measurement."""

    def __init__(self, hops: dict[int, Hop]) -> None:
        self._hops = hops
        self._experiments: dict[str, Experiment] = {}

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """Return the comparisons found so far."""
        return tuple(self._experiments.values())

    def find_hop(self, tags: list[str] | None, *, name: str = "", address: str = "", port: int = 0) -> Hop | None:
        """Return the hop of a record by its tag, else by what it asks for; `None` = its page is not known."""
        depth = read_depth(tags)
        if depth is not None:
            return self._hops.get(depth)
        for hop in self._hops.values():
            if name and hop.site.host == name:
                return hop
            if address in hop.addresses and port == hop.site.port:
                return hop
        return self._hops[0]

    def file_lookup(self, query: Query, hop: Hop) -> tuple[Resolver, str]:
        """Return whom a lookup asked, and the experiment that it is; an empty one for the probe's own resolver."""
        if is_system(query):
            return SYSTEM, ""
        resolver = _read_resolver(query)
        query_type = query.query_type
        known = f"{query.resolver_address or resolver}.{query_type}"
        experiment = Experiment(
            id=f"{Design.RESOLVERS.value}.test.{known}.{hop.number}.1",
            design=Design.RESOLVERS,
            step=Step.LOOKUP,
            name=read_name(query.hostname),
            name_kind=NameKind.TEST,
            place=Place.UNRELATED,
            resolver=resolver,
            query_type=query_type,
            hop=hop.number,
            cell=1,
        )
        return resolver, self._add(experiment)

    def file_flow(self, endpoint: Endpoint, hop: Hop) -> str:
        """Return the experiment that a connection belongs to; empty = it is a path of the target."""
        own = hop.is_own(endpoint.address)
        if endpoint.port != hop.site.port:
            encrypted = endpoint.port == _HTTPS_PORT and not hop.site.secure
            design = Design.ENCRYPTED_ROUTE if encrypted else Design.PORTS
        elif own:
            return ""
        else:
            design = Design.ADDRESSES
        place = Place.OWN if own else Place.ELSEWHERE
        secure = hop.site.secure or design is Design.ENCRYPTED_ROUTE
        experiment = Experiment(
            id=f"{design.value}.test.{endpoint}.{hop.number}.1",
            design=design,
            step=Step.HANDSHAKE if secure else Step.FETCH,
            name=hop.site.host,
            name_kind=NameKind.TEST,
            place=place,
            endpoint=endpoint,
            path=hop.site.path,
            secure=secure,
            hop=hop.number,
            cell=1,
        )
        return self._add(experiment)

    def _add(self, experiment: Experiment) -> str:
        self._experiments.setdefault(experiment.id, experiment)
        return experiment.id


def role_of(experiment: str) -> Role:
    """Return why a step was made, by the experiment that it belongs to."""
    return Role.EXPERIMENT if experiment else Role.TARGET


def _read_resolver(query: Query) -> Resolver:
    """Return the resolver; OONI names those of DoH by URL, so their address is not known."""
    transport = _TRANSPORTS.get(query.engine or "", Transport.UDP)
    address = query.resolver_address or ""
    if "://" not in address:
        return Resolver(transport=transport, endpoint=read_endpoint(address))
    host, _, path = address.partition("://")[2].partition("/")
    return Resolver(transport=transport, server_name=host[:253], path=f"/{path}"[:1024])
