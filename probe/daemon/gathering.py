"""What a change has that others may share, read off its measurement; and the groups that are open now."""

from probe.episodes.together import Open, SharedBy, Together, Trait, take
from probe.knowledge.suffixes import registrable_domain
from probe.model.episode import Event, EventKind
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, Observation, QUICHandshake, Role, TCPConnect


class Gathering:
    """Long-lived; one per agent."""

    def __init__(self, told: tuple[Event, ...] = ()) -> None:
        """Take up the groups that were open when the agent stopped, from what it told then, newest first."""
        self._state = Together(open=restore(told))

    def take(self, measurement: Measurement, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Return what is to be told of groups after these events of one target."""
        told: list[Event] = []
        for event in events:
            traits = find_traits(measurement) if event.kind is EventKind.ONSET else ()
            self._state, news = take(self._state, event, traits)
            told += news
        return tuple(told)


def find_traits(measurement: Measurement) -> tuple[Trait, ...]:
    """Return what a finding may have in common with others; a DNS finding has its resolver, others their addresses."""
    verdict, host = measurement.verdict, measurement.target.host
    cited = [o for citation in measurement.cites for o in citation.observations]
    seen = [o for o in (*measurement.observations, *cited) if o.role is Role.TARGET and o.hop == 0 and not o.experiment]
    found: list[Trait] = []
    domain = registrable_domain(host)
    if domain:
        found.append(Trait(SharedBy.SUFFIX, domain))
    if verdict.locus not in ("", "unknown"):
        found.append(Trait(SharedBy.LOCUS, verdict.locus))
    if verdict.patterns and verdict.patterns[0].layer == "dns":
        found += [Trait(SharedBy.UPSTREAM, upstream) for upstream in _upstreams(seen)]
    else:
        failed = [o for o in seen if isinstance(o, TCPConnect | QUICHandshake)]
        found += [Trait(SharedBy.ADDRESS, o.endpoint.address) for o in failed]
        found += [Trait(SharedBy.AS, f"AS{o.asn}") for o in failed if isinstance(o, TCPConnect) and o.asn]
    return tuple(dict.fromkeys(found))


def _upstreams(seen: list[Observation]) -> list[str]:
    lookups = (o.resolver.endpoint for o in seen if isinstance(o, DNSLookup) and o.resolver.system)
    return [endpoint.address for endpoint in lookups if endpoint is not None]


def restore(told: tuple[Event, ...]) -> tuple[Open, ...]:
    """Return the groups that were told of and not ended; ends of members since then come with their next good runs."""
    ended: list[tuple[str, ...]] = []
    groups: dict[tuple[str, str], Open] = {}
    for event in told:
        if event.kind is EventKind.GROUP_ENDED:
            ended.append(event.members)
        trait = _read_trait(event)
        if event.kind is not EventKind.GROUP or event.since is None or trait is None or not event.patterns:
            continue
        over = any(set(event.members) <= set(members) for members in ended)
        key = (event.patterns[0].value, str(trait))
        part = any(set(event.members) <= set(newer.members) for newer in groups.values())
        if over or part or key in groups:
            continue
        groups[key] = Open(
            pattern=event.patterns[0].value,
            trait=trait,
            members=event.members,
            lasting=frozenset(event.members),
            since=event.since,
            told=len(event.members),
            traits={trait: len(event.members)},
        )
    return tuple(groups.values())


def _read_trait(event: Event) -> Trait | None:
    """Read back `…: tls.reset.sni, suffix example.org` from a group's text, which is our own."""
    shared_by, _, value = event.text.partition(": ")[2].partition(", ")[2].partition(" ")
    return Trait(SharedBy(shared_by), value) if value and shared_by in SharedBy._value2member_map_ else None
