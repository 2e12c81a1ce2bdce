"""`targets import`: other tools' files become a list of ours, as YAML."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.model.target import Target
from probe.model.written import pairs, plain
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.importers.blackbox_modules import Module, parse_modules
from probe.targets.importers.gatus_endpoints import parse_endpoints
from probe.targets.importers.prometheus_jobs import Group, parse_jobs
from probe.targets.lists.fetch import find_files
from probe.targets.lists.formats import decode_list, parse_list

ReadFile = Callable[[str], bytes]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A list in our YAML, and a line for everything that could not go into it."""

    text: str
    notes: tuple[str, ...]
    targets: int


def import_files(paths: Sequence[str], read_file: ReadFile) -> Imported:
    """Turn files into one list: a blackbox.yml and a prometheus.yml together, a Gatus configuration, any list of ours.

    Raises:
        UserError: a file cannot be read, or one of the two is missing.
    """
    blackbox: dict[str, Module] = {}
    notes: list[str] = []
    prometheus: list[tuple[str, str]] = []
    groups: list[Group] = []
    has_blackbox = False
    for path in paths:
        data = read_file(path)
        keys = _top_keys(data, path)
        if "modules" in keys:
            modules, lines = parse_modules(decode_list(data, path), path)
            blackbox.update(modules)
            notes.extend(lines)
            has_blackbox = True
        elif "scrape_configs" in keys:
            prometheus.append((path, decode_list(data, path)))
        elif keys & {"endpoints", "services"}:
            converted, lines = parse_endpoints(read_yaml(decode_list(data, path), path), path)
            groups.extend(converted)
            notes.extend(lines)
        else:
            groups.extend(_import_list(path, data, notes))
    if prometheus and not has_blackbox:
        raise UserError(prometheus[0][0], "says what is probed, not how", "give blackbox.yml too")
    if has_blackbox and not prometheus:
        raise UserError(paths[0], "says how to probe, not what", "give prometheus.yml too")
    for path, text in prometheus:
        converted, lines = parse_jobs(text, path, blackbox, _group_reader(path, read_file))
        groups.extend(converted)
        notes.extend(lines)
    return Imported(
        text=_render(groups, paths), notes=tuple(notes), targets=sum(len(group.entries) for group in groups)
    )


def _top_keys(data: bytes, path: str) -> frozenset[str]:
    """Return the keys of a YAML mapping; none of anything else."""
    if not path.endswith((".yml", ".yaml")):
        return frozenset()
    return frozenset(pairs(read_yaml(decode_list(data, path), path)))


def _group_reader(config: str, read_file: ReadFile) -> Callable[[str], list[dict[str, Any]]]:
    """Read file_sd files as Prometheus finds them: relative to its configuration, with `*` in the last part."""

    def read(pattern: str) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = []
        for path in find_files(str(Path(config).parent / pattern)):
            found = plain(read_yaml(decode_list(read_file(path), path), path))
            groups.extend(group for group in found or [] if isinstance(group, dict) and _is_group(group))
        return groups

    return read


def _is_group(group: dict[str, Any]) -> bool:
    targets, labels = group.get("targets"), group.get("labels") or {}
    return (
        isinstance(targets, list)
        and all(isinstance(target, str) for target in targets)
        and isinstance(labels, dict)
        and all(isinstance(value, str) for value in labels.values())
    )


def _import_list(path: str, data: bytes, notes: list[str]) -> list[Group]:
    loaded = parse_list(data, path, Defaults(), TargetSource(file=path))
    notes.extend(str(error) for error in loaded.errors)
    notes.extend(loaded.notes)
    by_group: dict[str, list[Any]] = {}
    for target in loaded.targets:
        if target.expect is not None or target.request is not None or target.family is not None:
            notes.append(f"{target.source}: expect, request and family stay behind; name the list itself instead")
        by_group.setdefault(target.group or Path(path).stem, []).append(_entry(target))
    return [Group(name=name, beside={}, entries=entries) for name, entries in by_group.items()]


def _entry(target: Target) -> Any:
    """Return an entry as short as what it says."""
    beside: dict[str, Any] = {}
    if target.category:
        beside["category"] = target.category
    if target.labels:
        beside["labels"] = dict(target.labels)
    return {"uri": target.address, **beside} if beside else target.address


def _render(groups: Sequence[Group], paths: Sequence[str]) -> str:
    named: dict[str, Any] = {}
    for group in groups:
        name, number = group.name, 2
        while name in named:
            name, number = f"{group.name}-{number}", number + 1
        named[name] = {**group.beside, "targets": group.entries}
    document = {"groups": named}
    head = f"# Imported by `wallprobe targets import` from {', '.join(repr(path)[1:-1] for path in paths)}.\n"
    return head + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)
