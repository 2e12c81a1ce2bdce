"""Xray's JSON, settings of clients with one server, JSON with comments, and what Amnezia hands on."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.targets import parse_address
from probe.targets.client_files.amnezia import unpack_amnezia
from probe.targets.client_files.client_settings import is_settings, read_settings
from probe.targets.client_files.json_comments import blank_comments, is_json
from probe.targets.secret_places import Given
from probe.targets.secret_reading import read_secrets
from probe.targets.tunnel_texts import parse_link, parse_tunnel_text
from probe.targets.tunnels import is_tunnel_file, load_tunnels, parse_given_tunnels

USER = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
KEY = base64.b64encode(bytes(range(32))).decode()
WIREGUARD = (
    f"[Interface]\nPrivateKey = {KEY}\nAddress = 10.8.1.2/32\nDNS = $PRIMARY_DNS, $SECONDARY_DNS\nJc = 4\nJmin = 10\n"
    f"Jmax = 50\n\n[Peer]\nPublicKey = {KEY}\nPresharedKey = {KEY}\nEndpoint = 192.0.2.5:41234\n"
)
OPENVPN = "client\ndev tun\nremote 192.0.2.6 1194 udp\n<ca>\nCA\n</ca>\n"
IN_TLS = {"security": "tls", "tlsSettings": {"serverName": "b.test", "alpn": ["h2", "http/1.1"]}}
XRAY = {
    "remarks": "all of them",
    "inbounds": [{"protocol": "socks", "port": 1080, "settings": {}}],
    "outbounds": [
        {"protocol": "vless", "settings": {"vnext": [{"address": "a.test", "port": 443, "users": [
            {"id": USER, "encryption": "none", "level": 8}]}]},
         "streamSettings": {"network": "ws", **IN_TLS, "wsSettings": {"path": "/r?ed=2048",
                                                                     "headers": {"Host": "cdn.test"}}}},
        {"protocol": "vless", "settings": {"address": "2001:db8::1", "port": 443, "id": USER, "encryption": "none",
                                           "flow": "xtls-rprx-vision"},
         "streamSettings": {"network": "raw", "security": "reality",
                            "realitySettings": {"serverName": "cover.test", "publicKey": "k", "shortId": "01"}}},
        {"protocol": "vmess", "settings": {"vnext": [{"address": "c.test", "port": 8443, "users": [
            {"id": USER, "alterId": 0, "security": "auto"}]}]},
         "streamSettings": {"network": "tcp", "security": "none"}},
        {"protocol": "trojan", "settings": {"servers": [{"address": "d.test", "port": 443, "password": "p@ss/1"}]},
         "streamSettings": {"security": "tls", "tlsSettings": {"serverName": "d.test", "allowInsecure": True}}},
        {"protocol": "shadowsocks", "settings": {"servers": [
            {"address": "e.test", "port": 8388, "method": "aes-256-gcm", "password": "pw", "level": 8}]},
         "streamSettings": {"network": "tcp"}},
        {"protocol": "socks", "settings": {"servers": [
            {"address": "f.test", "port": 1080, "users": [{"user": "me", "pass": "pw"}]}]}},
        {"protocol": "http", "settings": {"address": "g.test", "port": 3128, "user": "me", "pass": "pw"}},
        {"protocol": "wireguard", "settings": {"secretKey": KEY, "address": ["172.16.0.2/32"], "reserved": [1, 2, 3],
                                               "peers": [{"endpoint": "[2001:db8::7]:2408", "publicKey": KEY}]}},
        {"protocol": "hysteria", "settings": {"version": 2, "address": "h.test", "port": 443},
         "streamSettings": {"network": "hysteria", "security": "tls", "tlsSettings": {"serverName": "h.test"},
                            "hysteriaSettings": {"version": 2, "auth": "pw"}}},
        {"protocol": "trojan", "settings": {"servers": [{"address": "i.test", "port": 443, "password": "pw"}]},
         "streamSettings": {"security": "tls", "sockopt": {"dialerProxy": "fragment"}}},
        {"protocol": "freedom", "tag": "fragment", "settings": {"fragment": {"packets": "tlshello"}}},
        {"protocol": "blackhole", "tag": "block"},
    ],
}  # fmt: skip
THROUGH_ANOTHER = [
    {"outbounds": [{"protocol": "trojan", "settings": {"servers": [{"address": "a.test", "port": 443,
                                                                    "password": "pw"}]},
                    "proxySettings": {"tag": "first"}}]},
    {"outbounds": [{"type": "shadowsocks", "method": "aes-256-gcm", "password": "pw", "server": "a.test",
                    "server_port": 443, "detour": "shadowtls-out"}]},
    {"proxies": [{"name": "a", "type": "trojan", "server": "a.test", "port": 443, "password": "pw",
                  "dialer-proxy": "first"}]},
]  # fmt: skip
TROJAN = {"type": "trojan", "server": "a.test", "server_port": 443, "password": "pw//", "tls": {"enabled": True}}


def read(text: str) -> dict[tuple[str, str, int], tuple[dict[str, str], dict[str, str]]]:
    return {
        (entry.spec.name, entry.parsed.host, entry.parsed.port): (dict(entry.parsed.params), dict(entry.parsed.secrets))
        for entry in parse_tunnel_text(text).entries
    }


def pack(fields: object, *, compressed: bool = True) -> str:
    data = json.dumps(fields).encode()
    data = len(data).to_bytes(4, "big") + zlib.compress(data) if compressed else data
    return "vpn://" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def contain(name: str, protocol: str, last: object) -> dict[str, object]:
    return {"container": name, protocol: {"port": "1", "last_config": json.dumps(last)}}


AMNEZIA = {
    "description": "mine",
    "hostName": "192.0.2.5",
    "containers": [
        contain("amnezia-awg", "awg", {"config": WIREGUARD, "mtu": "1376"}),
        contain("amnezia-openvpn", "openvpn", {"config": OPENVPN}),
        contain("amnezia-openvpn-cloak", "openvpn", {"config": OPENVPN.replace("192.0.2.6", "127.0.0.1")}),
        contain("amnezia-xray", "xray", {"outbounds": XRAY["outbounds"][:1]}),
        {"container": "amnezia-dns", "dns": {}},
    ],
}


def test_every_server_of_xray_is_an_endpoint_in_either_form() -> None:
    found = read(json.dumps(XRAY, indent=2))
    reached = {"security": "tls", "sni": "b.test", "alpn": "h2,http/1.1", "type": "ws", "host": "cdn.test"}
    assert found["vless", "a.test", 443] == (reached | {"path": "/r?ed=2048"}, {"uuid": USER})
    assert found["vless", "2001:db8::1", 443][0] == {"security": "reality", "sni": "cover.test"}
    assert found["vmess", "c.test", 8443] == ({"security": "none", "cipher": "auto"}, {"uuid": USER})
    insecure = {"security": "tls", "sni": "d.test", "insecure": "1"}
    assert found["trojan", "d.test", 443] == (insecure, {"password": "p@ss/1"})
    assert found["shadowsocks", "e.test", 8388] == ({"method": "aes-256-gcm"}, {"password": "pw"})
    assert found["socks5", "f.test", 1080] == ({"user": "me"}, {"password": "pw"})
    assert found["http-proxy", "g.test", 3128] == ({"user": "me"}, {"password": "pw"})
    assert found["wireguard", "2001:db8::7", 2408][0]["reserved"] == "1,2,3"
    assert found["hysteria2", "h.test", 443] == ({"sni": "h.test"}, {"password": "pw"})
    assert found["trojan", "i.test", 443][1] == {"password": "pw"}, "its hello is cut up, and goes nowhere else"
    assert len(found) == 10


@pytest.mark.parametrize("text", [json.dumps(part) for part in THROUGH_ANOTHER])
def test_a_server_behind_another_is_not_asked_by_itself(text) -> None:
    assert is_settings(text)
    with pytest.raises(ValueError, match="reached through another one is not spoken here"):
        parse_tunnel_text(text)


def test_settings_may_be_a_list_of_whole_ones_or_of_servers() -> None:
    assert len(read(json.dumps([XRAY, XRAY]))) == 10
    assert len(parse_tunnel_text(json.dumps([XRAY, XRAY])).entries) == 20
    servers = [{"server": "a.test", "server_port": 8388, "password": "pw", "method": "aes-256-gcm"}, TROJAN]
    assert set(read(json.dumps(servers))) == {("shadowsocks", "a.test", 8388), ("trojan", "a.test", 443)}
    assert set(read(json.dumps(TROJAN))) == {("trojan", "a.test", 443)}
    assert set(read(json.dumps(XRAY["outbounds"][0]))) == {("vless", "a.test", 443)}
    two = {"server": ["a.test", "2001:db8::2"], "server_port": 8388, "password": "pw", "method": "aes-256-gcm"}
    assert {place[1] for place in read(json.dumps(two))} == {"a.test", "2001:db8::2"}


def test_comments_are_passed_over_and_lines_and_strings_stay() -> None:
    text = f'// mine\n/* two\nlines */ {{"outbounds": [ // here\n\t{json.dumps(TROJAN)}, /* no more */\n]}}\n'
    assert read(text)["trojan", "a.test", 443][1] == {"password": "pw//"}
    assert [setting.line for setting in read_settings(text)] == [4]
    assert not is_json("// nothing but this")
    assert not is_json("/* nor this")


@given(st.text(alphabet='/*"\\ab\n', max_size=40))
def test_blanking_keeps_every_line_where_it_is(text) -> None:
    blanked = blank_comments(text)
    assert len(blanked) == len(text)
    assert [at for at, c in enumerate(blanked) if c == "\n"] == [at for at, c in enumerate(text) if c == "\n"]


@pytest.mark.parametrize(
    ("text", "place", "params", "secrets"),
    [
        ("server: a.test:443,5000-6000\nauth: pw\ntls:\n  sni: b.test\n  insecure: true\nobfs:\n  type: salamander\n"
         "  salamander:\n    password: veil\nsocks5:\n  listen: 127.0.0.1:1080\n", ("hysteria2", "a.test", 443),
         {"sni": "b.test", "insecure": "1", "obfs": "salamander"}, {"password": "pw", "obfs-password": "veil"}),
        ('{"server": "[2001:db8::1]:8443", "auth": "pw"}', ("hysteria2", "2001:db8::1", 8443), {}, {"password": "pw"}),
        ('{"listen": "socks://127.0.0.1:1080", "proxy": "https://me:pw@a.test"}', ("naive", "a.test", 443),
         {"user": "me"}, {"password": "pw"}),
        ('{"run_type": "client", "remote_addr": "a.test", "remote_port": 443, "password": ["pw", "x"],\n'
         '"ssl": {"verify": false, "sni": "b.test", "alpn": ["h2"]}}', ("trojan", "a.test", 443),
         {"security": "tls", "sni": "b.test", "alpn": "h2", "insecure": "1"}, {"password": "pw"}),
        (f'{{"relay": {{"server": "a.test:8443", "uuid": "{USER}", "password": "pw", "alpn": ["h3"]}}, "local": {{}}}}',
         ("tuic", "a.test", 8443), {"alpn": "h3"}, {"uuid": USER, "password": "pw"}),
    ],
)  # fmt: skip
def test_a_client_that_knows_one_server_has_settings_that_are_read(text, place, params, secrets) -> None:
    assert read(text) == {place: (params, secrets)}


def test_what_amnezia_hands_on_is_every_connection_in_it(tmp_path) -> None:
    for compressed in (True, False):
        path = tmp_path / "server.vpn"
        path.write_text(pack(AMNEZIA, compressed=compressed) + "\n")
        path.chmod(0o600)
        assert is_tunnel_file(str(path))
        found = load_tunnels(str(path)).targets
        assert [(t.params["protocol"], t.host, t.port) for t in found] == [
            ("wireguard", "192.0.2.5", 41234), ("openvpn", "192.0.2.6", 1194), ("vless", "a.test", 443),
        ]  # fmt: skip
        secrets = read_secrets(found[0])
        assert (secrets["private_key"], secrets["preshared_key"]) == (KEY.encode(), KEY.encode())
        assert read_secrets(found[2]) == {"uuid": USER.encode()}
        assert KEY not in repr([t.secrets for t in found])
    assert len(parse_given_tunnels(pack(AMNEZIA).encode(), Given()).targets) == 3


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("vpn://pl4nted", "no export of Amnezia"),
        (pack([1]), "no connection"),
        (pack({"containers": [contain("amnezia-openvpn-cloak", "openvpn", {"config": "pl4nted"})]}), "no connection"),
        (pack({"config_version": 2, "api_key": "pl4nted", "api_endpoint": "https://a.test"}), "names no server"),
        (pack({"containers": [contain("x", "awg", {"config": "trojan://pl4nted@a.test"})]}), "no connection"),
        (pack({"containers": [contain("x", "awg", {"config": pack(AMNEZIA)})]}), "no connection"),
        (pack({"containers": [contain("x", "awg", {"config": "[Interface]\n[Peer]\npl4nted"})]}), "line 3"),
    ],
)
def test_what_amnezia_hands_on_and_cannot_be_used_has_one_line_that_quotes_nothing(tmp_path, link, says) -> None:
    path = tmp_path / "server.vpn"
    path.write_text(link)
    with pytest.raises(UserError, match=says) as caught:
        load_tunnels(str(path))
    assert "pl4nted" not in str(caught.value)
    with pytest.raises(UserError, match="file of its own"):
        parse_address(link, keep=Given().keep)


def test_a_packed_text_cannot_grow_without_bound() -> None:
    bomb = (1 << 30).to_bytes(4, "big") + zlib.compress(bytes(64 << 20))
    with pytest.raises(ValueError, match="no export"):
        unpack_amnezia("vpn://" + base64.b64encode(bomb).decode())


@given(st.binary(max_size=60), st.booleans())
def test_anything_packed_is_texts_or_a_mistake(data, compressed) -> None:
    body = bytes(4) + zlib.compress(data) if compressed else data
    for text in (base64.b64encode(body).decode(), data.decode("latin-1")):
        try:
            assert all(isinstance(one, str) for one in unpack_amnezia("vpn://" + text))
        except ValueError:
            continue


VALUES = st.recursive(
    st.sampled_from(["vless", "trojan", "wireguard", "a.test", "443", "ws", "", USER, "a.test:1", "vpn"]) | st.none(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["protocol", "settings", "vnext", "servers", "users", "address", "port", "id", "peers",
                             "endpoint", "streamSettings", "network", "type", "server", "relay", "auth", "proxy"]),
            inner, max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_any_settings_of_these_are_links_or_a_mistake(value) -> None:
    for text in (json.dumps({"outbounds": value}), json.dumps([value, {"auth": value}])):
        try:
            links = [setting.link for setting in read_settings(text)]
        except ValueError:
            continue
        for link in links:
            try:
                parse_link(link)
            except ValueError:
                continue


def test_a_subscription_may_be_settings_in_base64_and_lists_may_be_dressed_up() -> None:
    packed = base64.b64encode(json.dumps(XRAY).encode()).decode()
    assert len(read(packed)) == 10
    for line in (
        "- `trojan://pw@a.test`",
        '"trojan://pw@a.test"',
        '<a href="trojan://pw@a.test">x</a>',
        "1. trojan://pw@a.test",
    ):
        assert list(read(line)) == [("trojan", "a.test", 443)]
    with pytest.raises(ValueError, match="web page"):
        parse_tunnel_text("<!DOCTYPE html><html><body>login</body></html>", "office.ovpn")
