import ssl
from pathlib import Path

import pytest
import trustme
import yaml
from cryptography.hazmat.primitives import serialization

from probe.model.errors import UserError
from probe.web.tls import build_context, has_allowed_san
from probe.web.web_config import load_web_config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return tmp_path


def load_tls(config_file: str) -> ssl.SSLContext:
    config = load_web_config(config_file).tls_server_config
    assert config is not None
    return build_context(config, Path(config_file).parent, "web.yml")


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


def test_certificate_key_and_client_authority_may_stand_in_line(folder):
    config = {
        "cert": (folder / "cert.pem").read_text(),
        "key": (folder / "key.pem").read_text(),
        "client_ca": (folder / "ca.pem").read_text(),
        "client_auth_type": "RequireAndVerifyClientCert",
    }
    context = load_tls(write(folder, yaml.safe_dump({"tls_server_config": config})))
    assert context.get_ca_certs()


def test_versions_suites_and_a_curve_are_enforced(folder):
    pair = "cert_file: cert.pem, key_file: key.pem"
    context = load_tls(write(folder, f"tls_server_config: {{{pair}, min_version: TLS13}}"))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    suites = "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]"
    context = load_tls(write(folder, f"tls_server_config: {{{pair}, {suites}, curve_preferences: [CurveP256]}}"))
    old = {suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"}
    assert old == {"ECDHE-RSA-AES128-GCM-SHA256"}
    only_new = load_tls(write(folder, f"tls_server_config: {{{pair}, cipher_suites: [TLS_AES_128_GCM_SHA256]}}"))
    assert only_new.minimum_version is ssl.TLSVersion.TLSv1_3


PAIR = "cert_file: cert.pem, key_file: key.pem"
ASKS = "client_auth_type: RequireAndVerifyClientCert"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cert_file: cert.pem", "exactly one of key and key_file"),
        (f"{PAIR}, key: x", "exactly one of key and key_file"),
        ("cert_file: no.pem, key_file: key.pem", "No such file"),
        ("cert_file: key.pem, key_file: key.pem", "a part is missing"),
        ("cert: nonsense, key_file: key.pem", "cannot be used"),
        (f"{PAIR}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", "unknown or unsafe"),
        (f"{PAIR}, min_version: SSL3", "unknown"),
        (f"{PAIR}, min_version: TLS10", "broken"),
        (f"{PAIR}, min_version: TLS13, max_version: TLS12", "above"),
        (f"{PAIR}, client_auth_type: Sometimes", "Sometimes"),
        (f"{PAIR}, client_auth_type: RequireAnyClientCert, client_ca_file: ca.pem", "verifies nothing"),
        (f"{PAIR}, {ASKS}", "without client_ca_file"),
        (f"{PAIR}, {ASKS}, client_ca_file: ca.pem, client_ca: x", "both client_ca"),
        (f"{PAIR}, {ASKS}, client_ca: nonsense", "cannot be used"),
        (f"{PAIR}, client_ca_file: ca.pem", "no client is asked"),
        (f"{PAIR}, client_allowed_sans: [a]", "no client is asked"),
        (
            f"{PAIR}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem, client_allowed_sans: [a]",
            "keeps nobody out",
        ),
        (f"{PAIR}, curve_preferences: [CurveP256, X25519]", "one curve"),
        (f"{PAIR}, curve_preferences: [CurveX]", "unknown"),
    ],
)
def test_what_we_cannot_enforce_is_an_error(folder, text, says):
    with pytest.raises(UserError, match=says) as refused:
        load_tls(write(folder, f"tls_server_config: {{{text}}}"))
    assert "\n" not in str(refused.value)


def test_an_encrypted_key_is_an_error_and_no_question_at_the_terminal(folder):
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    (folder / "locked.pem").write_bytes(locked)
    with pytest.raises(UserError, match="the key is encrypted"):
        load_tls(write(folder, "tls_server_config: {cert_file: cert.pem, key_file: locked.pem}"))


def test_a_certificate_is_admitted_by_any_of_its_names():
    certificate = {"subjectAltName": (("DNS", "prometheus.example"), ("IP Address", "192.0.2.7"), ("DirName", "x"))}
    assert has_allowed_san(certificate, ("192.0.2.7",))
    assert has_allowed_san(certificate, ("other", "prometheus.example"))
    assert not has_allowed_san(certificate, ("prometheus", "x"))
    assert not has_allowed_san({}, ("a",))
    assert not has_allowed_san(None, ("a",))


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_tls(str(tmp_path / "none.yml"))
