"""What `check` prints, and when: a target alone as soon as something is known of it, endpoints of a group together."""

from collections.abc import Sequence

import click
import msgspec

from probe.classify.group import fold_group
from probe.cli.paint import paint
from probe.export.record import build_record
from probe.export.text.group_report import build_group_report, name_members
from probe.export.text.report import Line, build_report
from probe.model.measurement import Measurement
from probe.model.target import Target
from probe.model.verdict import Status
from probe.targets.groups import build_groups, is_member


class Printer:
    """For one call of `check`."""

    def __init__(self, targets: Sequence[Target], *, as_json: bool, verbose: bool) -> None:
        self._targets = targets
        self._as_json = as_json
        self._verbose = verbose
        self._groups = build_groups(targets)
        self._latest: dict[str, Measurement] = {}
        self._waits: set[str] = set()
        """Targets whose last word is still to come."""
        self._told: set[str] = set()
        """Groups whose first verdict was printed."""
        self.grouped = frozenset(t.id for t in targets for group in self._groups if is_member(t, group))

    def show(self, measurement: Measurement, final: bool) -> None:
        """Print what is known of a target now; not `final`, it is the first word, and more is waited for."""
        name = measurement.target.id
        self._latest[name] = measurement
        self._waits = self._waits - {name} if final else self._waits | {name}
        if self._as_json:
            if final:
                click.echo(msgspec.json.encode(build_record(measurement)))
            return
        if self._verbose or name not in self.grouped:
            paint(build_report(measurement))
        if self._verbose:
            _print_observations(measurement)
        for group in self._groups:
            self._show_first(group)

    def show_groups(self, runs: Sequence[Measurement]) -> list[Status]:
        """Print the last word on each group; return their statuses."""
        found = [(group, [run for run in runs if is_member(run.target, group)]) for group in self._groups]
        return [self._show_group(group, members) for group, members in found if members]

    def _show_first(self, group: Target) -> None:
        """Print the first verdict of a group, once each of its endpoints has one, if more is waited for."""
        names = [target.id for target in self._targets if is_member(target, group)]
        if group.id in self._told or not self._waits.intersection(names) or any(n not in self._latest for n in names):
            return
        self._told.add(group.id)
        self._show_group(group, [self._latest[name] for name in names])

    def _show_group(self, group: Target, members: Sequence[Measurement]) -> Status:
        verdict = fold_group(group.group_mode, name_members(members))
        if not self._as_json:
            paint(build_group_report(group.address, verdict, members))
            return verdict.status
        record = {
            "group": group.address,
            "mode": group.group_mode.value,
            "status": verdict.status.value,
            "patterns": [pattern.value for pattern in verdict.patterns],
            "cause": verdict.cause.value,
            "confidence": int(verdict.confidence),
            "depth": verdict.depth.value,
            "summary": verdict.summary,
            "members": [member.id for member in members],
        }
        click.echo(msgspec.json.encode(record))
        return verdict.status


def _print_observations(measurement: Measurement) -> None:
    for observation in measurement.observations:
        paint((Line(text="    " + msgspec.json.encode(observation).decode()),))
