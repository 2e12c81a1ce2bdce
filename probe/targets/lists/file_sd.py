"""Prometheus service discovery: `file_sd` (JSON or YAML) and `http_sd` (JSON).

Source: prometheus/prometheus docs/configuration (file_sd_config) and docs/http_sd.md: a list of groups
`{"targets": ["…"], "labels": {"…": "…"}}`. Labels that begin with `__` are Prometheus' own and are dropped; `group` and
`category` become the target's; a label that our metrics set themselves is renamed `exported_…`, as Prometheus does.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from probe.model.errors import UserError
from probe.model.target import Target
from probe.model.written import Written
from probe.targets.lists.entries import label_problem, read_address
from probe.targets.lists.loaded import Loaded, join_loaded
from probe.targets.secret_reading import SecretReader
from probe.targets.traits import Traits

_FORM = 'write [{"targets": ["https://…"], "labels": {"team": "web"}}]'


class _Places:
    """Finds the line of a value, going forward only: asked for mistakes, so a good list never pays for it."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._offset = 0
        self._line = 1

    def of(self, value: Any, group: int) -> str:
        """Return `file:line`, or the group's number where the text does not show the value as JSON writes it."""
        found = self._text.find(json.dumps(value, ensure_ascii=False), self._offset)
        if found < 0:
            return f"{self._file}: group {group}"
        self._line += self._text.count("\n", self._offset, found)
        self._offset = found
        return f"{self._file}:{self._line}"


def parse_file_sd_json(text: str, file: str, base: Traits) -> Loaded:
    """Read groups from JSON; a bad group or target is one error.

    Raises:
        UserError: it is not JSON, or not a list.
    """
    try:
        groups = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise UserError(file, f"not JSON: {error}", _FORM) from None
    if not isinstance(groups, list):
        raise UserError(file, "not a list of groups", _FORM)
    places = _Places(text, file)
    targets: list[Target] = []
    errors: list[UserError] = []
    for number, group in enumerate(groups, 1):
        where = f"{file}: group {number}"
        if not isinstance(group, dict) or not isinstance(group.get("targets"), list):
            errors.append(UserError(where, "no list of targets in it", _FORM))
            continue
        traits = _read_labels(group.get("labels") or {}, where, base, errors)
        targets.extend(_read_targets(group["targets"], where, traits, errors, places, number))
    return join_loaded([Loaded(targets=tuple(targets), errors=tuple(errors))])


def _read_targets(
    written: list[Any], where: str, traits: Traits, errors: list[UserError], places: _Places, group: int
) -> Iterator[Target]:
    for value in written:
        if not isinstance(value, str):
            errors.append(UserError(places.of(value, group), f"a target is {type(value).__name__}, not text", _FORM))
            continue
        mistakes: list[UserError] = []
        yield from read_address(value, where, traits, mistakes)
        for mistake in mistakes:
            errors.append(UserError(places.of(value, group), mistake.what, mistake.remedy))


def parse_file_sd_yaml(groups: tuple[Written, ...], file: str, base: Traits) -> Loaded:
    """Read groups from YAML; a bad group or target is one error."""
    targets: list[Target] = []
    errors: list[UserError] = []
    reader = SecretReader()
    for group in groups:
        where = f"{file}:{group.line}"
        members = group.value.get("targets") if isinstance(group.value, dict) else None
        if members is None or not isinstance(members.value, tuple) or not isinstance(group.value, dict):
            errors.append(UserError(where, "no list of targets in it", "write `- targets: [https://…]`"))
            continue
        written_labels = group.value.get("labels")
        labels = {} if written_labels is None else _plain_words(written_labels)
        traits = _read_labels(labels, where, base, errors)
        for member in members.value:
            address = member.value if isinstance(member.value, str) else ""
            targets.extend(read_address(address, f"{file}:{member.line}", traits, errors, reader))
    return join_loaded([Loaded(targets=tuple(targets), errors=tuple(errors))])


def _plain_words(written: Written) -> Any:
    if not isinstance(written.value, dict):
        return written.value
    return {name: "" if value.value is None else value.value for name, value in written.value.items()}


def _read_labels(labels: Any, where: str, base: Traits, errors: list[UserError]) -> Traits:
    """Return what the targets of a group share."""
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        errors.append(UserError(where, "the labels are not names with text", 'write "labels": {"team": "web"}'))
        return base
    kept: dict[str, str] = {}
    for name, value in labels.items():
        if name.startswith("__") or name in ("group", "category"):
            continue
        problem = label_problem(name)
        if not problem:
            kept[name] = value
        elif not label_problem(f"exported_{name}"):
            kept[f"exported_{name}"] = value
        else:
            errors.append(UserError(where, f"label {name[:40]!r} {problem}", "use letters, digits and _"))
    return msgspec.structs.replace(
        base,
        labels={**base.labels, **kept} if kept else base.labels,
        group=labels.get("group", "")[:128] or base.group,
        category=labels.get("category", "")[:128] or base.category,
    )
