"""Changes at the same time, told as one: one pattern, one thing in common, one moment that fits all of them.

Source: CONTRACT section 5: grouped by (pattern, AS, address, upstream, name suffix). Onsets belong together when their
intervals share a moment; the group's onset is what they share. Groups that a further onset belongs to alike are one. It
ends when the last of its members has ended, which only good runs say: a member that is measured no more keeps it open.
"""

from collections import Counter
from enum import StrEnum

import msgspec

from probe.model.episode import Event, EventKind, Interval
from probe.model.pattern import Pattern

MOST_WAITING = 2000
"""Single onsets that are kept to join; the oldest go."""
WAITS_S = 7200.0
"""An onset this long past joins nothing new: intervals between two runs are an hour at most."""


class SharedBy(StrEnum):
    """What the members of a group have in common, the closest first."""

    ADDRESS = "address"
    UPSTREAM = "upstream"
    """The resolver that gave the answers."""
    SUFFIX = "suffix"
    """The registrable domain of their names."""
    LOCUS = "locus"
    """Where on the way it happens."""
    AS = "as"
    """The network that their addresses are in."""


FEWEST = {SharedBy.ADDRESS: 2, SharedBy.UPSTREAM: 3, SharedBy.SUFFIX: 2, SharedBy.LOCUS: 3, SharedBy.AS: 3}
"""Two sites of one network or behind one resolver may well fail together by chance."""


class Trait(msgspec.Struct, frozen=True):
    """One thing that a change has, and others may have too."""

    shared_by: SharedBy
    value: str

    def __str__(self) -> str:
        return f"{self.shared_by.value} {self.value}"


class Onset(msgspec.Struct, frozen=True, kw_only=True):
    """One target's change, as it may join others."""

    event: Event
    traits: tuple[Trait, ...]


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A group that has not ended."""

    pattern: str
    trait: Trait
    members: tuple[str, ...]
    lasting: frozenset[str]
    """Members whose episodes have not ended."""
    since: Interval
    told: int
    """Members at the last telling: it is told again when they have doubled, or two groups turn out to be one."""
    traits: dict[Trait, int] = {}
    """What its members have, and how many have it: it is named for what most have."""

    @property
    def near(self) -> frozenset[Trait]:
        """Return by what others may join; a network is too wide for that, and would draw in all that fails in it."""
        return frozenset(trait for trait in self.traits if trait.shared_by is not SharedBy.AS)


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """All that grouping the next change needs."""

    waiting: tuple[Onset, ...] = ()
    open: tuple[Open, ...] = ()


def overlap(one: Interval, other: Interval) -> Interval | None:
    """Return what two intervals share; `None` = no moment fits both."""
    starts = [interval.last_before for interval in (one, other) if interval.last_before is not None]
    start, end = max(starts, default=None), min(one.first_in, other.first_in)
    return None if start is not None and start >= end else Interval(last_before=start, first_in=end)


def take(state: Together, event: Event, traits: tuple[Trait, ...]) -> tuple[Together, tuple[Event, ...]]:
    """Return the next state, and what is to be told of groups."""
    if event.kind is EventKind.ENDED:
        return _end(state, event)
    if event.kind is not EventKind.ONSET or event.since is None or not event.patterns:
        return state, ()
    joined = _join(state, event, traits)
    if joined is not None:
        return joined
    onset = Onset(event=event, traits=traits)
    fresh = [one for one in state.waiting if event.at - one.event.at <= WAITS_S and one.event.target != event.target]
    for trait in sorted(traits, key=lambda t: list(SharedBy).index(t.shared_by)):
        found, since, pattern = _alike(fresh, onset, trait)
        if len(found) < FEWEST[trait.shared_by]:
            continue
        members = tuple(one.event.target for one in found)
        group = Open(
            pattern=pattern.value,
            trait=trait,
            members=members,
            lasting=frozenset(members),
            since=since,
            told=len(members),
            traits=dict(Counter(t for one in found for t in one.traits)),
        )
        rest = tuple(one for one in fresh if one.event.target not in group.lasting)
        return Together(waiting=rest, open=(*state.open, group)), (_tell(group, event, EventKind.GROUP),)
    return msgspec.structs.replace(state, waiting=(*fresh, onset)[-MOST_WAITING:]), ()


def share_pattern(one: Pattern, other: Pattern) -> Pattern | None:
    """Return what two findings both say, where one only says less than the other; `None` = they differ.

    What is told at once of one target may be known deeper of the next: the same cause, seen less well.
    """
    if one.value in other.ancestors:
        return one
    return other if other.value in one.ancestors else None


def _alike(waiting: list[Onset], onset: Onset, trait: Trait) -> tuple[list[Onset], Interval, Pattern]:
    """Return the onsets that share pattern, trait and a moment with this one, itself last, that moment and pattern."""
    assert onset.event.since is not None
    found: list[Onset] = []
    since, pattern = onset.event.since, onset.event.patterns[0]
    for one in reversed(waiting):
        if trait not in one.traits or one.event.since is None:
            continue
        shared, both = overlap(since, one.event.since), share_pattern(pattern, one.event.patterns[0])
        alike = all(share_pattern(one.event.patterns[0], known.event.patterns[0]) for known in found)
        if shared is not None and both is not None and alike:
            found.append(one)
            since, pattern = shared, both
    return [*reversed(found), onset], since, pattern


def _join(state: Together, event: Event, traits: tuple[Trait, ...]) -> tuple[Together, tuple[Event, ...]] | None:
    """Put an onset to the largest group that it fits; it also shows that all those it fits are one."""
    alone = _alone(event, traits)
    fitting = [(group, merged) for group in state.open if (merged := _take_in(group, alone)) is not None]
    if not fitting:
        return None
    largest, grown = max(fitting, key=lambda pair: len(pair[0].members))
    absorbed = []
    for other, _ in fitting:
        both = None if other is largest else _merge(grown, other)
        if both is not None:
            grown = both
            absorbed.append(other)
    told: tuple[Event, ...] = ()
    if len(grown.members) >= 2 * grown.told or absorbed:
        grown = msgspec.structs.replace(grown, told=len(grown.members))
        told = (_tell(grown, event, EventKind.GROUP),)
    kept = (group for group in state.open if not any(group is gone for gone in absorbed))
    return msgspec.structs.replace(state, open=tuple(grown if group is largest else group for group in kept)), told


def _take_in(group: Open, alone: Open) -> Open | None:
    """Return a group with an onset that belongs to it: by what it is named for, or by what any of its members has."""
    belongs = group.trait in alone.traits or not group.near.isdisjoint(alone.traits)
    return _merge(group, alone) if belongs else None


def _alone(event: Event, traits: tuple[Trait, ...]) -> Open:
    """Return the group of one."""
    assert event.since is not None
    return Open(
        pattern=event.patterns[0].value,
        trait=traits[0] if traits else Trait(SharedBy.ADDRESS, ""),
        members=(event.target,),
        lasting=frozenset((event.target,)),
        since=event.since,
        told=0,
        traits=dict.fromkeys(traits, 1),
    )


def _merge(group: Open, other: Open) -> Open | None:
    """Return both as one, named for what most members have; `None` = no moment fits them, or they are two things."""
    since = overlap(group.since, other.since)
    pattern = share_pattern(Pattern(group.pattern), Pattern(other.pattern))
    if since is None or pattern is None:
        return None
    known = set(other.members) <= set(group.members)
    traits = group.traits if known else dict(Counter(group.traits) + Counter(other.traits))
    return msgspec.structs.replace(
        group,
        pattern=pattern.value,
        trait=max(traits, key=lambda trait: (traits[trait], trait == group.trait), default=group.trait),
        members=tuple(dict.fromkeys((*group.members, *other.members))),
        lasting=group.lasting | other.lasting,
        since=since,
        traits=traits,
    )


def _end(state: Together, event: Event) -> tuple[Together, tuple[Event, ...]]:
    told: list[Event] = []
    kept: list[Open] = []
    for group in state.open:
        lasting = group.lasting - {event.target}
        if lasting or event.target not in group.lasting:
            kept.append(msgspec.structs.replace(group, lasting=lasting))
        else:
            told.append(_tell(group, event, EventKind.GROUP_ENDED))
    waiting = tuple(one for one in state.waiting if one.event.target != event.target)
    return Together(waiting=waiting, open=tuple(kept)), tuple(told)


def _tell(group: Open, event: Event, kind: EventKind) -> Event:
    """Return the group's own event: its onset as far as it is known, or the end of its last member."""
    ended = kind is EventKind.GROUP_ENDED
    count = len(group.members)
    text = f"{count} targets together: {group.pattern}, {group.trait}" + (", ended" if ended else "")
    return Event(
        kind=kind,
        at=event.at,
        since=event.since if ended else group.since,
        patterns=() if ended else (Pattern(group.pattern),),
        cause=event.cause,
        confidence=event.confidence,
        measurement=event.measurement,
        members=group.members,
        text=text,
    )
