"""Secrets of tunnels, planted in every way that a person can hand them over, are found nowhere afterwards.

They are used (the servers would not see them otherwise), and are in no output, log, metric, page, export or database,
nor in the process list while the program runs.
"""

import base64
import hashlib
import os
import subprocess
import uuid
import zlib
from pathlib import Path

import msgspec
import pytest

from tests.e2e.conftest import Stage

PASSWORD = "PLANTED-trojan-5f0e"
SS_PASSWORD = "PLANTED-ss-77aa"
SOCKS_PASSWORD = "PLANTED-socks-c0de"
ARGUMENT = "PLANTED-argument-9a9a"
VEIL = "PLANTED-veil-b00b"
PRESHARED = base64.b64encode(b"PLANTED-preshared-key-of-32-byte").decode()
USER = uuid.UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
SITE = "45.90.1.1:443"
LINKS = (
    f"trojan://{PASSWORD}@{SITE}?sni=site-1.wall.example#home",
    f"vless://{USER}@{SITE}?security=none",
    "vmess://" + base64.b64encode(
        msgspec.json.encode({"v": "2", "add": "45.90.1.1", "port": "443", "id": str(USER), "aid": "0", "net": "tcp"})
    ).decode(),
    f"ss://{base64.b64encode(f'aes-256-gcm:{SS_PASSWORD}'.encode()).decode()}@{SITE}#ss",
    f"socks5://me:{SOCKS_PASSWORD}@{SITE}",
    f"http-proxy://me:{SOCKS_PASSWORD}@{SITE}",
    f"socks://{base64.b64encode(f'me:{SOCKS_PASSWORD}'.encode()).decode()}@{SITE}",
    f"trojan://{PASSWORD}/with+slash=@{SITE}?sni=site-1.wall.example",
)  # fmt: skip
OVPN = f"""client
remote 45.90.1.1 443 tcp
remote 45.90.5.1 1194 udp
<tls-crypt>
-----BEGIN OpenVPN Static key V1-----
{"c0ffee5ec2e7c0ffee5ec2e7c0ffee5e" * 16}
-----END OpenVPN Static key V1-----
</tls-crypt>
<auth-user-pass>
me
{SOCKS_PASSWORD}
</auth-user-pass>
"""
CLASH = f"""proxies:
  - {{name: a, type: hysteria2, server: 45.90.1.1, port: 443, password: {PASSWORD}, obfs: salamander,
     obfs-password: {VEIL}, sni: site-1.wall.example, skip-cert-verify: true}}
  - {{name: b, type: wireguard, server: 45.90.1.1, port: 443, ip: 10.9.9.2, private-key: {PRESHARED},
     public-key: {base64.b64encode(bytes(range(32))).decode()}, pre-shared-key: {PRESHARED}}}
  - {{name: c, type: ssr, server: 45.90.1.1, port: 443, password: {VEIL}}}
"""
XRAY_PASSWORD = "PLANTED-xray-d00d"
XRAY = msgspec.json.encode({"outbounds": [
    {"protocol": "trojan", "settings": {"servers": [{"address": "45.90.1.1", "port": 443, "password": XRAY_PASSWORD}]},
     "streamSettings": {"security": "tls", "tlsSettings": {"serverName": "site-1.wall.example"}}}
]}).decode()  # fmt: skip
WIREGUARD = f"""[Interface]
PrivateKey = {PRESHARED}
Address = 10.9.9.3/32
[Peer]
PublicKey = {base64.b64encode(bytes(range(32))).decode()}
PresharedKey = {PRESHARED}
Endpoint = 45.90.1.1:443
"""
AMNEZIA = "vpn://" + base64.urlsafe_b64encode(
    bytes(4) + zlib.compress(msgspec.json.encode({"containers": [
        {"container": "amnezia-xray", "xray": {"last_config": XRAY}},
        {"container": "amnezia-awg", "awg": {"last_config": msgspec.json.encode({"config": WIREGUARD}).decode()}},
    ]}))
).decode().rstrip("=")  # fmt: skip
PROTOCOLS = {"trojan", "vless", "vmess", "shadowsocks", "socks5", "http-proxy", "openvpn", "hysteria2"}


def spellings() -> list[bytes]:
    """Return every secret in the ways that it could be written."""
    words = [
        PASSWORD,
        SS_PASSWORD,
        SOCKS_PASSWORD,
        ARGUMENT,
        VEIL,
        XRAY_PASSWORD,
        PRESHARED,
        "PLANTED-preshared-key-of-32-byte",
        str(USER),
        USER.hex,
        f"me:{SOCKS_PASSWORD}",
    ]
    words += [hashlib.sha224(word.encode()).hexdigest() for word in (PASSWORD, ARGUMENT)]
    words.append("c0ffee5ec2e7c0ffee5e")
    raw = [word.encode() for word in words] + [USER.bytes, bytes.fromhex("c0ffee5ec2e7c0ffee5e")]
    # Of base64 three forms, by where in a group of three bytes the secret begins; the ends depend on its neighbours.
    coded = [base64.b64encode(bytes(shift) + secret)[4:-4] for secret in raw for shift in (0, 1, 2)]
    return raw + [form for form in coded if len(form) >= 12]


def assert_clean(text: bytes, where: str) -> None:
    for form in spellings():
        assert form not in text, f"{form!r} is in {where}"


@pytest.fixture
def told(stage: Stage) -> Stage:
    """A configuration with links in a list, a file of its own, and a client's file."""
    stage.put("https://site-2.wall.example", *LINKS[:2])
    (stage.folder / "links.txt").write_text("\n".join(LINKS))
    (stage.folder / "office.ovpn").write_text(OVPN)
    (stage.folder / "clash.yaml").write_text(CLASH)
    files = ("clash.yaml", "links.txt", "office.ovpn")
    uris = "\n" + "".join(f"  - uri: {place}\n" for place in (*(stage.folder / f for f in files), "env:PLANTED_LINK"))
    config = stage.configure()
    text = config.read_text().replace(
        f"targets: [{{file: {stage.folder}/sites.txt}}]", f"targets:\n  - file: {stage.folder}/sites.txt{uris}"
    )
    config.write_text(text)
    return stage


def test_a_daemon_shows_no_secret_anywhere(told: Stage, start) -> None:
    daemon = start("--log.level", "debug", PLANTED_LINK=f"trojan://{ARGUMENT}@{SITE}?sni=site-3.wall.example")
    daemon.wait_until_ready()
    daemon.wait_for(lambda: {m.target.params.get("protocol") for m in told.stored()} >= PROTOCOLS, 120)
    assert b"PLANTED" not in Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
    pages = {path: told.get(path)[1] for path in ("/metrics", "/", "/api/v1/targets", "/api/v1/events", "/nowhere")}
    daemon.stop()
    for path, text in pages.items():
        assert_clean(text.encode(), path)
    assert 'protocol="' not in pages["/metrics"]
    assert "45.90.1.1" not in pages["/metrics"], "an endpoint's address is in the metrics"
    assert_clean(daemon.log.encode(), "the log")
    for measurement in told.stored():
        assert_clean(msgspec.json.encode(measurement), f"the database: {measurement.target.address}")
    for path in (told.folder / "state").rglob("*"):
        if path.is_file():
            assert_clean(path.read_bytes(), str(path))
    for command in (("export", "--format", "ooni"), ("history", "--json"), ("explain", told.stored()[-1].id)):
        shown = told.run(*command, "--config.file", str(told.folder / "wallprobe.yml"))
        assert_clean((shown.stdout + shown.stderr).encode(), " ".join(command))


def test_a_check_shows_no_secret_whichever_way_it_came(told: Stage) -> None:
    config = ("--config.file", str(told.folder / "wallprobe.yml"))
    from_argument = f"trojan://{ARGUMENT}@{SITE}?sni=site-3.wall.example"
    for arguments, stdin in (
        (("--verbose", str(told.folder / "links.txt")), ""),
        (("--verbose", "--login", str(told.folder / "clash.yaml")), ""),
        (("--json", "-"), base64.b64encode("\n".join(LINKS).encode()).decode()),
        (("--json", "-"), AMNEZIA),
        (("--json", from_argument), ""),
        (("--json", f"trojan://{ARGUMENT}@{SITE}?type=grpc"), ""),
    ):
        shown = subprocess.run(
            told.command("check", *config, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert_clean((shown.stdout + shown.stderr).encode(), f"check {arguments[0]}")
        assert "Traceback" not in shown.stderr


def test_a_secret_in_an_argument_is_gone_from_the_process_list(told: Stage) -> None:
    link = f"trojan://{ARGUMENT}@45.90.6.1:443"  # nobody answers there, so the check goes on for a while
    command = told.command("check", "--config.file", str(told.folder / "wallprobe.yml"), link)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        warned = process.stderr.readline()
        assert "45.90.6.1" in warned
        assert ARGUMENT not in warned
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.kill()
    assert b"trojan://45.90.6.1:443" in shown
    assert ARGUMENT.encode() not in shown


def test_the_spellings_would_be_found() -> None:
    planted = base64.b64encode(b"head" + PASSWORD.encode() + b"tail")
    with pytest.raises(AssertionError):
        assert_clean(planted, "a test")
    with pytest.raises(AssertionError):
        assert_clean(os.urandom(4) + hashlib.sha224(PASSWORD.encode()).hexdigest().encode(), "a test")
