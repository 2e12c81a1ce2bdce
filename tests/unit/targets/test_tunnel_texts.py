"""Links, lists of them, clients' files and bridge lines, and where their secrets are read again."""

import asyncio
import base64
import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.model.target import Exposure, GroupMode
from probe.net.context import SecretMissing
from probe.targets import parse_address
from probe.targets.lists.formats import parse_list
from probe.targets.lists.reader import load_sources, load_uri
from probe.targets.secret_places import Given, find_open_files, is_named_place, is_open_to_others
from probe.targets.secret_reading import read_secrets
from probe.targets.tunnel_texts import find_link, find_scheme, parse_tunnel_text
from probe.targets.tunnels import is_tunnel_place, load_tunnels, parse_given_tunnels

PASSWORD = "PLANTED-word"
USER = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
TROJAN = f"trojan://{PASSWORD}@vpn.example.org:443?sni=a.example#home"
VLESS = f"vless://{USER}@192.0.2.7:8443"
SS = f"ss://{base64.urlsafe_b64encode(f'aes-256-gcm:{PASSWORD}'.encode()).decode().rstrip('=')}@192.0.2.8:8388#x"


@pytest.fixture
def links(tmp_path):
    path = tmp_path / "links.txt"
    path.write_text(f"# mine\n{TROJAN}\n\n{VLESS}\nssr://unknown\n{SS}\n")
    path.chmod(0o600)
    return str(path)


def test_a_file_of_links_is_one_group_of_private_endpoints(links):
    found = load_tunnels(links)
    assert [t.params["protocol"] for t in found.targets] == ["trojan", "vless", "shadowsocks"]
    assert {(t.group, t.group_mode, t.exposure) for t in found.targets} == {
        ("links.txt", GroupMode.ANY, Exposure.PRIVATE)
    }
    assert [read_secrets(t) for t in found.targets] == [
        {"password": PASSWORD.encode()},
        {"uuid": USER.encode()},
        {"password": PASSWORD.encode()},
    ]
    assert len(found.mistakes) == 1
    assert found.mistakes[0].where.endswith("links.txt:5")
    assert "ShadowsocksR" in found.mistakes[0].what
    assert PASSWORD not in repr(found)


def test_endpoints_of_a_group_have_different_names(tmp_path):
    path = tmp_path / "same.txt"
    path.write_text(f"trojan://{PASSWORD}@192.0.2.7:443\nvless://{USER}@192.0.2.7:443\n")
    assert [t.place for t in load_tunnels(str(path)).targets] == ["trojan 192.0.2.7:443", "vless 192.0.2.7:443"]


def test_an_id_of_a_private_endpoint_does_not_say_where_it_is(links):
    for target in load_tunnels(links).targets:
        assert target.id.startswith(target.params["protocol"] + "~")
        assert target.host not in target.id
    again = parse_address(TROJAN, keep=Given().keep)
    assert again.id == load_tunnels(links).targets[0].id, "the same on every vantage, wherever the link stands"


def test_a_subscription_is_base64_of_links():
    memory = Given()
    found = parse_given_tunnels(base64.b64encode(f"{TROJAN}\n{SS}\n".encode()), memory)
    assert [read_secrets(t, memory)["password"] for t in found.targets] == [PASSWORD.encode()] * 2
    with pytest.raises(SecretMissing):
        read_secrets(found.targets[0])
    with pytest.raises(SecretMissing):
        read_secrets(found.targets[0], Given())


def test_references_to_given_secrets_are_stable_and_tell_nothing():
    memory = Given()
    first, second = memory.keep({"password": PASSWORD}), memory.keep({"password": PASSWORD})
    assert first == second != memory.keep({"password": "other"})
    assert first != Given().keep({"password": PASSWORD})
    assert PASSWORD not in repr(first) + repr(memory)


def test_links_come_from_variables_and_credentials(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_LINK", TROJAN)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "vpn").write_text(f"{VLESS}\n{SS}")
    (target,) = load_tunnels("env:MY_LINK").targets
    assert (target.host, target.group, read_secrets(target)) == (
        "vpn.example.org", "", {"password": PASSWORD.encode()},
    )  # fmt: skip
    found = load_tunnels("credential:vpn").targets
    assert [t.group for t in found] == ["vpn", "vpn"]
    assert read_secrets(found[1]) == {"password": PASSWORD.encode()}
    for wrong in ("env:NO_SUCH", "credential:../vpn", "credential:none"):
        with pytest.raises(UserError) as caught:
            load_tunnels(wrong)
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(("name", "text"), [
    ("l.txt", f"https://a.example\n{TROJAN}   # the one at home\n"),
    ("l.yaml", f"targets:\n  - {VLESS}\n  - uri: '{TROJAN}'\n    group: vpn\n"),
    ("l.csv", f"url,category_code\n{TROJAN},MISC\n"),
])  # fmt: skip
def test_a_link_in_a_list_is_referred_to_by_its_line(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    loaded = parse_list(path.read_bytes(), str(path), Defaults(), TargetSource(file=str(path)))
    assert not loaded.errors
    target = next(t for t in loaded.targets if t.params.get("protocol") == "trojan")
    assert target.secrets["password"].source.startswith(f"line:{path}#")
    assert read_secrets(target) == {"password": PASSWORD.encode()}
    path.write_text("gone\n")
    with pytest.raises(SecretMissing):
        read_secrets(target)


def test_a_list_from_elsewhere_holds_no_secrets_and_names_no_files(links):
    source = TargetSource(http_sd="http://lists.example/x")
    text = msgspec.json.encode([{"targets": [TROJAN, links, "env:HOME"]}])
    loaded = parse_list(text, "http://lists.example/x", Defaults(), source)
    assert not loaded.targets
    assert len(loaded.errors) == 3
    assert PASSWORD not in "".join(str(error) for error in loaded.errors)


def test_a_file_in_the_configuration_is_all_its_endpoints(links):
    loaded = load_uri(TargetSource(uri=links, place="wallprobe.yml:3", exposure=Exposure.SHARED), Defaults())
    assert [t.params["protocol"] for t in loaded.targets] == ["trojan", "vless", "shadowsocks"]
    assert {t.exposure for t in loaded.targets} == {Exposure.SHARED}


def test_a_group_of_a_list_may_have_a_verdict_of_its_own(tmp_path):
    path = tmp_path / "l.yaml"
    path.write_text("groups:\n  pair:\n    group_mode: all\n    targets: [https://a.example, https://b.example]\n")
    loaded = parse_list(path.read_bytes(), str(path), Defaults(), TargetSource(file=str(path)))
    assert not loaded.errors
    assert {(t.group, t.group_mode) for t in loaded.targets} == {("pair", GroupMode.ALL)}


def test_a_private_endpoint_is_asked_every_half_hour_at_most(links):
    loaded = load_uri(TargetSource(uri=links, place="wallprobe.yml:3", interval_s=5.0), Defaults())
    assert {t.interval_s for t in loaded.targets} == {1800.0}
    assert parse_address("openvpn://vpn.example.org").interval_s == 300.0


def test_what_is_a_place_and_what_a_site(links, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "www.example.org").write_text(TROJAN)
    assert is_tunnel_place(links)
    assert is_tunnel_place("links.txt")
    assert is_tunnel_place("env:X")
    for other in ("www.example.org", "none.ovpn", "https://a.example/links.txt", "host:443", "env://x", "-"):
        assert not is_tunnel_place(other), other
    assert not is_named_place("env:")


def test_modes_are_looked_at(links, tmp_path):
    assert not is_open_to_others(links)
    (tmp_path / "open.txt").write_text(TROJAN)
    (tmp_path / "open.txt").chmod(0o644)
    assert is_open_to_others(str(tmp_path / "open.txt"))
    assert not is_open_to_others("env:HOME")


def test_keys_that_others_may_read_are_named_wherever_they_stand(links, tmp_path):
    office = tmp_path / "office.ovpn"
    office.write_text("client\nremote a.test\nca ca.crt\nkey jane.key\nauth-user-pass pass.txt\n")
    office.chmod(0o600)
    for name, mode in (("ca.crt", 0o644), ("jane.key", 0o640), ("pass.txt", 0o600)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    targets = load_tunnels(str(office)).targets + load_tunnels(links).targets
    assert find_open_files(targets) == (str(tmp_path / "jane.key"),)
    office.chmod(0o644)
    (tmp_path / "links.txt").chmod(0o604)
    # Nothing that is secret stands in the client's file itself.
    assert find_open_files(targets) == (str(tmp_path / "jane.key"), links)
    assert find_open_files([parse_address(TROJAN, keep=Given().keep), parse_address("a.test")]) == ()


def test_a_list_says_that_its_keys_are_open(links, tmp_path):
    (tmp_path / "links.txt").chmod(0o644)
    loaded = asyncio.run(load_sources([TargetSource(uri=links, place=links)]))
    assert [note for note in loaded.notes if "other users" in note] == [
        f"{links} holds keys and other users may read it (chmod 600)"
    ]


def test_a_link_that_cannot_be_read_again_is_refused_unquoted():
    for source in ("command line", "target", "/nowhere/list.txt:3"):
        with pytest.raises(UserError) as caught:
            parse_address(TROJAN, source=source)
        assert PASSWORD not in str(caught.value)


def test_words_that_begin_a_link_or_a_bridge_line():
    assert find_scheme("TROJAN://x") == "trojan"
    assert find_scheme("Bridge obfs4 192.0.2.1:443 AB cert=x") == "obfs4"
    assert find_scheme("obfs4 192.0.2.1:443 AB") == "obfs4"
    assert find_scheme("www.example.org") == ""
    assert find_link(f"  - uri: '{TROJAN}',") == TROJAN
    assert find_link(f"{TROJAN} {VLESS}") is None


@given(st.text(max_size=300) | st.lists(st.sampled_from([TROJAN, VLESS, SS, "", "# x", "x"])).map("\n".join))
def test_any_text_is_endpoints_or_a_value_error_without_secrets(text):
    said = ""
    with contextlib.suppress(ValueError):
        parse_tunnel_text(text)
    try:
        parse_given_tunnels(text.encode("utf-8", "surrogatepass"), Given())
    except UserError as error:
        said = str(error)
    assert PASSWORD not in said
