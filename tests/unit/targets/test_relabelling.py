"""Relabelling as jobs in the field have it, and that no rule can end an import."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.settings import Defaults, TargetSource
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.importers.blackbox_modules import Notes
from probe.targets.importers.importing import import_files
from probe.targets.importers.relabelling import Rule, parse_rules, relabel
from probe.targets.lists.fetch import read_file
from probe.targets.lists.formats import parse_list


def rules(text: str, notes: Notes | None = None):
    return parse_rules(read_yaml(text, "prometheus.yml"), "web", notes or Notes("prometheus.yml"))


def carry_out(text: str, **labels: str):
    return relabel(labels, rules(text))


@pytest.mark.parametrize(
    ("rule", "after"),
    [
        ("{source_labels: [a], target_label: b}", {"a": "1", "c": "x-y", "b": "1"}),
        ("{source_labels: [a, c], separator: /, target_label: b}", {"a": "1", "c": "x-y", "b": "1/x-y"}),
        ("{source_labels: [c], regex: '(.+)-(.+)', target_label: b, replacement: '$2${1}$$'}",
         {"a": "1", "c": "x-y", "b": "yx$"}),
        ("{source_labels: [c], regex: '(?P<one>.+)-.*', target_label: b, replacement: '${one}$1x'}",
         {"a": "1", "c": "x-y", "b": "x"}),
        ("{source_labels: [c], regex: x, target_label: b}", {"a": "1", "c": "x-y"}),
        ("{target_label: a, replacement: ''}", {"c": "x-y"}),
        ("{target_label: a, replacement: 2}", {"a": "2", "c": "x-y"}),
        ("{action: keep, source_labels: [a], regex: '1|2'}", {"a": "1", "c": "x-y"}),
        ("{action: keep, source_labels: [a], regex: '2'}", None),
        ("{action: drop, source_labels: [a], regex: '1'}", None),
        ("{action: drop, source_labels: [none], regex: '.+'}", {"a": "1", "c": "x-y"}),
        ("{action: keepequal, source_labels: [a], target_label: c}", None),
        ("{action: dropequal, source_labels: [a], target_label: c}", {"a": "1", "c": "x-y"}),
        ("{action: labelmap, regex: '(a)', replacement: 'old_$1'}", {"a": "1", "c": "x-y", "old_a": "1"}),
        ("{action: labeldrop, regex: 'a|b'}", {"c": "x-y"}),
        ("{action: labelkeep, regex: 'a|b'}", {"a": "1"}),
        ("{action: uppercase, source_labels: [c], target_label: c}", {"a": "1", "c": "X-Y"}),
        ("{action: Lowercase, source_labels: [c], target_label: b}", {"a": "1", "c": "x-y", "b": "x-y"}),
    ],
)  # fmt: skip
def test_each_action_does_what_prometheus_does(rule, after):
    assert carry_out(f"- {rule}", a="1", c="x-y") == after


@pytest.mark.parametrize(
    "rule",
    [
        "{action: hashmod, modulus: 2, target_label: b}",
        "{action: nonsense}",
        "{source_labels: [a]}",
        r"{regex: '\pL', target_label: a}",
    ],
)
def test_what_cannot_be_carried_out_is_told_and_left_out(rule):
    notes = Notes("prometheus.yml")
    assert rules(f"- {rule}", notes) == ()
    assert len(notes.lines) == 1
    assert notes.lines[0].startswith("prometheus.yml:1: ")


@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=4))
def test_any_template_gives_labels(replacement, target, value, labels):
    rule = Rule(
        action="replace", sources=("a",), separator=";", expression="(.*)", target=f"x{target}", replacement=replacement
    )
    assert relabel({**labels, "a": value}, (rule,)) is not None


MODULES = """
modules:
  http_2xx: {prober: http}
  icmp: {prober: icmp}
  dns_udp: {prober: dns, dns: {query_name: example.org}}
"""
FIELD = """
scrape_configs:
  - job_name: by label
    metrics_path: /probe
    static_configs:
      - {targets: ["https://a.example"], labels: {module: http_2xx, name: Shop}}
      - {targets: ["192.0.2.1"], labels: {module: icmp}}
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [module], target_label: __param_module}
      - {source_labels: [name], target_label: instance}
      - {target_label: __address__, replacement: "blackbox:9115"}
  - job_name: name and resolver
    metrics_path: /probe
    static_configs: [{targets: ["dns_udp@9.9.9.9", "dns_udp@8.8.8.8", "gone@1.1.1.1"]}]
    relabel_configs:
      - {source_labels: [__address__], regex: "(.*)@.*", target_label: __param_module}
      - {source_labels: [__address__], regex: ".*@(.*)", target_label: __param_target}
      - {source_labels: [__param_target], target_label: resolver}
  - job_name: filtered
    metrics_path: /blackbox/probe
    params: {module: [http_2xx]}
    http_sd_configs: [{url: "https://ops.example/targets"}]
    static_configs: [{targets: ["https://b.example|fra", "https://c.example|sh"]}]
    relabel_configs:
      - {source_labels: [__address__], regex: ".*fra", action: keep}
      - {source_labels: [__address__], regex: "(.*)[|].*", target_label: __param_target}
"""


def test_jobs_that_choose_module_and_target_by_label_come_over(tmp_path: Path):
    (tmp_path / "blackbox.yml").write_text(MODULES)
    (tmp_path / "prometheus.yml").write_text(FIELD)
    imported = import_files([str(tmp_path / "blackbox.yml"), str(tmp_path / "prometheus.yml")], read_file)
    loaded = parse_list(imported.text.encode(), "list.yaml", Defaults(), TargetSource(file="list.yaml"))
    assert loaded.errors == ()
    assert {target.address: dict(target.labels) for target in loaded.targets} == {
        "https://a.example": {"name": "Shop", "instance": "Shop"},
        "icmp://192.0.2.1": {},
        "dns://example.org?resolver=udp://9.9.9.9:53": {"resolver": "9.9.9.9"},
        "dns://example.org?resolver=udp://8.8.8.8:53": {"resolver": "8.8.8.8"},
        "https://b.example": {},
    }
    told = [note.partition(": ")[2] for note in imported.notes]
    assert "job 'name and resolver': module 'gone' is not in the blackbox file: left out" in told
    assert any("name its URL as `http_sd:`" in line for line in told)
    assert len(told) == 2, told
