"""Probe jobs of a Prometheus configuration become entries of our list.

Source: prometheus docs/configuration (scrape_config, static_config, file_sd_config), and the multi-target pattern of
docs/guides/multi-target-exporter.md: a job with `metrics_path: /probe` whose `module` says what is asked.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from probe.model.errors import UserError
from probe.model.written import Written, items, pairs, plain, words
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.address import parse_address
from probe.targets.importers.blackbox_modules import Module, Notes
from probe.targets.importers.relabelling import parse_rules, relabel
from probe.targets.lists.entries import label_problem

_READ_KEYS = frozenset(
    {"job_name", "metrics_path", "params", "scrape_interval", "scrape_timeout", "static_configs", "file_sd_configs"}
    | {"relabel_configs", "scheme", "honor_timestamps", "honor_labels"}
)
_DEFAULT_INTERVAL = "1m"

ReadGroups = Callable[[str], list[dict[str, Any]]]
"""Gives the groups of a file_sd file, by the path in the configuration."""


class Group(msgspec.Struct, kw_only=True):
    """One group of our list: what its entries share, and the entries."""

    name: str
    beside: dict[str, Any]
    entries: list[Any]


def parse_jobs(
    text: str, file: str, modules: dict[str, Module], read_groups: ReadGroups
) -> tuple[list[Group], tuple[str, ...]]:
    """Return a group for each job and module, and a line for each thing that has no equivalent.

    Raises:
        UserError: it is no Prometheus configuration.
    """
    root = read_yaml(text, file)
    top = pairs(root)
    jobs = top.get("scrape_configs")
    if jobs is None or not isinstance(jobs.value, tuple):
        raise UserError(file, "no scrape_configs in it", "give Prometheus' configuration file")
    interval = plain(pairs(top.get("global")).get("scrape_interval")) or _DEFAULT_INTERVAL
    notes = Notes(file)
    groups: list[Group] = []
    for job in jobs.value:
        groups.extend(_Job(job, modules, notes, read_groups, str(interval)).convert())
    return groups, tuple(dict.fromkeys(notes.lines))


class _Job:
    """One scrape configuration on its way."""

    def __init__(
        self, written: Written, modules: dict[str, Module], notes: Notes, read_groups: ReadGroups, interval: str
    ) -> None:
        self.values = pairs(written)
        self.line = written.line
        self.name = str(plain(self.values.get("job_name")) or f"line {written.line}")
        self.modules = modules
        self.notes = notes
        self.read_groups = read_groups
        self.interval = str(plain(self.values.get("scrape_interval")) or interval)
        self.rules = parse_rules(self.values.get("relabel_configs"), self.name, notes)
        self.params: dict[str, str] = {}
        self.entries: dict[str, list[Any]] = {}

    def convert(self) -> list[Group]:
        """Return the groups of this job; a job that probes nothing is one note."""
        if not str(plain(self.values.get("metrics_path")) or "").endswith("/probe"):
            self.notes.add(self.line, f"job {self.name!r} is no probe job (metrics_path is not /probe): left out")
            return []
        for key, value in self.values.items():
            if key == "http_sd_configs":
                remedy = "name its URL as `http_sd:` under `targets:` in wallprobe.yml, which follows it"
                self.notes.add(value.line, f"job {self.name!r}: {key}: {remedy}")
            elif key not in _READ_KEYS:
                self.notes.add(value.line, f"job {self.name!r}: {key} has no equivalent")
        params = pairs(self.values.get("params"))
        for key, value in params.items():
            if key not in ("module", "target"):
                self.notes.add(value.line, f"job {self.name!r}: params.{key} has no equivalent")
        module = next(iter(words(params.get("module"))), "http_2xx")
        self.params = {f"__param_{key}": next(iter(words(value)), "") for key, value in params.items()}
        self._add_static(module)
        self._add_files(module)
        return [self._group(name, entries) for name, entries in self.entries.items()]

    def _add_static(self, module: str) -> None:
        for config in items(self.values.get("static_configs")):
            members = pairs(config)
            labels = {name: str(plain(value) or "") for name, value in pairs(members.get("labels")).items()}
            for item in items(members.get("targets")):
                self._add_group(words(item), labels, module, item.line)

    def _add_files(self, module: str) -> None:
        for config in items(self.values.get("file_sd_configs")):
            for path in words(pairs(config).get("files")):
                try:
                    groups = self.read_groups(path)
                except UserError as error:
                    self.notes.add(config.line, f"job {self.name!r}: {error.where}: {error.what}")
                    continue
                self.notes.add(
                    config.line,
                    f"job {self.name!r}: the targets of {path} were copied as they are now; "
                    "to follow the file, name it under `targets:` in wallprobe.yml",
                )
                for group in groups:
                    self._add_group(group["targets"], group.get("labels", {}), module, config.line)

    def _add_group(self, addresses: list[str], labels: dict[str, str], module_name: str, line: int) -> None:
        """Add targets that share labels: what relabelling makes of each is what is probed, and by which module."""
        for address in addresses:
            own = {"job": self.name, **self.params, **labels, "__address__": address}
            made = relabel({"__param_module": module_name} | own, self.rules)
            if made is None:
                continue  # dropped on purpose
            # Where no rule sets the parameter `target`, the address itself is meant.
            probed, name = made.get("__param_target") or address, made.get("__param_module", module_name)
            module = self.modules.get(name)
            if module is None:
                self.notes.add(line, f"job {self.name!r}: module {name!r} is not in the blackbox file: left out")
                continue
            uri = self._uri(probed, module, line)
            if uri:
                usual = {"job": self.name, "instance": probed, "module": name}
                kept = self._labels({key: text for key, text in made.items() if usual.get(key) != text}, line)
                self.entries.setdefault(name, []).append({"uri": uri, "labels": kept} if kept else uri)

    def _labels(self, labels: dict[str, str], line: int) -> dict[str, str]:
        kept: dict[str, str] = {}
        for name, value in labels.items():
            if name.startswith("__"):
                continue
            problem = label_problem(name)
            renamed = f"exported_{name}" if problem else name
            kept[renamed] = value
            if problem:
                self.notes.add(line, f"job {self.name!r}: label {name} {problem}; it is called {renamed}")
        return kept

    def _uri(self, address: str, module: Module, line: int) -> str:
        """Return the address in our form; empty = it has none, and a note says why."""
        try:
            uri = build_uri(address.strip(), module)
            return parse_address(uri, source=self.notes.file).address
        except UserError as error:
            self.notes.add(line, f"job {self.name!r}: {error.what}: left out")
            return ""

    def _group(self, module_name: str, entries: list[Any]) -> Group:
        module = self.modules[module_name]
        beside: dict[str, Any] = {"interval": self.interval}
        timeout = plain(self.values.get("scrape_timeout"))
        if timeout and "timeout" not in module.beside:
            beside["timeout"] = str(timeout)
        name = self.name if len(self.entries) == 1 else f"{self.name}-{module_name}"
        return Group(name=name, beside={**beside, **module.beside}, entries=entries)


def build_uri(address: str, module: Module) -> str:
    """Return the address that a module makes of a job's target, in our form.

    Raises:
        UserError: the module's prober has no equivalent.
    """
    match module.prober:
        case "http":
            return address if address.startswith(("http://", "https://")) else f"http://{address}"
        case "tcp" if module.tls:
            return f"tls://{address}" + (f"?sni={module.server_name}" if module.server_name else "")
        case "tcp":
            return f"tcp://{address}"
        case "icmp":
            return f"icmp://{address}"
        case "dns":
            kind = "" if module.query_type in ("", "ANY") else f"type={module.query_type}&"
            return f"dns://{module.query_name.rstrip('.')}?{kind}resolver={module.transport}://{address}"
        case _:
            raise UserError(module.place, f"{address[:60]}: prober {module.prober!r} has no equivalent", "leave it out")
