"""Settings of Clash, sing-box and Shadowsocks are read as lists of their servers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.targets.client_files.client_settings import is_settings, read_settings
from probe.targets.secret_reading import read_secrets
from probe.targets.tunnel_texts import parse_link, parse_tunnel_text
from probe.targets.tunnels import is_tunnel_file, load_tunnels

USER = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
KEY = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
CLASH = f"""\
port: 7890
mode: rule
dns: {{enable: true, nameserver: [223.5.5.5, "https://doh.test/dns-query"]}}
proxies:
  - {{name: "🇭🇰 香港 01", type: vmess, server: a.test, port: 443, uuid: {USER}, alterId: 64, cipher: auto, tls: true,
     skip-cert-verify: true, network: ws, ws-opts: {{path: /ray, headers: {{Host: cdn.test}}}}, udp: true}}
  - {{name: ss, type: ss, server: 192.0.2.1, port: 8388, cipher: aes-256-gcm, password: !<str> 0123,
     plugin: obfs, plugin-opts: {{mode: tls, host: bing.test}}}}
  - name: trojan | 1
    type: trojan
    server: 2001:db8::1
    port: 443
    password: "p@ss/word:1"
    sni: b.test
    alpn: [h2, http/1.1]
  - {{name: reality, type: vless, server: c.test, port: 443, uuid: {USER}, tls: true, network: grpc,
     servername: cover.test, flow: xtls-rprx-vision, reality-opts: {{public-key: k, short-id: 01}}}}
  - {{name: hy2, type: hysteria2, server: d.test, port: 443, ports: 20000-30000, password: pw, sni: d.test,
     obfs: salamander, obfs-password: veil, skip-cert-verify: true}}
  - {{name: tuic, type: tuic, server: e.test, port: 443, uuid: {USER}, password: pw, alpn: [h3]}}
  - {{name: any, type: anytls, server: f.test, port: 443, password: pw, sni: f.test}}
  - {{name: socks, type: socks5, server: g.test, port: 1080, username: me, password: pw}}
  - {{name: proxy, type: http, server: h.test, port: 8443, username: me, password: pw, tls: true,
     skip-cert-verify: true}}
  - {{name: wg, type: wireguard, server: i.test, port: 2408, ip: 172.16.0.2, ipv6: "2001:db8::2", private-key: {KEY},
     public-key: {KEY}, pre-shared-key: {KEY}, reserved: [1, 2, 3], amnezia-wg-option: {{jc: 4, jmin: 40, jmax: 70}}}}
  - {{name: old, type: ssr, server: j.test, port: 443, cipher: aes-256-cfb, password: pw}}
  - {{name: direct, type: direct}}
proxy-groups:
  - {{name: PROXY, type: select, proxies: [ss]}}
rules: ["MATCH,PROXY"]
"""
SING_BOX = {
    "outbounds": [
        {"type": "selector", "tag": "s", "outbounds": ["a"]},
        {"type": "vless", "server": "a.test", "server_port": 443, "uuid": USER,
         "tls": {"enabled": True, "server_name": "b.test", "insecure": True, "alpn": ["http/1.1"]},
         "transport": {"type": "ws", "path": "/r", "headers": {"Host": "cdn.test"}}},
        {"type": "vless", "server": "b.test", "server_port": 443, "uuid": USER, "flow": "xtls-rprx-vision",
         "tls": {"enabled": True, "server_name": "cover.test", "reality": {"enabled": True, "public_key": "k"}}},
        {"type": "shadowsocks", "server": "c.test", "server_port": 8388, "method": "aes-128-gcm", "password": "pw"},
        {"type": "hysteria2", "server": "d.test", "server_port": 443, "password": "pw",
         "obfs": {"type": "salamander", "password": "veil"}, "tls": {"enabled": True, "server_name": "d.test"}},
        {"type": "socks", "server": "e.test", "server_port": 1080, "version": "5", "username": "me", "password": "pw"},
        {"type": "trojan", "server": "f.test", "server_port": 443, "password": "pw", "tls": {"enabled": True},
         "transport": {"type": "grpc", "service_name": "x"}},
        {"type": "wireguard", "server": "g.test", "server_port": 2408, "local_address": ["172.16.0.2/32"],
         "private_key": KEY, "peer_public_key": KEY, "reserved": [1, 2, 3]},
        {"type": "direct", "tag": "direct"},
    ],
    "endpoints": [
        {"type": "wireguard", "address": ["10.0.0.2/32"], "private_key": KEY,
         "peers": [{"address": "2001:db8::7", "port": 51820, "public_key": KEY, "pre_shared_key": KEY}]},
    ],
}  # fmt: skip


def read(text: str) -> dict[tuple[str, str, int], tuple[dict[str, str], dict[str, str]]]:
    return {
        (entry.spec.name, entry.parsed.host, entry.parsed.port): (dict(entry.parsed.params), dict(entry.parsed.secrets))
        for entry in parse_tunnel_text(text).entries
    }


def test_every_server_of_clash_is_an_endpoint_with_its_secrets() -> None:
    found = read(CLASH)
    reached = {"path": "/ray", "host": "cdn.test", "security": "tls", "type": "ws", "insecure": "1", "cipher": "auto"}
    assert found["vmess", "a.test", 443] == (reached, {"uuid": USER})
    method = {"method": "aes-256-gcm", "obfs": "tls", "obfs-host": "bing.test"}
    assert found["shadowsocks", "192.0.2.1", 8388] == (method, {"password": "0123"})
    trojan = {"security": "tls", "sni": "b.test", "alpn": "h2,http/1.1"}
    assert found["trojan", "2001:db8::1", 443] == (trojan, {"password": "p@ss/word:1"})
    assert found["vless", "c.test", 443][0] == {"security": "reality", "sni": "cover.test"}
    veiled = {"obfs": "salamander", "sni": "d.test", "insecure": "1"}
    assert found["hysteria2", "d.test", 443] == (veiled, {"password": "pw", "obfs-password": "veil"})
    assert found["tuic", "e.test", 443] == ({"alpn": "h3"}, {"uuid": USER, "password": "pw"})
    assert found["anytls", "f.test", 443][1] == {"password": "pw"}
    assert found["socks5", "g.test", 1080] == ({"user": "me"}, {"password": "pw"})
    assert found["http-proxy", "h.test", 8443] == ({"user": "me", "tls": "1", "verify": "no"}, {"password": "pw"})
    params, secrets = found["wireguard", "i.test", 2408]
    assert (params["address"], params["reserved"], params["jc"]) == ("172.16.0.2,2001:db8::2", "1,2,3", "4")
    assert secrets == {"private_key": KEY, "preshared_key": KEY}


def test_every_server_of_sing_box_is_an_endpoint_however_the_file_is_indented() -> None:
    texts = [json.dumps(SING_BOX), json.dumps(SING_BOX, indent="\t"), json.dumps(SING_BOX, indent=2)]
    found, *others = (read(text) for text in texts)
    assert others == [found, found]
    reached = {"security": "tls", "sni": "b.test", "alpn": "http/1.1", "insecure": "1"}
    assert found["vless", "a.test", 443][0] == reached | {"type": "ws", "path": "/r", "host": "cdn.test"}
    assert found["vless", "b.test", 443][0] == {"security": "reality", "sni": "cover.test"}
    assert found["shadowsocks", "c.test", 8388] == ({"method": "aes-128-gcm"}, {"password": "pw"})
    assert found["hysteria2", "d.test", 443][1] == {"password": "pw", "obfs-password": "veil"}
    assert found["socks5", "e.test", 1080][1] == {"password": "pw"}
    assert found["wireguard", "g.test", 2408][0]["reserved"] == "1,2,3"
    assert found["wireguard", "2001:db8::7", 51820][1] == {"private_key": KEY, "preshared_key": KEY}


@pytest.mark.parametrize(
    "settings",
    [
        {"server": "a.test", "server_port": 8388, "password": "pw", "method": "aes-256-gcm", "local_port": 1080},
        {"version": 1, "servers": [{"server": "a.test", "server_port": 8388, "password": "pw", "method": "aes-256-gcm",
                                    "plugin": "", "plugin_opts": ""}]},
        {"configs": [{"server": "a.test", "server_port": "8388", "password": "pw", "method": "AES-256-GCM"}]},
    ],
)  # fmt: skip
def test_shadowsocks_own_settings_are_read(settings: dict[str, object]) -> None:
    assert read(json.dumps(settings)) == {
        ("shadowsocks", "a.test", 8388): ({"method": "aes-256-gcm"}, {"password": "pw"})
    }


def test_what_is_not_spoken_is_a_mistake_at_its_line_and_secrets_stay_in_the_file(tmp_path) -> None:
    path = tmp_path / "clash.yaml"
    path.write_text(CLASH)
    found = load_tunnels(str(path))
    assert [(error.where, error.what) for error in found.mistakes] == [
        (f"{path}:27", "ShadowsocksR is not spoken here")
    ]
    assert is_tunnel_file(str(path))
    trojan = next(target for target in found.targets if target.params["protocol"] == "trojan")
    assert "ss/word" not in repr(found)
    assert read_secrets(trojan) == {"password": b"p@ss/word:1"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("proxies:\n  - {name: a, password: pl4nted\n", "line 3: not YAML"),
        ("proxies:\n  - {pl4nted: 1, pl4nted: 2}\n", "line 2: key … is here twice"),
        ("proxies:\n", "no server"),
        ('{"outbounds": [{"protocol": "vmess", "settings": {"id": "pl4nted"}}]}', "line 1: there is no host"),
        ('{"outbounds": [{"protocol": "freedom", "settings": {"x": "pl4nted"}}]}', "no server"),
        (
            "proxies:\n  - {type: pl4nted, server: a.test, port: 1, password: pl4nted}\n",
            "line 2: no link of a protocol",
        ),
        ("proxies:\n  - {type: trojan, password: pl4nted}\n", "line 2: "),
    ],
)
def test_settings_that_cannot_be_used_have_one_line_that_quotes_nothing(tmp_path, text: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        load_tunnels(str(path))
    assert caught.value.remedy
    assert "pl4nted" not in str(caught.value)


WORDS = st.sampled_from(
    ["type", "server", "port", "password", "ss", "trojan", "vmess", "wireguard", "tls", "a.test", "443"]
)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(), st.none(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=12,
)


@given(value=VALUES, key=st.sampled_from(["outbounds", "endpoints", "servers", "configs", "proxies"]))
def test_any_settings_are_links_or_a_mistake(value: object, key: str) -> None:
    text = json.dumps({key: value, "x": '"outbounds"'})
    if key == "proxies":
        text = f"proxies: {json.dumps(value)}"
    assert is_settings(text)
    try:
        links = [setting.link for setting in read_settings(text)]
    except ValueError:
        return
    for link in links:
        try:
            parse_link(link)
        except ValueError:
            continue
