"""Files and links as they circulate: what their own clients take is taken here, what is refused has one clear line."""

import base64
import json

import pytest

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.targets import parse_address
from probe.targets.lists.reader import load_uri
from probe.targets.secret_places import Given
from probe.targets.secret_reading import read_secrets
from probe.targets.tunnel_texts import Entry, parse_link, parse_tunnel_text
from probe.targets.tunnels import Tunnels, is_tunnel_file, is_tunnel_place, load_tunnels

USER = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
KEY = base64.b64encode(bytes(range(32))).decode()
WIREGUARD = (
    f"[Interface]\nPrivateKey = {KEY}\nAddress = 10.0.0.2/24\n\n[Peer]\nPublicKey = {KEY}\nEndpoint = a.test:51820\n"
)
OPENVPN = "client\ndev tun\nremote a.test 1194 udp\n<ca>\nCA\n</ca>\n"


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def vmess(**more: object) -> str:
    fields = {"v": "2", "add": "a.test", "port": "443", "id": USER, "aid": "0", "net": "ws", "path": "/r", "tls": "tls"}
    return f"vmess://{encode(json.dumps(fields | more))}"


def write(folder, name: str, data: str | bytes) -> str:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize(
    ("link", "host", "port", "secrets"),
    [
        ("trojan://a/b+c=@a.test:443?sni=b.test", "a.test", 443, {"password": "a/b+c="}),
        ("trojan://a[b]c@a.test?sni=b.test", "a.test", 443, {"password": "a[b]c"}),
        ("trojan://pw@a.test:443#[free]_1 of 2 @channel", "a.test", 443, {"password": "pw"}),
        (f"tuic://{USER}%3Apw@a.test:443?alpn=h3", "a.test", 443, {"uuid": USER, "password": "pw"}),
        ("hysteria2://pw@my-host.test/?sni=b.test", "my-host.test", 443, {"password": "pw"}),
        ("hysteria2://pw@a.test:1234,5000-6000/?sni=b.test", "a.test", 1234, {"password": "pw"}),
        ("hy2://pw@[2001:db8::1]:20000-30000#x", "2001:db8::1", 20000, {"password": "pw"}),
        ("hy2://pw@a.test?obfs=none#x", "a.test", 443, {"password": "pw"}),
        (f"socks://{encode('me:pw')}@a.test:1080#x", "a.test", 1080, {"password": "pw"}),
        ("socks://Og==@a.test:1080", "a.test", 1080, {}),
        ("socks5://me:pw@a.test:1080?tfo=1&remarks=x", "a.test", 1080, {"password": "pw"}),
        (vmess(aid=64), "a.test", 443, {"uuid": USER}),
        (vmess(port=443, type="---", tls=True), "a.test", 443, {"uuid": USER}),
        (vmess(scy="chacha20-ietf-poly1305") + "#🚀 @channel", "a.test", 443, {"uuid": USER}),
        (f"vmess://{encode(f'auto:{USER}@a.test:443')}?obfs=websocket&obfsParam=b.test&path=/r&tls=1", "a.test", 443,
         {"uuid": USER}),
        (f"ss://{encode('chacha20-poly1305:pw')}@a.test:443#x", "a.test", 443, {"password": "pw"}),
        (f"wg://a.test:2408?publicKey={KEY}&privateKey={KEY}&presharedKey=&ip=10.0.0.2&udp=1&wnoise=quic", "a.test",
         2408, {"private_key": KEY}),
    ],
)  # fmt: skip
def test_a_link_is_read_as_its_clients_read_it(link, host, port, secrets):
    parsed = parse_link(link).parsed
    assert (parsed.host, parsed.port, dict(parsed.secrets)) == (host, port, secrets)


def test_what_stands_in_base64_before_the_host_is_never_shown():
    parsed = parse_link(f"socks5://{encode('me:pw-planted')}@a.test").parsed
    assert parsed.params["user"] == "me"
    assert "planted" not in str(parsed.params)


@pytest.mark.parametrize("transport", ["grpc", "xhttp", "http", "tcp"])
def test_a_reality_server_is_asked_for_its_cover_site_whatever_carries_its_streams(transport):
    link = (
        f"vless://{USER}@a.test:443?security=reality&sni=b.test&pbk=k&type={transport}&serviceName=@x&encryption=mlkem"
    )
    assert parse_link(link).parsed.params == {"security": "reality", "sni": "b.test"}


def test_a_param_that_is_there_twice_counts_once_and_advertising_does_not_matter():
    link = f"vless://{USER}@a.test:443?Telegram=@a,@a&Telegram=@b&security=tls&type=ws&sni=b.test&sni=c.test"
    assert parse_link(link).parsed.params["sni"] == "b.test"
    with pytest.raises(ValueError, match="relay is given twice"):
        parse_link("socks5://a.test?relay=b.test:443&relay=c.test:443")


def test_a_link_from_a_web_page_is_unescaped():
    assert parse_link(f"vless://{USER}@a.test?security=tls&amp;type=ws&amp;sni=b.test").parsed.params["type"] == "ws"


@pytest.mark.parametrize(
    ("params", "read"),
    [
        ("alpn=http%252F1.1&sni=b.test", {"alpn": "http/1.1"}),
        ("alpn=,h2,%20http/1.1,&sni=b.test.", {"alpn": "h2,http/1.1"}),
        ("alpn=,,&sni=b.test", {}),
        ("allowinsecure=1&sni=b.test&ws=1&wspath=/abc", {"insecure": "1", "type": "ws", "path": "/abc"}),
        ("security=TLS&type=WS&peer=b.test", {"security": "tls", "type": "ws"}),
    ],
)
def test_dialects_mean_what_they_say(params, read):
    assert parse_link(f"trojan://pw@a.test:443?{params}").parsed.params == {"security": "tls", "sni": "b.test"} | read


@pytest.mark.parametrize(
    ("link", "says"),
    [
        (f"vless://{USER}@a.test?security=tls&type=grpc", "transport grpc is not spoken"),
        (f"vless://{USER}@a.test?security=tls&type=tcp&headerType=http", "disguise"),
        (f"vless://{USER}@a.test?security=tls&flow=xtls-rprx-vision", "flow is not spoken"),
        ("trojan://pw@a.test?sni=%F0%9F%94%92", "sni is no name"),
        ("trojan://pw@a.test?sni=a..b", "sni is no name"),
        (f"hy2://pw@a.test?sni={'a' * 64}.b", "sni is no name"),
        (f"anyconnect://me:pw@a.test?sni={'a.' * 127}b", "sni is no name"),
        (f"trojan://pw@a.test?alpn={'x' * 256}", "alpn is no list"),
        ("tuic://0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0:pw@a.test?alpn=h3,%20h%202", "alpn is no list"),
        ("trojan://pw@a.test?type=ws&host=b%0d%0aX:1", "host is no name"),
        ("trojan://p#w@a.test:443", "written %23"),
        (f"ss://{encode('rc4-md5:pw')}@a.test:443", "rc4-md5 is not spoken"),
        (f"ss://{encode('aes-128-gcm:pw')}@a.test:443?plugin=v2ray-plugin%3Btls", "v2ray-plugin is not spoken"),
        (f"vmess://ws+tls:{USER}-0@a.test:443/?path=/r", "older form"),
        ("hysteria://a.test:443?auth=pw", "Hysteria 1 is not spoken"),
        ("ssr://abc", "ShadowsocksR is not spoken"),
        ("snowflake 192.0.2.3:80 2B280B23E1107BB62ABFC40DDCC8824814F80A72 url=https://a.test/", "kind snowflake"),
        ("Bridge webtunnel [2001:db8::1]:443 8838 url=https://a.test/x ver=0.0.1", "kind webtunnel"),
        ("https://a.test/api/subscribe?token=0", "web address"),
    ],
)
def test_what_is_not_spoken_is_named(link, says):
    with pytest.raises(ValueError, match=says) as caught:
        parse_link(link)
    assert "pw" not in str(caught.value)
    if "://" in link and not link.startswith("https"):
        with pytest.raises(UserError, match=says):
            parse_address(link, keep=Given().keep)


def test_a_bridge_without_a_disguise_is_a_relay():
    for line in ("192.0.2.1:9001 8838024498816A039FCBBAB14E6F40A0843051FA",
                 "Bridge [2001:db8::1]:443 $8838024498816A039FCBBAB14E6F40A0843051FA"):  # fmt: skip
        entry = parse_link(line)
        assert isinstance(entry, Entry)
        assert entry.spec.name == "tor"
        assert entry.parsed.params["fingerprint"] == "8838024498816A039FCBBAB14E6F40A0843051FA"


@pytest.mark.parametrize("name", ["office.ovpn", "client.conf", "office.ovpn.txt", "noending"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\ufeff# it's mine\r\n"])
def test_openvpns_file_is_known_by_what_is_in_it_however_it_is_called_and_saved(tmp_path, name, start):
    text = start + OPENVPN.replace("\n", "\r\n")
    for data in (text.encode(), (text if start else f"\ufeff{text}").encode("utf-16-le")):
        (target,) = load_tunnels(write(tmp_path, name, data)).targets
        assert (target.params["protocol"], target.host, target.port) == ("openvpn", "a.test", 1194)
        assert read_secrets(target) == {"ca": b"CA\n"}


@pytest.mark.parametrize("name", ["wg0.conf", "wg0.txt"])
@pytest.mark.parametrize("start", ["", "\ufeff", "; by hand\n"])
def test_wireguards_file_is_too(tmp_path, name, start):
    for text in (start + WIREGUARD, *((start + WIREGUARD).replace("\n", end) for end in ("\r\n", "\r"))):
        (target,) = load_tunnels(write(tmp_path, name, text)).targets
        assert (target.params["protocol"], target.port) == ("wireguard", 51820)


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        ("setenv FRIENDLY_NAME Bob's office\nremote b.test 443 tcp ; and not udp", {"proto": "tcp"}),
        ('remote b.test 443 tcp\nverify-x509-name "C=NL, O=it\'s, CN=vpn" subject', {"proto": "tcp"}),
        ("remote b.test 443 #tcp", {"proto": "udp"}),
        ("auth RSA-SHA512\ntls-auth C:\\\\Keys\\\\ta#1.key 1\nremote b.test 443", {"auth": "sha512", "direction": "1"}),
    ],
)
def test_lines_are_cut_into_words_as_openvpn_does(lines, options):
    (entry,) = parse_tunnel_text(f"client\n{lines}\n").entries
    assert options.items() <= entry.parsed.params.items()
    if "tls-auth" in lines:
        assert entry.parsed.files["key"] == r"C:\Keys\ta#1.key"


def test_a_blocks_tag_may_have_a_comment_behind_it_and_what_is_optional_is_an_option():
    dressed = OPENVPN.replace("<ca>", "<ca> # ours").replace("</ca>", "</ca> # so far")
    entries = parse_tunnel_text(dressed + "setenv opt remote b.test\n").entries
    assert [(entry.parsed.host, entry.parsed.secrets) for entry in entries] == [
        ("a.test", {"ca": "CA\n"}),
        ("b.test", {"ca": "CA\n"}),
    ]
    with pytest.raises(ValueError, match="a block in <> is not closed") as caught:
        parse_tunnel_text(f"{OPENVPN}<pl4nted>\n")
    assert "pl4nted" not in str(caught.value)


def test_a_wrong_key_is_named_by_its_line_s_word():
    for word in ("PrivateKey", "PublicKey"):
        with pytest.raises(ValueError, match=f"{word}: a WireGuard key is"):
            parse_tunnel_text(WIREGUARD.replace(f"{word} = {KEY}", f"{word} = <yours>"))


def test_a_fragment_concerns_its_own_connection_and_one_that_is_left_open_is_a_mistake():
    blocks = "<connection>\nremote a.test\nfragment 1300\n</connection>\n<connection>\nremote b.test\n</connection>\n"
    first, second = (entry.parsed.params for entry in parse_tunnel_text(f"client\n{blocks}").entries)
    assert ("fragment" in first, "fragment" in second) == (True, False)
    with pytest.raises(ValueError, match="<connection> is not closed"):
        parse_tunnel_text("client\nremote c.test\n<connection>\nremote a.test\n")


def test_a_server_that_a_file_names_again_is_one_endpoint(tmp_path):
    again = OPENVPN + "remote a.test 1194 udp\nremote a.test 443 tcp\nremote a.test 1194 udp\n"
    assert [target.port for target in load_tunnels(write(tmp_path, "as.ovpn", again)).targets] == [1194, 443]
    found = load_tunnels(
        write(tmp_path, "links.txt", "trojan://pw@a.test#1\ntrojan://other@a.test\ntrojan://pw@a.test#2")
    )
    assert [read_secrets(target)["password"] for target in found.targets] == [b"pw", b"other"]


def test_lines_of_one_kind_are_one_mistake_that_counts_them(tmp_path):
    lines = ["STATUS=1 GB", "1. trojan://pw@a.test:443#a", "- trojan://pw@a.test:444#b", "```"]
    lines += [f"vless://{USER}@a.test:{port}?security=tls&type=grpc" for port in range(1, 12)]
    lines += ["trojan://pw@a.test:445#c trojan://pw@a.test:446#d https://t.me/x"]
    found = load_tunnels(write(tmp_path, "links.txt", "\n".join(lines)))
    assert [target.port for target in found.targets] == [443, 444, 445, 446]
    assert [error.where.rpartition("links.txt")[2] for error in found.mistakes] == [
        ":1, 4", ":5, 6, 7, 8, 9, 10, 11, 12 and 3 more",
    ]  # fmt: skip
    assert all(error.remedy for error in found.mistakes)


def test_mistakes_of_a_file_that_a_list_names_are_errors_of_the_list(tmp_path):
    place = write(tmp_path, "links.txt", "trojan://pw@a.test:443\nssr://abc\n")
    loaded = load_uri(TargetSource(uri=place), Defaults())
    assert len(loaded.targets) == 1
    assert [error.where for error in loaded.errors] == [f"{place}:2"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("config.json", '{"log": {"password": "pw"}}', "in JSON"),
        ("sub.txt", encode("ssr://abc\nssr://def"), "line 1: ShadowsocksR"),
        ("sub.txt", "https://a.test/api/subscribe?token=pw", "web address"),
        ("smb.conf", "[global]\nworkgroup = pw\n", "neither a client's file"),
    ],
)
def test_what_is_no_file_of_ours_has_one_line_with_a_remedy(tmp_path, name, text, says):
    place = write(tmp_path, name, text)
    with pytest.raises(UserError, match=says) as caught:
        load_tunnels(place)
    assert caught.value.remedy
    assert "pw" not in str(caught.value).replace(place, "")


def test_files_of_tunnels_are_told_from_lists_with_sites(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    only = {"office.ovpn": OPENVPN, "wg.txt": WIREGUARD, "sub.txt": encode("trojan://pw@a.test"), "ssr.txt": "ssr://x"}
    for name, text in only.items():
        assert is_tunnel_file(write(tmp_path, name, text)), name
    for name, text in {"sites.txt": "https://a.test\ntrojan://pw@a.test\n", "names.list": "a.test\nb.test\n"}.items():
        assert not is_tunnel_file(write(tmp_path, name, text)), name
    write(tmp_path, "clash.yaml", "proxies:\n")
    assert is_tunnel_place("clash.yaml")
    assert not is_tunnel_place("nothing.yaml")
    assert isinstance(load_tunnels("office.ovpn"), Tunnels)
