"""What came of reading lists: targets, the lines that are wrong, and remarks that are no errors."""

from collections.abc import Iterable

import msgspec

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.model.target import Exposure, Target
from probe.targets.traits import Traits


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """One list, or many put together."""

    targets: tuple[Target, ...] = ()
    errors: tuple[UserError, ...] = ()
    """One for each bad line; the rest is in `targets` all the same."""
    notes: tuple[str, ...] = ()


def inherit(defaults: Defaults, source: TargetSource) -> Traits:
    """Return what every target of a source begins with."""
    return apply_source(Traits(interval_s=defaults.interval_s, timeout_s=defaults.timeout_s), source)


def apply_source(traits: Traits, source: TargetSource) -> Traits:
    """Put what is written at the source on top of what the list says of itself: the nearer to the operator wins."""
    return msgspec.structs.replace(
        traits,
        interval_s=traits.interval_s if source.interval_s is None else source.interval_s,
        timeout_s=traits.timeout_s if source.timeout_s is None else source.timeout_s,
        group=source.group or traits.group,
        labels={**traits.labels, **source.labels} if source.labels else traits.labels,
        exposure=traits.exposure if source.exposure is Exposure.PUBLIC else source.exposure,
    )


def join_loaded(parts: Iterable[Loaded]) -> Loaded:
    """Put lists together; of targets with the same id the first stays, with what the others add.

    Those with secrets all stay: whether they are the same, `identities` finds out.
    """
    by_id: dict[tuple[str, tuple[str, ...]], Target] = {}
    errors: list[UserError] = []
    notes: list[str] = []
    for part in parts:
        errors.extend(part.errors)
        notes.extend(part.notes)
        for target in part.targets:
            places = tuple(reference.source for reference in target.secrets.values()) if target.secrets else ()
            first = by_id.setdefault((target.id, places), target)
            if first is not target:
                by_id[target.id, places] = merge_targets(first, target)
                notes.append(f"{target.source}: {target.address} is also at {first.source}; the two are one target")
    return Loaded(targets=tuple(by_id.values()), errors=tuple(errors), notes=tuple(notes))


def merge_targets(first: Target, second: Target) -> Target:
    """Return the first, with what is written beside the second and not beside it."""
    if not second.labels and not second.category and not second.group:
        return first
    return msgspec.structs.replace(
        first,
        labels={**second.labels, **first.labels} if second.labels else first.labels,
        category=first.category or second.category,
        group=first.group or second.group,
    )
