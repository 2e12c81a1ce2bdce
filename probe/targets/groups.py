"""Groups with a verdict of their own, as targets that are never run: what is known of their members is folded."""

from collections.abc import Iterable

from probe.model.target import CheckName, Exposure, GroupMode, Target
from probe.targets.identity import make_id


def build_groups(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return a target for each group of two or more that says `any` or `all`, in the order of the list."""
    members: dict[tuple[str, GroupMode], list[Target]] = {}
    for target in targets:
        if target.group and target.group_mode is not GroupMode.LABEL:
            members.setdefault((target.group, target.group_mode), []).append(target)
    return tuple(_build(name, mode, found) for (name, mode), found in members.items() if len(found) > 1)


def is_member(target: Target, group: Target) -> bool:
    """Tell whether a target belongs to a group made here."""
    return (
        target.check is not CheckName.GROUP and (target.group, target.group_mode) == (group.group, group.group_mode)
    )  # fmt: skip


def _build(name: str, mode: GroupMode, members: list[Target]) -> Target:
    return Target(
        id=make_id(f"group://{name}?{mode.value}", "", None, None),
        check=CheckName.GROUP,
        address=name,
        host="",
        port=0,
        group=name,
        group_mode=mode,
        category=members[0].category,
        labels=members[0].labels,
        exposure=Exposure.PRIVATE,
        interval_s=max(member.interval_s for member in members),
        source=members[0].source,
    )
