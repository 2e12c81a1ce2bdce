import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.config import load_config, parse_config
from probe.config.shipped import find_shipped, shipped_source
from probe.model.errors import CombinedUserError, UserError
from probe.model.observation import Transport
from probe.model.settings import (
    Defaults,
    Limits,
    PerTarget,
    Profile,
    Settings,
    StoreSettings,
    TunnelNames,
    VantageSettings,
)
from probe.model.target import Exposure


def read(text: str, environ: dict[str, str] | None = None) -> Settings:
    return parse_config(text, "wallprobe.yml", environ or {})


FULL = """\
vantage: {id: sh-telecom-1, country: cn, asn: 4134}
targets:
  - file: sites.yaml
    group: sites
    interval: 10m
    labels: {a: b}
  - http_sd: https://ops.example/targets.json
    refresh: 90s
  - uri: https://a.example/health
    exposure: shared
    expect: {status: 200}
  - https://b.example
  - shipped: vpn-sites
    exposure: shared
defaults: {interval: 1h30m, timeout: 20s}
anchors: {foreign: [https://one.example], portal: "http://p.example/generate_204"}
resolvers: [system, udp://9.9.9.9, dot://9.9.9.9#dns.quad9.net]
nowhere: [45.90.1.7, "2a02:2d8::7", 45.90.1.7]
limits: {profile: server, bytes_per_day: 500MB, sockets: 50, cool_down: 2s}
store: {path: data/w.db, keep: 30d, max_size: 1GiB}
web: {listen: ["127.0.0.1:9785", "[::1]:9785"], allow_insecure: yes}
metrics: {per_target: status}
accept_risk: true
privacy: {tunnels: alias}
"""


def test_a_configuration_becomes_settings():
    settings = read(FULL)
    assert settings.vantage == VantageSettings(id="sh-telecom-1", country="CN", asn=4134)
    file, http_sd, entry, scalar, shipped = settings.targets
    assert (file.file, file.group, file.interval_s, file.labels) == ("sites.yaml", "sites", 600.0, {"a": "b"})
    assert file.place == "wallprobe.yml:3"
    assert (http_sd.http_sd, http_sd.refresh_s) == ("https://ops.example/targets.json", 90.0)
    assert entry.uri == "https://a.example/health"
    assert entry.entry is not None
    assert (scalar.uri, scalar.entry, scalar.place) == ("https://b.example", None, "wallprobe.yml:12")
    assert (shipped.shipped, shipped.exposure) == ("vpn-sites", Exposure.SHARED)
    assert Path(shipped.file).is_file()
    assert settings.defaults == Defaults(interval_s=5400.0, timeout_s=20.0)
    assert settings.anchors.foreign == ("https://one.example",)
    assert settings.anchors.portal == "http://p.example/generate_204"
    assert "https://www.baidu.com/" in settings.anchors.domestic
    assert [resolver.transport for resolver in settings.resolvers] == [Transport.UDP, Transport.DOT]
    assert settings.limits == Limits(
        profile=Profile.SERVER,
        connections_per_s=1000.0,
        dns_per_s=700.0,
        sockets=50,
        bytes_per_day=500_000_000,
        cool_down_s=2.0,
    )
    assert settings.store == StoreSettings(path="data/w.db", keep_s=30 * 86400.0, max_size_bytes=2**30)
    assert settings.web.listen == ("127.0.0.1:9785", "[::1]:9785")
    assert settings.web.allow_insecure
    assert settings.per_target is PerTarget.STATUS
    assert settings.accept_risk
    assert settings.privacy.tunnels is TunnelNames.ALIAS


def test_without_a_file_the_built_in_defaults_and_neutral_anchors_hold():
    settings = load_config(None, {})
    assert [source.shipped for source in settings.targets] == ["anchors"]
    assert len(settings.anchors.foreign) >= 5
    assert settings.anchors.sham
    assert settings.anchors.portal.startswith("http://")
    assert settings.resolvers
    assert settings.limits == Limits()
    assert not settings.accept_risk
    assert read("") == read("# nothing\n")


def test_no_targets_is_not_the_same_as_no_word_about_them():
    assert read("targets: []").targets == ()
    assert [source.shipped for source in read("defaults: {interval: 1m}").targets] == ["anchors"]


def test_norway_is_a_country():
    assert read("vantage: {id: no, country: NO}").vantage == VantageSettings(id="no", country="NO")


def test_paths_are_relative_to_the_configuration(tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    path = tmp_path / "wallprobe.yml"
    path.write_text("targets: [{file: a.txt}, {file: /abs/b.txt}]\ntls: {ca_file: ca.pem}\nstore: {path: w.db}\n")
    settings = load_config(str(path), {})
    assert [source.file for source in settings.targets] == [str(tmp_path / "a.txt"), "/abs/b.txt"]
    assert settings.ca_file == str(tmp_path / "ca.pem")
    assert settings.store.path == str(tmp_path / "w.db")


@pytest.mark.parametrize(("value", "accepted"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_the_risk_can_be_accepted_in_the_environment(value, accepted):
    assert read("", {"WALLPROBE_ACCEPT_RISK": value}).accept_risk is accepted


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("target: []", "wallprobe.yml:1: unknown key 'target'; did you mean targets?"),
        ("limits:\n  profil: line", "wallprobe.yml:2: unknown key 'limits.profil'; did you mean profile?"),
        ("limits: {profile: lien}", "limits.profile: 'lien' is no good; did you mean line?"),
        ("limits: {sockets: many}", "limits.sockets: 'many' is no good; give a whole number from 8 to 1000000"),
        ("limits: {connections_per_s: 0}", "give a number from 0.1 to 100000"),
        ("limits: {bytes_per_day: 2}", "write a number with its unit: 500MB or 2GB"),
        ("defaults: {interval: 300}", "defaults.interval: '300' is no good; write a number with its unit"),
        ("defaults: {timeout: 1h}", "defaults.timeout: '1h' is no good; give a time from 0.1s to 5m"),
        ("store: {keep: forever}", "store.keep: 'forever' is no good"),
        ("vantage: {country: China}", "vantage.country: 'CHINA' is no country"),
        ("vantage: {id: 'a b'}", "vantage.id: 'a b' is no good"),
        ("vantage: [x]", "vantage is a list; write `key: value` pairs"),
        ("resolvers: [udp://dns.google]", "resolvers: a resolver is given by address"),
        ("anchors: {foreign: [a.example]}", "anchors.foreign: 'a.example' is not a URL"),
        ("anchors: {portal: https://a.example}", "is not http://"),
        ("web: {listen: 9785}", "web.listen: '9785' is no address and port"),
        ("web: {listen: 'x:99999'}", "web.listen: 'x:99999' is no address and port"),
        ("metrics: {per_target: all}", "metrics.per_target: 'all' is no good; choose from full, status, none"),
        ("accept_risk: maybe", "accept_risk: 'maybe' is no good; write true or false"),
        ("privacy: {tunnels: alais}", "privacy.tunnels: 'alais' is no good; did you mean alias?"),
        ("privacy: {key_file: /nonexistent}", "key_file: /nonexistent cannot be read"),
        ("tls: {library: rusttls}", "tls.library: 'rusttls' is no good; did you mean rustls?"),
        ("tls: {ca_file: /nonexistent/x.pem}", "ca_file: /nonexistent/x.pem cannot be read: No such file"),
        ("knowledge: {asn_file: /nonexistent}", "asn_file: /nonexistent cannot be read"),
        ("control: [{via: socks5://127.0.0.1}]", "'socks5://127.0.0.1' is no tunnel"),
        ("targets: [{}]", "it does not say where the targets come from"),
        ("targets: [{file: a, uri: b}]", "file and uri stand together"),
        ("targets: [{file: a, refesh: 5m}]", "unknown key 'targets.refesh'; did you mean refresh?"),
        ("targets: [{shipped: sites-foregn}]", "did you mean sites-foreign?"),
        ("targets: [{http_sd: ftp://x}]", "this is not a URL"),
        ("targets: [{http_sd: 'https://u:pw@x.example'}]", "the URL holds a password"),
        ("targets: [[x]]", "targets is a list"),
        ("limits: [", "not YAML"),
        ("just text", "write `key: value` pairs"),
        ("a: 1\na: 2", "key 'a' is here twice"),
    ],
)
def test_each_mistake_is_one_line_with_its_place_and_a_remedy(text, line):
    with pytest.raises(UserError) as caught:
        read(text)
    assert line in str(caught.value)
    assert str(caught.value).startswith("wallprobe.yml:")
    assert "\n" not in str(caught.value)
    assert "pw" not in str(caught.value)


def test_all_mistakes_are_said_at_once():
    with pytest.raises(CombinedUserError) as caught:
        read("limits: {profile: x}\nfoo: 1\ndefaults: {interval: 5}\n")
    assert [error.where for error in caught.value.errors] == ["wallprobe.yml:3", "wallprobe.yml:1", "wallprobe.yml:2"]
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \xc3\x28", b" " * (4 * 1024 * 1024 + 2)])
def test_what_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "wallprobe.yml"
    path.write_bytes(content)
    with pytest.raises(UserError):
        load_config(str(path), {})


@pytest.mark.parametrize("path", ["/nonexistent/wallprobe.yml", "/"])
def test_a_file_that_cannot_be_read_is_one_line(path):
    with pytest.raises(UserError, match="cannot be read"):
        load_config(path, {})


def test_shipped_lists_are_found_by_name():
    assert {"anchors", "anchors-domestic", "sites-foreign", "vpn-sites", "resolvers"} <= set(find_shipped())
    with pytest.raises(UserError, match="did you mean anchors"):
        shipped_source("anchor")


KEYS = ["vantage", "targets", "defaults", "anchors", "resolvers", "limits", "store", "web", "metrics", "tls", "file"]
KEYS += ["knowledge", "uri", "http_sd", "shipped", "listen", "interval", "profile", "keep", "portal", "sockets", "id"]
VALUES = st.recursive(
    st.sampled_from(["", "5m", "2GB", "anchors", "https://a.example", "system", "{", "-1", "\x00", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_any_structure_is_settings_or_user_errors(value):
    _reads(json.dumps(value))


@given(st.text(max_size=60))
def test_any_text_is_settings_or_user_errors(text):
    _reads(text)


def _reads(text: str) -> None:
    with contextlib.suppress(UserError):
        assert isinstance(read(text), Settings)


def test_nobody_is_asked_for_names_unless_an_address_is_named() -> None:
    assert read("").nowhere == ()
    assert read(FULL).nowhere == ("45.90.1.7", "2a02:2d8::7")


@pytest.mark.parametrize("address", ["192.168.1.1", "127.0.0.1", "198.51.100.7", "host.example", "fe80::1%eth0", "[1]"])
def test_an_address_that_no_question_would_leave_for_is_refused(address: str) -> None:
    with pytest.raises(UserError) as caught:
        read(f"nowhere: [{address}]")
    assert "is no public address" in caught.value.what
    assert "a host of your own" in caught.value.remedy


def test_an_empty_list_of_shams_means_none_and_of_foreign_anchors_the_shipped_ones():
    anchors = parse_config("anchors: {sham: [], domestic: [], foreign: []}", "w.yml", {}).anchors
    assert (anchors.sham, anchors.domestic) == ((), ())
    assert anchors.foreign
    assert parse_config("anchors: {}", "w.yml", {}).anchors.sham


def test_an_empty_file_is_a_mistake_and_not_the_defaults(tmp_path):
    path = tmp_path / "wallprobe.yml"
    for text in ("", " \n\n", "\ufeff"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"is empty; write \{\}"):
            load_config(str(path))
    for text in ("# all of it is left out\n", "{}\n"):
        path.write_text(text)
        assert load_config(str(path)).targets[0].shipped == "anchors"
