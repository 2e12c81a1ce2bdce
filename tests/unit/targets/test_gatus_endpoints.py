"""Gatus' configurations, from its own examples and the field, as lists of ours."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.model.target import Header, Request
from probe.model.written import Written
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.importers.gatus_endpoints import parse_endpoints
from probe.targets.importers.importing import Imported, import_files
from probe.targets.lists.fetch import read_file
from probe.targets.lists.formats import parse_list

CONFIG = """
storage: {type: postgres, path: "postgres://u:hunter2@db/gatus"}
alerting: {slack: {webhook-url: "https://hooks.example/T/secret"}}
x-defaults: &defaults
  group: shop
  interval: 30s
  client: {timeout: 5s, insecure: false}
  conditions: ["[STATUS] == 200", "[RESPONSE_TIME] < 500", "[CERTIFICATE_EXPIRATION] > 48h"]
endpoints:
  - <<: *defaults
    name: front
    url: "https://shop.example/health"
    alerts: [{type: slack}]
  - name: api
    group: shop
    url: https://api.shop.example/v1
    method: POST
    body: '{"a": 1}'
    headers: {Accept: application/json, Authorization: "Bearer hunter2"}
    conditions: ["[STATUS] == any(200, 201)", "[BODY] == pat(*welcome back*)", "[BODY].status == UP"]
  - {name: bounded, url: "https://c.example", conditions: ["[STATUS] < 300", "[BODY] != maintenance."]}
  - {name: db, url: "tcp://db.example:5432", interval: 1m, conditions: ["[CONNECTED] == true"]}
  - {name: mail, url: "tls://mail.example:993", conditions: ["[CONNECTED] == true"]}
  - {name: smtp, url: "starttls://mail.example:587", conditions: ["[CONNECTED] == true"]}
  - {name: ping, url: "icmp://192.0.2.1"}
  - name: zone
    url: 8.8.8.8
    dns: {query-name: example.com, query-type: A}
    conditions: ["[BODY] == 93.184.216.34", "[DNS_RCODE] == NOERROR"]
  - {name: zone six, url: "2001:4860:4860::8888", dns: {query-name: example.com., query-type: AAAA}}
  - {name: live, url: "wss://live.example/", conditions: ["[CONNECTED] == true"]}
  - {name: off, url: "https://off.example", enabled: false}
  - {name: grpc, url: "svc.example:443", grpc: {service: x}, conditions: ["[BODY].status == SERVING"]}
  - name: odd
    url: "https://odd.example"
    interval: often
    client: {insecure: true}
    extra-labels: {team: web, group: x}
"""


@pytest.fixture
def imported(tmp_path: Path) -> Imported:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return import_files([str(tmp_path / "config.yaml")], read_file)


def load(imported: Imported):
    loaded = parse_list(imported.text.encode(), "list.yaml", Defaults(), TargetSource(file="list.yaml"))
    assert loaded.errors == ()
    return {target.address: target for target in loaded.targets}


def test_endpoints_become_targets_with_their_pace(imported):
    targets = load(imported)
    assert list(targets) == [
        "https://shop.example/health",
        "https://api.shop.example/v1",
        "https://c.example",
        "tcp://db.example:5432",
        "tls://mail.example:993",
        "icmp://192.0.2.1",
        "dns://example.com?type=A&resolver=udp://8.8.8.8:53",
        "dns://example.com?type=AAAA&resolver=udp://[2001:4860:4860::8888]:53",
        "https://odd.example",
    ]
    front = targets["https://shop.example/health"]
    assert (front.group, front.interval_s, front.timeout_s, front.labels) == ("shop", 30.0, 5.0, {"name": "front"})
    assert targets["https://c.example"].group == "gatus"
    assert targets["https://odd.example"].labels == {"name": "odd", "team": "web"}
    assert targets["https://odd.example"].interval_s == 60.0


def test_conditions_become_expectations(imported):
    targets = load(imported)
    api = targets["https://api.shop.example/v1"]
    accept = Header(name="Accept", value="application/json")
    assert api.request == Request(method="POST", headers=(accept,), body='{"a": 1}')
    assert [one.low for one in api.expect.status] == [200, 201]
    assert re.search(api.expect.body, "<p>welcome back, you</p>\n")
    assert not re.search(api.expect.body, "<p>welcome</p>")
    bounded = targets["https://c.example"].expect
    assert (bounded.status[0].low, bounded.status[0].high) == (100, 299)
    assert re.search(bounded.body_not, "maintenance.")
    assert not re.search(bounded.body_not, "no maintenance.")
    assert targets["dns://example.com?type=A&resolver=udp://8.8.8.8:53"].expect.answer == ("93.184.216.34",)
    assert targets["tcp://db.example:5432"].expect is None


@pytest.mark.parametrize(
    "what",
    [
        "endpoint 'front': condition '[RESPONSE_TIME] < 500': times are in",
        "endpoint 'front': condition '[CERTIFICATE_EXPIRATION] > 48h': the alert",
        "endpoint 'api': headers.Authorization has no equivalent: a list holds no secrets",
        "endpoint 'api': condition '[BODY].status == UP': has no equivalent",
        "endpoint 'smtp': starttls://mail.example:587: starttls:// has no equivalent: left out",
        "endpoint 'live': wss://live.example/: wss:// has no equivalent: left out",
        "endpoint 'off': is not enabled: left out",
        "endpoint 'grpc': grpc has no equivalent",
        "endpoint 'odd': interval: 'often' cannot be read",
        "endpoint 'odd': client.insecure has no equivalent",
        "endpoint 'odd': label group is set by the metrics themselves: left out",
    ],
)
def test_what_has_no_equivalent_is_told_with_its_place(imported, what):
    (note,) = [note for note in imported.notes if what in note]
    assert re.match(r".*config\.yaml:\d+: ", note)


def test_nothing_secret_comes_over(imported):
    assert "hunter2" not in imported.text + "".join(imported.notes)


def test_a_file_without_endpoints_is_refused():
    with pytest.raises(UserError, match="no endpoints"):
        parse_endpoints(read_yaml("endpoints: none", "config.yaml"), "config.yaml")


@pytest.mark.parametrize(
    ("condition", "ranges"),
    [
        ("[STATUS] == 204", [(204, 204)]),
        ("[STATUS] <= 299", [(100, 299)]),
        ("[STATUS] > 199", [(200, 599)]),
        ("[STATUS] >= 200", [(200, 599)]),
        ("[STATUS] != 500", [(100, 499), (501, 599)]),
        ("[STATUS] == OK", None),
        ("[STATUS] < 100", None),
        ("[STATUS]", None),
    ],
)
def test_statuses_are_ranges(tmp_path, condition, ranges):
    text = json.dumps({"endpoints": [{"name": "a", "url": "https://a.example", "conditions": [condition]}]})
    (tmp_path / "config.yaml").write_text(text)
    imported = import_files([str(tmp_path / "config.yaml")], read_file)
    expect = load(imported)["https://a.example"].expect
    assert (expect and [(one.low, one.high) for one in expect.status]) == ranges
    assert (imported.notes == ()) is (ranges is not None)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(TEXT, max_size=5), TEXT)
def test_any_condition_is_kept_or_told(conditions, url):
    asked = Written(value=tuple(_written(text) for text in conditions), line=1)
    good = {"url": _written("https://a.example"), "conditions": asked}
    endpoints = Written(value=tuple(Written(value=one, line=1) for one in ({"url": _written(url)}, good)), line=1)
    groups, _notes = parse_endpoints(Written(value={"endpoints": endpoints}, line=1), "config.yaml")
    assert sum(len(group.entries) for group in groups) >= 1


def _written(text: str) -> Written:
    return Written(value=text, line=1)
