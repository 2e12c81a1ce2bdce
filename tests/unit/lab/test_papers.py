"""The certificates that tunnels of the lab have, and how its real servers are called."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from probe.lab.papers import make_papers
from probe.lab.scenarios import build_tunnel_scenarios
from probe.lab.scenarios.model import Server
from probe.lab.scenarios.vpn.parts import openvpn_server
from probe.lab.world.atlas import build_world


@pytest.mark.parametrize(
    ("name", "is_good", "purpose"),
    [
        ("server", True, ExtendedKeyUsageOID.SERVER_AUTH),
        ("expired", False, ExtendedKeyUsageOID.SERVER_AUTH),
        ("member", True, ExtendedKeyUsageOID.CLIENT_AUTH),
        ("former", False, ExtendedKeyUsageOID.CLIENT_AUTH),
    ],
)
def test_the_authority_has_issued_good_ones_and_some_that_are_over(name, is_good, purpose):
    papers = make_papers()
    issued = x509.load_pem_x509_certificate(papers[name])
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(papers["authority"]))
    now = datetime.datetime.now(datetime.UTC)
    assert issued.not_valid_before_utc < now
    assert (issued.not_valid_after_utc > now) is is_good
    assert list(issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]
    key = load_pem_private_key(papers[f"{name}_key"], None)
    assert key.public_key() == issued.public_key()


def test_a_server_that_a_shell_starts_has_its_own_name():
    assert openvpn_server("192.0.2.1", proto="udp").name == "openvpn"
    assert Server(program="unshare", words=("-m",), needs=("wireguard-go", "wg")).name == "wireguard-go"
    assert Server(program="trojan", words=(), needs=("openssl",)).name == "trojan"
    assert Server(program="sh", words=()).name == "sh"


def test_no_secret_of_a_file_is_left_as_a_word_in_braces():
    papers = make_papers()
    for scenario in build_tunnel_scenarios(build_world(3)).values():
        text = scenario.tunnel.file
        for name in papers:
            text = text.replace(f"{{{name}}}", "")
        assert "{" not in text, scenario.name
