"""Client's files and links of tunnels: endpoints, what is public, and that secrets stay where they are."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.model.target import CheckName, Exposure, GroupMode
from probe.net.context import SecretMissing
from probe.protocols.openvpn.config import parse_config
from probe.targets import parse_address
from probe.targets.secret_reading import read_secrets
from probe.targets.tunnels import load_tunnels

PLANTED = "PLANTEDSECRET"
FILE = f"""client
remote vpn.example.org 1194 udp
remote vpn.example.org 443 tcp
<connection>
remote 192.0.2.7 1195
proto tcp-client
</connection>
auth SHA256
key-direction 1
auth-user-pass up.txt
ca ca.crt
<tls-auth>
{PLANTED}
</tls-auth>
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "office.ovpn"
    path.write_text(FILE)
    (tmp_path / "ca.crt").write_text("roots")
    return path


def test_every_remote_of_a_file_is_a_target_of_one_group(path):
    targets = load_tunnels(str(path)).targets
    assert [(t.host, t.port, t.params["proto"]) for t in targets] == [
        ("vpn.example.org", 1194, "udp"),
        ("vpn.example.org", 443, "tcp"),
        ("192.0.2.7", 1195, "tcp"),
    ]
    assert {t.group for t in targets} == {"office.ovpn"}
    assert {(t.check, t.group_mode, t.exposure) for t in targets} == {(CheckName.VPN, GroupMode.ANY, Exposure.PRIVATE)}
    assert len({t.id for t in targets}) == 3


def test_targets_hold_references_and_no_secret(path):
    targets = load_tunnels(str(path)).targets
    assert PLANTED.encode() not in msgspec.json.encode(targets)
    assert PLANTED not in repr(targets)
    secrets = read_secrets(targets[1])
    assert PLANTED.encode() in secrets["key"]
    assert secrets["ca"] == b"roots"
    assert "login" not in secrets, "a password is not read unasked"


def test_a_secret_that_is_gone_names_its_place_alone(path):
    target = load_tunnels(str(path)).targets[0]
    path.write_text("client\n")
    with pytest.raises(SecretMissing) as caught:
        read_secrets(target)
    assert "office.ovpn" in str(caught.value)
    assert PLANTED not in str(caught.value)


def test_a_file_without_remote_says_what_is_missing(tmp_path):
    path = tmp_path / "broken.ovpn"
    path.write_text(f"client\n<tls-crypt>\n{PLANTED}\n</tls-crypt>\n")
    with pytest.raises(UserError, match="no `remote` line") as caught:
        load_tunnels(str(path))
    assert PLANTED not in str(caught.value)


def test_a_link_without_secrets_is_a_target():
    target = parse_address("openvpn://vpn.example.org:443?proto=tcp")
    assert (target.check, target.port, target.params) == (CheckName.VPN, 443, {"proto": "tcp", "protocol": "openvpn"})
    assert target.address == "openvpn://vpn.example.org:443?proto=tcp"
    assert target.exposure is Exposure.SHARED


def test_a_link_with_a_secret_is_refused_without_quoting_it():
    with pytest.raises(UserError) as caught:
        parse_address(f"socks5://user:{PLANTED}@proxy.example.org:1080")
    assert PLANTED not in str(caught.value)


@given(st.text(max_size=400))
def test_any_text_is_a_file_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert parse_config(text)


@given(st.lists(st.sampled_from(FILE.splitlines()), max_size=20))
def test_any_lines_of_a_file_are_a_file_or_an_error_without_secrets(lines):
    said = ""
    try:
        assert parse_config("\n".join(lines))
    except ValueError as error:
        said = str(error)
    assert PLANTED not in said


def test_whose_session_a_handshake_would_take_over_is_told_once(tmp_path):
    path = tmp_path / "wg0.conf"
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    peer = f"[Peer]\nPublicKey = {key}\nEndpoint = "
    path.write_text(f"[Interface]\nPrivateKey = {key}\n{peer}192.0.2.1:51820\n{peer}192.0.2.2:51820\n")
    tunnels = load_tunnels(str(path))
    assert [target.host for target in tunnels.targets] == ["192.0.2.1", "192.0.2.2"]
    assert len(tunnels.notes) == 1
    assert "a key of its own" in tunnels.notes[0]


def test_a_link_may_name_the_files_of_its_certificate(tmp_path):
    (tmp_path / "me.pem").write_text(PLANTED)
    link = f"anyconnect://vpn.example?cert={tmp_path}/me.pem"
    target = parse_address(link)
    assert read_secrets(target) == {"cert": PLANTED.encode()}
    assert str(tmp_path) not in target.address
    assert target.exposure is Exposure.PRIVATE
    with pytest.raises(UserError, match="the list came by URL"):
        parse_address(link, source="https://lists.example/targets.yaml:3")
    listed = tmp_path / "links.txt"
    listed.write_text("anyconnect://vpn.example?cert=me.pem\n")
    assert read_secrets(load_tunnels(str(listed)).targets[0]) == {"cert": PLANTED.encode()}
