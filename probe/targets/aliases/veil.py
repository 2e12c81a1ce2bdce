"""Between what a process knows of its tunnels and what it shows: targets and measurements go out under aliases.

A target is covered as soon as it is read, so that lists, schedule, metrics, pages, logs and events know nothing else; a
run lifts the veil for itself, and what it saw is covered before it is shown or stored. What is dropped on the way for
good: certificates, pages, and the bytes of conversations.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, ICMPEcho, Observation, Role
from probe.model.target import CheckName, Target
from probe.targets.aliases.alias import Aliases
from probe.targets.aliases.scrubbing import Words

_OF_A_RUN = ("login", "depth")
"""Params that a command adds to a covered target."""


class Veil:
    """Long-lived: one per process."""

    def __init__(self, key: Callable[[], bytes] = bytes, *, everything: bool = False) -> None:
        """Prepare; `key` is asked for when a target is covered.

        `everything`: all tunnels are covered, else those alone that have an alias of their owner's.
        """
        self._aliases = Aliases(key)
        self._everything = everything
        self._real: dict[str, Target] = {}
        self._shown: dict[str, Target] = {}
        self._shared = Words()
        """Of references: they are met in the runs of others."""
        self._all = Words()

    def covers(self, target: Target) -> bool:
        """Tell whether a target is shown under an alias."""
        return bool(target.alias) or (self._everything and target.check is CheckName.VPN)

    def cover_targets(self, targets: Iterable[Target]) -> tuple[Target, ...]:
        """Return targets as everybody may see them. Where several have one alias they are numbered in their order."""
        listed = tuple(targets)
        given = Counter(target.alias for target in listed if target.alias and target.id not in self._real)
        counts: Counter[str] = Counter()
        groups = self._cover_groups(listed)
        shown: list[Target] = []
        for target in listed:
            named = target
            if given[target.alias] > 1:
                counts[target.alias] += 1
                named = msgspec.structs.replace(named, alias=f"{target.alias}-{counts[target.alias]}")
            if target.group in groups:
                named = msgspec.structs.replace(named, group=groups[target.group])
            shown.append(self.cover_target(named))
        return tuple(shown)

    def _cover_groups(self, targets: Iterable[Target]) -> dict[str, str]:
        """Return other names for groups that tell where a member is: files are often called after their server."""
        telling = {
            target.group
            for target in targets
            if target.group and self.covers(target)
            if self._aliases.words_of(target).scrub(target.group) != target.group
        }
        return {group: self._aliases.group_name(group) for group in telling}

    def cover_target(self, target: Target, *, even_a_site: bool = False) -> Target:
        """Return one target as everybody may see it; one that is covered already stays."""
        if not (self.covers(target) or even_a_site) or target.id in self._real:
            return target
        covered = self._aliases.cover(target)
        real = msgspec.structs.replace(target, id=covered.id, alias=covered.alias)
        self._real[covered.id], self._shown[covered.id] = real, covered
        self._all.add(self._aliases.words_of(real))
        return covered

    def cover_references(self, references: Iterable[Target]) -> None:
        """Hide references wherever they are met; they are asked as they are."""
        for reference in references:
            if self.covers(reference):
                named = msgspec.structs.replace(reference, alias=self._aliases.cover(reference).alias)
                words = self._aliases.words_of(named)
                self._shared.add(words)
                self._all.add(words)

    def find_references(self, references: Iterable[Target]) -> dict[str, str]:
        """Return where references are, by what stored measurements call them; not those that one alias stands for."""
        places = [
            (str(Endpoint(address=self._aliases.literal(r.host), port=0)), str(Endpoint(address=r.host, port=r.port)))
            for r in references
            if self.covers(r)
        ]
        shared = Counter(alias for alias, _ in places)
        return {alias: place for alias, place in places if shared[alias] == 1}

    def lift(self, target: Target) -> Target:
        """Return a target as it is asked; for its run alone."""
        real = self._real.get(target.id)
        if real is None:
            return target
        return msgspec.structs.replace(real, params={**real.params, **_of_this_run(target)}, worked=target.worked)

    def cover(self, measurement: Measurement) -> Measurement:
        """Return a measurement as it may be shown and stored."""
        real = self._real.get(measurement.target.id)
        if real is None:
            return measurement
        words = self._aliases.words_of(real)
        words.add(self._shared)
        self._learn(words, measurement, real.alias)
        self._all.add(words)
        plain = msgspec.to_builtins(measurement, builtin_types=(bytes,))
        seen = words.cover({key: value for key, value in plain.items() if key not in ("target", "id")})
        asked, shown = measurement.target, self._shown[real.id]
        shown = msgspec.structs.replace(shown, params={**shown.params, **_of_this_run(asked)}, worked=asked.worked)
        seen |= {"target": msgspec.to_builtins(shown, builtin_types=(bytes,)), "id": measurement.id}
        return msgspec.convert(seen, Measurement, builtin_types=(bytes,))

    def text(self, text: str) -> str:
        """Return a line for people, such as a log's, without what is hidden."""
        return self._all.scrub(text, bare_ports=False) if self._real else text

    def _learn(self, words: Words, measurement: Measurement, alias: str) -> None:
        """Hide the addresses that the target's name led to, whoever gave them, and names that stand for it."""
        reports = [*measurement.controls, *(report for cite in measurement.cites for report in cite.controls)]
        seen: list[Observation] = [*measurement.observations]
        seen += [observation for cite in measurement.cites for observation in cite.observations]
        seen += [observation for report in reports for observation in report.observations]
        for observation in seen:
            if isinstance(observation, DNSLookup):
                if words.knows_name(observation.name):
                    answers = (answer for reply in observation.replies for answer in reply.answers)
                    for answer in answers:
                        self._aliases.hide(words, answer.value, alias)
            elif observation.role is Role.TARGET:
                address = observation.address if isinstance(observation, ICMPEcho) else observation.endpoint.address
                self._aliases.hide(words, address, alias)


def _of_this_run(target: Target) -> dict[str, str]:
    return {key: target.params[key] for key in _OF_A_RUN if key in target.params}
