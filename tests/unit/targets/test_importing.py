from pathlib import Path

import pytest

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.model.target import Expect, Header, Request, StatusRange
from probe.targets.importers.blackbox_modules import parse_modules
from probe.targets.importers.importing import Imported, import_files
from probe.targets.lists.fetch import read_file
from probe.targets.lists.formats import parse_list

BLACKBOX = r"""
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http:
      preferred_ip_protocol: ip4
      ip_protocol_fallback: false
      valid_http_versions: [HTTP/1.1]
  http_api:
    prober: http
    http:
      method: post
      valid_status_codes: [200, 201]
      headers: {Accept: application/json, Authorization: Bearer x, Host: other}
      body: '{"a": 1}'
      fail_if_body_matches_regexp: ["(?i)error", "down$"]
      fail_if_body_not_matches_regexp: ["ok", "(?i)version"]
      fail_if_header_not_matches:
        - {header: Content-Type, regexp: '^application/json'}
        - {header: X-Cache, regexp: 'HIT', allow_missing: true}
      fail_if_header_matches: [{header: Server, regexp: bad}]
      basic_auth: {username: u, password: p}
      tls_config: {insecure_skip_verify: true}
  tcp_connect: {prober: tcp}
  tcp_tls:
    prober: tcp
    tcp:
      tls: true
      tls_config: {server_name: mail.example}
      query_response: [{expect: "^OK"}]
  dns_a:
    prober: dns
    dns: {query_name: example.org., query_type: A, transport_protocol: tcp, validate_answer_rrs: {}}
  ping: {prober: icmp, icmp: {ttl: 5}}
  grpc: {prober: grpc}
  go_regex: {prober: http, http: {fail_if_body_matches_regexp: ['\pL+']}}
"""

PROMETHEUS = """
global: {scrape_interval: 2m}
scrape_configs:
  - job_name: node
    static_configs: [{targets: ["localhost:9100"]}]
  - job_name: web
    metrics_path: /probe
    params: {module: [http_2xx]}
    static_configs:
      - targets: [https://a.example, b.example]
        labels: {team: web, target: x}
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "127.0.0.1:9115"}
      - {source_labels: [__address__], modulus: 2, target_label: y, action: hashmod}
  - job_name: api
    metrics_path: /probe
    scrape_interval: 30s
    scrape_timeout: 9s
    params: {module: [http_api], debug: ["true"]}
    file_sd_configs: [{files: ["sd/*.json"]}]
    dns_sd_configs: [{names: [x]}]
  - job_name: mixed
    metrics_path: /probe
    static_configs:
      - {targets: ["a.example:22"], labels: {__param_module: tcp_connect}}
      - {targets: ["192.0.2.1:993"], labels: {__param_module: tcp_tls}}
      - {targets: ["9.9.9.9", "dns.example"], labels: {__param_module: dns_a}}
      - {targets: ["192.0.2.1"], labels: {__param_module: ping}}
      - {targets: ["192.0.2.1:50051"], labels: {__param_module: grpc}}
      - {targets: ["c.example"], labels: {__param_module: nowhere}}
"""


@pytest.fixture
def imported(tmp_path: Path) -> Imported:
    (tmp_path / "blackbox.yml").write_text(BLACKBOX)
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS)
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "1.json").write_text('[{"targets": ["https://api.example/v1"], "labels": {"env": "prod"}}]')
    return import_files([str(tmp_path / "blackbox.yml"), str(tmp_path / "prometheus.yml")], read_file)


def load(imported: Imported):
    loaded = parse_list(imported.text.encode(), "imported.yaml", Defaults(), TargetSource(file="imported.yaml"))
    assert loaded.errors == ()
    return {target.address: target for target in loaded.targets}


def test_probe_jobs_and_their_modules_become_targets(imported):
    targets = load(imported)
    assert list(targets) == [
        "https://a.example",
        "http://b.example",
        "https://api.example/v1",
        "tcp://a.example:22",
        "tls://192.0.2.1:993?sni=mail.example",
        "dns://example.org?type=A&resolver=tcp://9.9.9.9:53",
        "icmp://192.0.2.1",
    ]
    assert imported.targets == 7
    a = targets["https://a.example"]
    assert (a.group, a.interval_s, a.timeout_s, a.family) == ("web", 120.0, 5.0, 4)
    assert a.labels == {"team": "web", "exported_target": "x"}
    assert a.expect == Expect(status=(StatusRange(low=200, high=299),))


def test_an_http_module_becomes_request_and_expectations(imported):
    api = load(imported)["https://api.example/v1"]
    assert (api.group, api.interval_s, api.timeout_s, api.labels) == ("api", 30.0, 9.0, {"env": "prod"})
    accept = Header(name="Accept", value="application/json")
    assert api.request == Request(method="POST", headers=(accept,), body='{"a": 1}')
    assert api.expect is not None
    assert [status.low for status in api.expect.status] == [200, 201]
    assert api.expect.headers == (Header(name="Content-Type", value="^application/json"),)
    assert api.expect.body_not == "(?i:error)|(?:down$)"
    assert api.expect.body == r"\A(?=[\s\S]*(?:ok))(?=[\s\S]*(?i:version))"


@pytest.mark.parametrize(
    "what",
    [
        "blackbox.yml:9: modules.http_2xx.http.valid_http_versions has no equivalent",
        "modules.http_api.http.headers.Authorization has no equivalent: a list holds no secrets",
        "modules.http_api.http.headers.Host has no equivalent",
        "modules.http_api.http.fail_if_header_not_matches: allow_missing has no equivalent",
        "modules.http_api.http.fail_if_header_matches has no equivalent",
        "modules.http_api.http.basic_auth has no equivalent: a list holds no secrets",
        "modules.http_api.http.tls_config.insecure_skip_verify has no equivalent",
        "modules.tcp_tls.tcp.query_response has no equivalent",
        "modules.dns_a.dns.validate_answer_rrs has no equivalent",
        "modules.ping.icmp.ttl has no equivalent",
        "modules.grpc: prober 'grpc' has no equivalent",
        "is Go's syntax, not Python's",
        "prometheus.yml:4: job 'node' is no probe job",
        "job 'web': label target is set by the metrics themselves; it is called exported_target",
        "job 'web': this relabelling (hashmod) has no equivalent",
        "job 'api': params.debug has no equivalent",
        "job 'api': dns_sd_configs has no equivalent",
        "job 'api': the targets of sd/*.json were copied as they are now",
        "job 'mixed': resolver: a resolver is given by address, not as 'dns.example'",
        "job 'mixed': 192.0.2.1:50051: prober 'grpc' has no equivalent",
        "job 'mixed': module 'nowhere' is not in the blackbox file",
    ],
)
def test_what_has_no_equivalent_is_told_with_its_place(imported, what):
    assert any(what in note for note in imported.notes), imported.notes
    assert all("\n" not in note for note in imported.notes)


def test_what_many_modules_have_alike_is_told_once():
    module = "{prober: http, http: {preferred_ip_protocol: ip4, basic_auth: {username: u}, tls_config: {ca_file: x}}}"
    text = "modules:\n" + "".join(f"  m{number}: {module}\n" for number in range(9)) + "  other: {prober: grpc}\n"
    _modules, notes = parse_modules(text, "b.yml")
    assert [note.partition(": ")[0] for note in notes] == ["b.yml:2", "b.yml:2", "b.yml:2", "b.yml:11"]
    assert [note.endswith("(and in 8 more like it)") for note in notes] == [True, True, True, False]


@pytest.mark.parametrize("name", ["blackbox.yml", "prometheus.yml"])
def test_one_of_the_two_files_alone_is_refused(imported, tmp_path, name):
    with pytest.raises(UserError, match="too"):
        import_files([str(tmp_path / name)], read_file)


def test_any_other_list_becomes_ours(tmp_path):
    (tmp_path / "l.csv").write_text("url,category_code\nhttps://a.example,NEWS\nhtps://b.example,NEWS\n")
    imported = import_files([str(tmp_path / "l.csv")], read_file)
    assert load(imported)["https://a.example"].category == "NEWS"
    assert imported.notes == (f"{tmp_path}/l.csv:3: unknown scheme 'htps'; did you mean https://?",)
