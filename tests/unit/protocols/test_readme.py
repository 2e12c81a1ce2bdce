"""The table of protocols says what the specs say: a row for each, with the depths that they can reach."""

import re
from pathlib import Path

import pytest

from probe import protocols
from probe.model.depth import Depth
from probe.protocols import load_specs

WRITTEN = {
    "anyconnect": "AnyConnect", "anytls": "AnyTLS", "dtls": "DTLS", "fortigate": "FortiGate",
    "globalprotect": "GlobalProtect",
    "http-proxy": "HTTP CONNECT", "hysteria2": "Hysteria 2", "ikev1": "IKEv1", "ikev2": "IKEv2", "l2tp": "L2TP",
    "naive": "NaïveProxy", "obfs4": "obfs4", "openvpn": "OpenVPN", "pptp": "PPTP", "quic": "QUIC", "reality": "REALITY",
    "shadowsocks": "Shadowsocks", "socks5": "SOCKS5", "softether": "SoftEther", "ssh": "SSH", "sstp": "SSTP",
    "stun": "STUN", "tor": "Tor", "trojan": "Trojan", "tuic": "TUIC", "vless": "VLESS", "vmess": "VMess",
    "wireguard": "WireGuard",
}  # fmt: skip
"""How each is called in the table's first column."""


def read_rows() -> list[list[str]]:
    text = (Path(protocols.__file__).parent / "README.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    return rows[2:]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_protocol_is_in_the_table_with_the_depths_that_it_can_reach(name: str) -> None:
    spec = load_specs()[name]
    rows = [row for row in read_rows() if re.search(rf"\b{re.escape(WRITTEN[name])}\b", row[0])]
    assert rows, "no row"
    assert max(rows, key=lambda row: spec.proves.value in row[1])[1].startswith(f"`{spec.proves}`")
    for row in rows:
        assert len(row) == 4
        assert row[2] == "nothing" or row[2].startswith("`")
    claimed = "nothing" if spec.open_proves is Depth.REACH else f"`{spec.open_proves}`"
    assert name == "reality" or any(row[2].startswith(claimed) for row in rows), claimed


def test_the_table_has_no_protocol_that_is_not_spoken() -> None:
    assert WRITTEN.keys() == load_specs().keys()
    for row in read_rows():
        assert any(written in row[0] for written in WRITTEN.values()), row
