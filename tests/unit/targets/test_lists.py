import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.model.target import Exposure, Header, StatusRange
from probe.targets.lists.formats import ListFormat, detect_format, parse_list
from probe.targets.lists.loaded import Loaded


def parse(text: str | bytes, name: str = "list.yaml", **source: object) -> Loaded:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return parse_list(data, name, Defaults(), TargetSource(file=name, **source))


def ids(loaded: Loaded) -> list[str]:
    return [target.id for target in loaded.targets]


def lines(loaded: Loaded) -> list[str]:
    return [str(error) for error in loaded.errors]


def test_plain_text_holds_an_address_per_line_with_comments():
    loaded = parse("\ufeff# sites\n\nhttps://a.example/  # ours\r\nb.example\nhttps://c.example/#x\n", "l.txt")
    assert ids(loaded) == ["a.example", "b.example", "c.example"]
    assert loaded.errors == ()
    assert [target.source for target in loaded.targets] == ["l.txt:3", "l.txt:4", "l.txt:5"]


def test_a_bad_line_is_one_error_and_the_rest_still_loads():
    loaded = parse("https://a.example\nhtps://b.example\nwireguard://x\n\nhttps://c.example:0\nd.example\n", "l.txt")
    assert ids(loaded) == ["a.example", "d.example"]
    assert lines(loaded) == [
        "l.txt:2: unknown scheme 'htps'; did you mean https://?",
        "l.txt:3: wireguard://…: the server's public key is missing; "
        "write wireguard://HOST:PORT, or copy the link again",
        "l.txt:5: https://c.example:0: '0' is not a port; give a number from 1 to 65535",
    ]


def test_bytes_that_are_no_text_cost_their_line_only():
    loaded = parse(b"https://a.example\n\xff\xfe\xfd\xc3.example\nhttps://b.example\n", "l.txt")
    assert ids(loaded) == ["a.example", "b.example"]
    assert len(loaded.errors) == 1


def test_a_list_saved_as_utf_16_is_read():
    assert ids(parse("https://a.example\r\nb.example\r\n".encode("utf-16"), "l.txt")) == ["a.example", "b.example"]


def test_a_binary_file_is_refused_as_a_whole():
    with pytest.raises(UserError, match="binary"):
        parse(b"\x7fELF\x00\x00\x00", "l.txt")


def test_citizen_lab_csv_gives_categories():
    loaded = parse(
        "url,category_code,category_description,date_added,source,notes\n"
        'https://a.example/,NEWS,News Media,2014-04-15,me,"with, comma and ""quotes"""\n'
        "http://b.example/,ANON,,,,\n"
        'https://c.example/,HUMR,x,y,z,"two\nlines"\n'
        "d.example\n",
        "global.csv",
    )
    assert [(target.id, target.category) for target in loaded.targets] == [
        ("a.example", "NEWS"),
        ("http-b.example~" + loaded.targets[1].id.rpartition("~")[2], "ANON"),
        ("c.example", "HUMR"),
        ("d.example", ""),
    ]
    assert loaded.errors == ()
    assert loaded.targets[3].source == "global.csv:6"


def test_a_quote_that_is_never_closed_costs_its_line_only():
    loaded = parse('url,notes\nhttps://a.example,"open\nhttps://b.example,x\n', "l.csv")
    assert ids(loaded) == ["b.example"]
    assert lines(loaded) == ['l.csv:2: a quote is not closed; close it with "']


def test_csv_without_a_url_column_is_refused():
    with pytest.raises(UserError, match=r"l.csv:1: no column is called url"):
        parse("name,site\na,b\n", "l.csv")


def test_file_sd_json_gives_targets_with_labels():
    groups = [
        {"targets": ["https://a.example/", "b.example:22"], "labels": {"team": "web", "__meta_x": "y"}},
        {"targets": ["c.example"], "labels": {"group": "g", "category": "NEWS", "target": "taken"}},
    ]
    loaded = parse(json.dumps(groups), "sd.json")
    a, b, c = loaded.targets
    assert (a.address, b.address) == ("https://a.example", "tcp://b.example:22")
    assert a.labels == b.labels == {"team": "web"}
    assert (c.group, c.category, c.labels) == ("g", "NEWS", {"exported_target": "taken"})


def test_a_bad_group_or_target_of_file_sd_is_one_error():
    text = '[\n {"targets": ["a.example", 7, "htps://x"]},\n {"target": []},\n 3,\n'
    text += ' {"targets": ["b.example"], "labels": {"n": 1}}\n]'
    loaded = parse(text, "sd.json")
    assert ids(loaded) == ["a.example", "b.example"]
    assert [line.partition(";")[0] for line in lines(loaded)] == [
        "sd.json:2: a target is int, not text",
        "sd.json:2: unknown scheme 'htps'",
        "sd.json: group 2: no list of targets in it",
        "sd.json: group 3: no list of targets in it",
        "sd.json: group 4: the labels are not names with text",
    ]


@pytest.mark.parametrize("text", ["[{", '{"targets": ', '"x"', "[" * 100_000])
def test_broken_json_is_refused_as_a_whole(text):
    with pytest.raises(UserError):
        parse(text, "sd.json")


def test_an_empty_service_discovery_is_an_empty_list():
    assert parse("[]", "sd.json") == Loaded()


def test_file_sd_in_yaml_is_told_from_our_own_list():
    loaded = parse("- targets: [a.example, 'b.example:22']\n  labels: {team: web}\n- targets: c\n", "sd.yml")
    assert [target.labels for target in loaded.targets] == [{"team": "web"}, {"team": "web"}]
    assert lines(loaded) == ["sd.yml:3: no list of targets in it; write `- targets: [https://…]`"]


FULL = """\
defaults:
  interval: 10m
  labels: {owner: me, country: NO}
targets:
  - https://a.example
  - uri: https://b.example/health
    group: shop
    category: COMM
    interval: 1m
    timeout: 500ms
    family: 4
    exposure: shared
    labels: {owner: you}
    expect:
      status: [200-299, 304, 4xx]
      body: "ok"
      body_not: "down"
      headers: {content-type: "^text/"}
    request:
      method: head
      headers: {Accept: text/html}
groups:
  partners: [https://c.example]
  slow:
    timeout: 30s
    targets: [https://d.example]
"""


def test_our_yaml_holds_everything_a_target_can_have():
    loaded = parse(FULL)
    assert loaded.errors == ()
    a, b, c, d = loaded.targets
    assert (a.interval_s, a.timeout_s, a.labels) == (600.0, 10.0, {"owner": "me", "country": "NO"})
    assert (b.group, b.category, b.interval_s, b.timeout_s, b.family) == ("shop", "COMM", 60.0, 0.5, 4)
    assert (b.exposure, b.labels) == (Exposure.SHARED, {"owner": "you", "country": "NO"})
    assert b.expect is not None
    assert b.expect.status == (
        StatusRange(low=200, high=299),
        StatusRange(low=304, high=304),
        StatusRange(low=400, high=499),
    )
    assert (b.expect.body, b.expect.body_not) == ("ok", "down")
    assert b.expect.headers == (Header(name="content-type", value="^text/"),)
    assert b.request is not None
    assert (b.request.method, b.request.headers) == ("HEAD", (Header(name="Accept", value="text/html"),))
    assert (c.group, d.group, d.timeout_s) == ("partners", "slow", 30.0)


def test_a_tunnel_has_an_alias_and_a_depth_and_a_site_has_neither():
    loaded = parse("- {uri: 'openvpn://192.0.2.1:1194', alias: Office 1, depth: volume}\n")
    (target,) = loaded.targets
    assert (target.alias, target.params["depth"]) == ("Office 1", "volume")
    plain = parse("- openvpn://192.0.2.1:1194\n").targets[0]
    assert target.id == plain.id, "neither says what is asked"
    assert "depth" not in plain.params
    for entry, line in {
        "{uri: 'openvpn://192.0.2.1:1194', depth: dta}": "depth: 'dta' is no good; did you mean data?",
        "{uri: 'openvpn://192.0.2.1:1194', depth: page}": "choose from hello, proof, auth, data, volume",
        "{uri: 'openvpn://192.0.2.1:1194', alias: '<b>'}": "alias: '<b>' is no good; begin with a letter or digit",
        "{uri: https://a.example, alias: office}": "alias has no meaning for a web check",
        "{uri: https://a.example, depth: data}": "depth has no meaning for a web check",
    }.items():
        (said,) = lines(parse(f"- {entry}\n"))
        assert line in said


def test_what_the_source_says_wins_over_the_list_and_loses_to_the_entry():
    loaded = parse(FULL, interval_s=1800.0, labels={"site": "x"})
    assert [target.interval_s for target in loaded.targets] == [1800.0, 60.0, 1800.0, 1800.0]
    assert loaded.targets[0].labels == {"owner": "me", "country": "NO", "site": "x"}


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("{uri: https://a.example, intervall: 5m}", "unknown key 'intervall'; did you mean interval?"),
        ("{uri: https://a.example, interval: 5}", "interval: '5' is no good; write a number with its unit"),
        ("{uri: https://a.example, interval: 1ms}", "interval: '1ms' is no good; give a time from 1s to 30d"),
        ("{uri: https://a.example, family: 5}", "family: '5'; write 4 or 6"),
        ("{uri: https://a.example, exposure: privat}", "exposure: 'privat' is no good; did you mean private?"),
        ("{uri: https://a.example, expect: {status: 600}}", "expect.status: '600' is no good"),
        ("{uri: https://a.example, expect: {body: '('}}", "expect.body: '(': missing )"),
        ("{uri: https://a.example, expect: {headers: {a: '['}}}", "expect.headers.a: '[': unterminated"),
        ("{uri: https://a.example, expect: {cert_sha256: xyz}}", "expect.cert_sha256: 'xyz' is no good"),
        ("{uri: https://a.example, expect: {code: 200}}", "unknown key 'expect.code'"),
        ("{uri: https://a.example, request: {method: 'GET /'}}", "request.method"),
        ("{uri: https://a.example, request: {headers: {Authorization: x}}}", "Authorization would hold a secret"),
        ('{uri: https://a.example, request: {headers: {X-Y: "a\\nb"}}}', "'X-Y' is not a header"),
        ("{uri: https://a.example, labels: {target: x}}", "label 'target' is set by the metrics themselves"),
        ("{uri: https://a.example, labels: {a-b: x}}", "label 'a-b' is not a label name"),
        ("{uri: https://a.example, labels: [x]}", "labels: a list is no good"),
        ("{uri: dns://a.example, expect: {body: x}}", "no meaning for a dns check"),
        ("{group: x}", "the entry has no uri"),
        ("[x]", "this is a list"),
        ("htps://a.example", "unknown scheme 'htps'"),
    ],
)
def test_each_mistake_of_an_entry_is_named_with_its_line(entry, line):
    loaded = parse(f"targets:\n  - https://good.example\n  - {entry}\n")
    assert ids(loaded) == ["good.example"]
    assert any(text.startswith("list.yaml:3: ") and line in text for text in lines(loaded)), lines(loaded)


def test_unknown_keys_at_the_top_are_errors_and_the_targets_load():
    loaded = parse("target:\n  - https://a.example\ntargets: [https://b.example]\n")
    assert ids(loaded) == ["b.example"]
    assert lines(loaded) == ["list.yaml:1: unknown key 'target'; did you mean targets?"]


def test_the_same_target_twice_is_one_with_what_both_say():
    loaded = parse(
        "targets:\n"
        "  - {uri: https://a.example, labels: {x: first}}\n"
        "  - {uri: HTTPS://A.example:443/, labels: {x: second, y: z}, category: NEWS, group: g}\n"
    )
    assert ids(loaded) == ["a.example"]
    target = loaded.targets[0]
    assert (target.labels, target.category, target.group) == ({"x": "first", "y": "z"}, "NEWS", "g")
    assert loaded.notes == ("list.yaml:3: https://a.example is also at list.yaml:2; the two are one target",)


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("https://a.example\n", "http://x.example/list", ListFormat.TEXT),
        ("# c\n- https://a.example\n", "list", ListFormat.YAML),
        ("targets:\n- a\n", "list", ListFormat.YAML),
        ('\n[{"targets": []}]', "http://x.example/sd?format=1", ListFormat.JSON),
        ('{"targets": ["a.example"]}', "list.json", ListFormat.YAML),
        ("url,category_code\n", "list", ListFormat.CSV),
        ("https://a.example:8443/\n", "list", ListFormat.TEXT),
        ("", "list", ListFormat.TEXT),
        ("anything", "LIST.CSV", ListFormat.CSV),
    ],
)
def test_the_kind_of_list_shows_in_its_name_or_its_text(text, name, kind):
    assert detect_format(text, name) is kind


_YAML_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["https://a.example", "5m", "("]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["uri", "targets", "groups", "defaults", "labels", "expect", "request", "status", "headers"]
            )
            | st.sampled_from(["interval", "family", "body", "cert_sha256", "answer", "method", "exposure", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_NAMES = st.sampled_from(["l.txt", "l.csv", "l.yaml", "l.json", "l"])


@given(st.binary(max_size=120), _NAMES)
def test_any_bytes_are_targets_and_errors(data, name):
    _parses(data, name)


@given(st.text(alphabet='url,category_code\n"[]{}:-#&*!|> ab.example/https\t\r\x00', max_size=120), _NAMES)
def test_any_text_that_looks_like_a_list_is_targets_and_errors(text, name):
    _parses(text.encode(), name)


@given(_YAML_VALUES, st.sampled_from(["l.yaml", "l.json", "l"]))
def test_any_structure_is_targets_and_errors(value, name):
    _parses(json.dumps(value).encode(), name)
    _parses(yaml.safe_dump(value).encode(), "l.yaml")


def _parses(data: bytes, name: str) -> None:
    try:
        loaded = parse(data, name)
    except UserError as caught:
        loaded = Loaded(errors=(caught,))
    assert all("\n" not in str(error) for error in loaded.errors)
    assert len(set(ids(loaded))) == len(loaded.targets)
