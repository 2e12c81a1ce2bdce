from pathlib import Path

import pytest
import trustme

from probe.model.errors import UserError
from probe.web.tls import load_tls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return tmp_path


def write(folder: Path, text: str) -> str:
    path = folder / "web.yml"
    path.write_text(text)
    return str(path)


def test_certificate_and_key_are_found_beside_the_file(folder):
    load_tls(write(folder, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}"))


def test_client_certificates_can_be_asked_for(folder):
    text = (
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem, "
        "client_auth_type: RequireAndVerifyClientCert}"
    )
    assert load_tls(write(folder, text)).verify_mode.name == "CERT_REQUIRED"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1",
        "basic_auth_users: {a: $2y$10$x}",
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {a: $2y$10$x}",
        "tls_server_config: {cert_file: cert.pem}",
        "tls_server_config: {cert_file: no.pem, key_file: key.pem}",
        "tls_server_config: {cert_file: key.pem, key_file: key.pem}",
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, cipher_suites: [X]}",
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, min_version: SSL3}",
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: Sometimes}",
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: RequireAndVerifyClientCert}",
        "tls_server_config: 3",
    ],
)
def test_what_we_cannot_enforce_is_an_error(folder, text):
    with pytest.raises(UserError) as refused:
        load_tls(write(folder, text))
    assert "\n" not in str(refused.value).removesuffix("\n")


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_tls(str(tmp_path / "none.yml"))
