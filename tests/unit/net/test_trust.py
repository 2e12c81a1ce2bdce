"""Which roots are trusted, and what a bad file of them does."""

import ssl
from pathlib import Path

import certifi
import pytest
import trustme

from probe.model.errors import UserError
from probe.model.settings import TLSLibrary
from probe.net.quick_tls import load_quick_tls
from probe.net.trust import Trust, Verification
from probe.protocols.engines.roots import HOSTNAME_MISMATCH
from tests.unit.net.misbehaving import root_file

NOT_YET_VALID = 9
"""X509_V_ERR_CERT_NOT_YET_VALID."""


def test_certifis_roots_are_the_default() -> None:
    trust = Trust()
    assert trust.root_store.startswith("certifi 20")
    assert trust.context(Verification.FULL).cert_store_stats()["x509"] > 50


def test_the_environments_file_wins_over_certifi_and_a_given_file_over_both(tmp_path: Path) -> None:
    two = tmp_path / "own-roots.pem"
    two.write_bytes(b"".join(trustme.CA().cert_pem.bytes() for _ in range(2)))
    environ = {"SSL_CERT_FILE": root_file()}
    assert Trust(environ=environ).root_store == "file root.pem, 1 root"
    assert Trust(ca_file=str(two), environ=environ).root_store == "file own-roots.pem, 2 roots"
    assert Trust(environ={"SSL_CERT_FILE": ""}).root_store.startswith("certifi")


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_certificates_is_the_users_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.pem"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"tls.ca_file: .*bad.pem: .*; give a readable PEM file"):
        Trust(ca_file=str(path))
    with pytest.raises(UserError, match="SSL_CERT_FILE"):
        Trust(environ={"SSL_CERT_FILE": str(path)})


@pytest.mark.parametrize("label", ["CERTIFICATE", "X509 CERTIFICATE"])
def test_certificates_under_their_older_name_are_read_by_all(tmp_path: Path, label: str) -> None:
    authority = trustme.CA()
    chain = tuple(
        ssl.PEM_cert_to_DER_cert(pem.bytes().decode()) for pem in authority.issue_cert("a.test").cert_chain_pems
    )
    path = tmp_path / "roots.pem"
    path.write_bytes(authority.cert_pem.bytes().replace(b"CERTIFICATE", label.encode()))
    trust = Trust(ca_file=str(path), quick_library=TLSLibrary.AUTO)
    assert trust.context(Verification.FULL).cert_store_stats()["x509"] == 1
    assert trust.quic_roots.judge(chain, "a.test") == (0, "")
    if trust.quick is not None:
        assert trust.quick.context(()).cert_store_stats()["x509"] == 1


def test_no_root_is_passed_over_in_silence(tmp_path: Path) -> None:
    """OpenSSL reads its own form from a file, and not from memory."""
    path = tmp_path / "bad.pem"
    plain = trustme.CA().cert_pem.bytes()
    path.write_bytes(plain + trustme.CA().cert_pem.bytes().replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"))
    with pytest.raises(UserError, match=r"bad.pem: .*TRUSTED CERTIFICATE; give a readable PEM file"):
        Trust(ca_file=str(path))


def test_a_missing_file_or_a_folder_is_the_users_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(UserError):
            Trust(ca_file=str(path))


def test_a_context_is_made_of_what_was_read_at_the_start(tmp_path: Path) -> None:
    """Whoever may open no other file by then, or replaces this one, changes nothing of a run."""
    path = tmp_path / "roots.pem"
    path.write_bytes("# Főtanúsítvány, as certifi's file has it\n".encode() + Path(root_file()).read_bytes())
    trust = Trust(ca_file=str(path))
    path.unlink()
    made = trust.context(Verification.CHAIN, ("dot",))
    assert made.cert_store_stats() == Trust(ca_file=root_file()).context(Verification.CHAIN).cert_store_stats()


@pytest.mark.parametrize("library", [TLSLibrary.OPENSSL, TLSLibrary.AUTO])
def test_so_are_the_roots_of_quic_and_of_the_quicker_library(tmp_path: Path, library: TLSLibrary) -> None:
    authority = trustme.CA()
    chain = tuple(
        ssl.PEM_cert_to_DER_cert(pem.bytes().decode()) for pem in authority.issue_cert("a.test").cert_chain_pems
    )
    path = tmp_path / "roots.pem"
    path.write_bytes(b"# two of them\n" + trustme.CA().cert_pem.bytes() + authority.cert_pem.bytes())
    trust = Trust(ca_file=str(path), quick_library=library)
    path.unlink()
    assert trust.quic_roots.judge(chain, "a.test") == (0, "")
    assert trust.quic_roots.judge(chain, "b.test")[0] == HOSTNAME_MISMATCH
    assert trust.quic_roots.judge(chain, "a.test", at_s=0.0)[0] == NOT_YET_VALID
    assert trust.quic_roots.judge(chain, "a.test") == (0, ""), "another moment is for one chain alone"
    assert Trust(ca_file=root_file()).quic_roots.judge(chain, "a.test")[0] != 0
    if trust.quick is not None:
        assert trust.quick.context(()).cert_store_stats()["x509"] == 2


def test_each_policy_has_one_context() -> None:
    trust = Trust(ca_file=root_file())
    made = {
        id(trust.context(verification, alpn))
        for _ in range(3)
        for verification in Verification
        for alpn in ((), ("http/1.1",), ("h2", "http/1.1"))
    }
    assert len(made) == 9
    assert trust.contexts_made == 9


def test_nothing_older_than_tls_1_2_is_offered_and_each_policy_verifies_as_it_says() -> None:
    trust = Trust(ca_file=certifi.where())
    full, chain, none = (trust.context(verification) for verification in Verification)
    assert {context.minimum_version for context in (full, chain, none)} == {ssl.TLSVersion.TLSv1_2}
    assert (full.check_hostname, full.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert (chain.check_hostname, chain.verify_mode) == (False, ssl.CERT_REQUIRED)
    assert (none.check_hostname, none.verify_mode) == (False, ssl.CERT_NONE)


def find_nothing(name: str) -> None:
    raise ImportError(name)


def test_a_library_that_is_asked_for_by_name_must_be_installed() -> None:
    assert load_quick_tls(TLSLibrary.AUTO, root_file(), find_nothing) is None
    with pytest.raises(UserError, match=r"wallprobe\[fast\]"):
        load_quick_tls(TLSLibrary.RUSTLS, root_file(), find_nothing)


def test_openssl_alone_is_a_choice() -> None:
    assert Trust(quick_library=TLSLibrary.OPENSSL).quick is None


def test_a_certificate_of_ours_is_shown_in_one_context_alone() -> None:
    trust, pair = Trust(), trustme.CA().issue_cert("me@example.org")
    pem = (pair.cert_chain_pems[0].bytes(), pair.private_key_pem.bytes())
    shown = trust.context_with_pair(Verification.NONE, (), pem)
    assert shown is not trust.context_with_pair(Verification.NONE, (), pem)
    assert shown is not trust.context(Verification.NONE)
    for bad in (
        (b"SECRET", pem[1]),
        (pem[0], b"SECRET"),
        (pem[0], trustme.CA().issue_cert("x").private_key_pem.bytes()),
    ):
        with pytest.raises(UserError, match="cannot be used") as caught:
            trust.context_with_pair(Verification.NONE, (), bad)
        assert "SECRET" not in str(caught.value)
