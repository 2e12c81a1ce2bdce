"""Our own list: YAML with defaults, groups, labels, expectations. `targets/README.md` describes it for people."""

import msgspec

from probe.model.errors import UserError
from probe.model.settings import TargetSource
from probe.model.target import Target
from probe.model.written import Written
from probe.protocols.written.fields import Fields
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.lists.entries import read_entry, read_traits
from probe.targets.lists.file_sd import parse_file_sd_yaml
from probe.targets.lists.loaded import Loaded, apply_source, join_loaded
from probe.targets.secret_reading import SecretReader
from probe.targets.traits import Traits


def parse_yaml_list(text: str, file: str, base: Traits, source: TargetSource) -> Loaded:
    """Read a list: entries under `targets:` and `groups:`, a bare list of entries, or Prometheus' file_sd groups.

    Raises:
        UserError: it is not YAML.
    """
    root = read_yaml(text, file)
    if isinstance(root.value, tuple):
        if root.value and all(isinstance(item.value, dict) and "targets" in item.value for item in root.value):
            return parse_file_sd_yaml(root.value, file, base)
        return _read_entries(root.value, file, base, SecretReader())
    if isinstance(root.value, str):
        raise UserError(f"{file}:{root.line}", "this is text and no list", "write `- https://…`, or name the file .txt")
    errors: list[UserError] = []
    fields = Fields(root, file, errors)
    defaults = fields.mapping("defaults")
    if defaults is not None:
        base = apply_source(read_traits(defaults, base), source)
        defaults.finish()
    reader = SecretReader()
    parts = [_read_entries(fields.items("targets"), file, base, reader)]
    groups = fields.mapping("groups")
    if groups is not None:
        parts.extend(_read_group(groups, name, base, source, reader) for name in groups.names())
    fields.finish()
    return join_loaded([Loaded(errors=tuple(errors)), *parts])


def _read_group(groups: Fields, name: str, base: Traits, source: TargetSource, reader: SecretReader) -> Loaded:
    """Read one group: a list of entries, or a mapping with `targets` and what they share."""
    base = msgspec.structs.replace(base, group=source.group or name)
    found = groups.written(name)
    if found is None:
        return Loaded()
    if not isinstance(found.value, dict):
        return _read_entries(groups.items(name), groups.file, base, reader)
    errors: list[UserError] = []
    fields = Fields(found, groups.file, errors, f"groups.{name}.")
    traits = apply_source(read_traits(fields, base), source)
    entries = _read_entries(fields.items("targets"), groups.file, traits, reader)
    fields.finish()
    return join_loaded([Loaded(errors=tuple(errors)), entries])


def _read_entries(entries: tuple[Written, ...], file: str, base: Traits, reader: SecretReader) -> Loaded:
    targets: list[Target] = []
    errors: list[UserError] = []
    for entry in entries:
        targets.extend(read_entry(entry, file, base, errors, reader))
    return join_loaded([Loaded(targets=tuple(targets), errors=tuple(errors))])
