"""An agent behind TLS, client certificates and users, as `wallprobe top` comes to it."""

from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
import trustme
from click.testing import CliRunner, Result

from probe.cli import main
from probe.cli.contact import Visitor, guess_url, reach, read_password
from probe.model.errors import UserError
from probe.model.settings import Settings, WebSettings
from tests.browser.serving import Serving
from tests.unit.cli.test_top import make_agent

PASSWORD = "a long word"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("protected")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, issued in (
        ("agent", authority.issue_cert("vantage.example")),
        ("local", authority.issue_cert("127.0.0.1")),
        ("ops", authority.issue_cert("ops.example")),
    ):
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
    (folder / "password").write_text(f"{PASSWORD}\n")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users, pair = f"basic_auth_users: {{ops: '{hashed}'}}\n", "cert_file: {0}.pem, key_file: {0}.key"
    asks = "client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert"
    (folder / "users.yml").write_text(users)
    (folder / "tls.yml").write_text(f"tls_server_config: {{{pair.format('agent')}}}\n{users}")
    (folder / "local.yml").write_text(f"tls_server_config: {{{pair.format('local')}}}\n")
    (folder / "mutual.yml").write_text(f"tls_server_config: {{{pair.format('agent')}, {asks}}}\n")
    return folder


@pytest.fixture(scope="module")
def ports(folder: Path) -> Iterator[dict[str, str]]:
    """One agent for each way of protection; gives the `host:port` of each."""
    agents = {
        name: Serving(make_agent(), WebSettings(listen=("127.0.0.1:0",), config_file=str(folder / f"{name}.yml")))
        for name in ("users", "tls", "local", "mutual")
    }
    for agent in agents.values():
        agent.__enter__()
    yield {name: agent.url.partition("://")[2] for name, agent in agents.items()}
    for agent in agents.values():
        agent.__exit__()


def top(*words: object, **environ: str) -> Result:
    clean: dict[str, str | None] = {"WALLPROBE_PASSWORD": None, "WALLPROBE_USER": None}
    return CliRunner(env=clean | environ).invoke(main, ["top", *(str(word) for word in words)])


def own(folder: Path, ports: dict[str, str], name: str) -> Path:
    """Write the configuration of the agent that runs at a port."""
    path = folder / f"{name}-own.yml"
    config = folder / f"{name}.yml"
    path.write_text(f"web: {{listen: '{ports[name]}', config_file: {config}}}\nstore: {{path: {folder}/none.db}}\n")
    return path


def test_an_agent_with_tls_and_users_is_seen_by_its_authority_name_and_password(folder, ports):
    common = ("--url", f"https://{ports['tls']}", "--ca-file", folder / "ca.pem", "--server-name", "vantage.example")
    for found in (
        top(*common, "--user", "ops", "--password-file", folder / "password"),
        top(*common, "--user", "ops", WALLPROBE_PASSWORD=PASSWORD),
        top(*common, WALLPROBE_USER="ops", WALLPROBE_PASSWORD=PASSWORD),
        top(*common, "--user", "ops", "--password-file", "env:OTHER", OTHER=PASSWORD),
    ):
        assert found.exit_code == 0, found.exception
        assert "5 targets: 1 blocked, 4 ok" in found.output
        assert PASSWORD not in found.output


def test_the_agent_of_this_machine_is_known_by_the_certificate_in_its_own_file(folder, ports):
    user = ("--user", "ops", "--password-file", folder / "password")
    assert top("--config.file", own(folder, ports, "tls"), *user).exit_code == 0
    assert top("--config.file", own(folder, ports, "users"), *user).exit_code == 0
    assert top("--config.file", own(folder, ports, "local")).exit_code == 0
    url = ("--url", f"https://{ports['tls']}", "--web.config.file", folder / "tls.yml")
    assert top(*url, *user).exit_code == 0


def test_another_certificate_of_the_same_authority_is_not_the_agents_own(folder, ports):
    found = top("--url", f"https://{ports['local']}", "--web.config.file", folder / "tls.yml")
    assert "certificate is not accepted" in str(found.exception)


def test_a_client_certificate_is_shown_where_one_is_asked_for(folder, ports):
    common = ("--config.file", own(folder, ports, "mutual"))
    pair = ("--cert-file", folder / "ops.pem", "--key-file", folder / "ops.key")
    assert top(*common, *pair).exit_code == 0
    refused = top(*common)
    assert "it asks for a client's certificate; give --cert-file and --key-file" in str(refused.exception)


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("tls", (), "certificate is not accepted"),
        ("tls", ("--ca-file", "{folder}/ca.pem"), "certificate is not accepted: IP address mismatch"),
        ("local", ("--ca-file", "{folder}/ops.key"), "--ca-file"),
        ("local", ("--cert-file", "{folder}/none.pem"), "No such file"),
        ("local", ("--cert-file", "{folder}/ops.pem"), "a part is missing"),
        ("local", ("--cert-file", "{folder}/ops.pem", "--key-file", "{folder}/agent.key"), "another certificate"),
        ("local", ("--key-file", "{folder}/ops.key"), "there is no --cert-file"),
        ("local", ("--user", "ops"), "no password in $WALLPROBE_PASSWORD"),
        ("local", ("--password-file", "{folder}/password"), "give --user too"),
        ("local", ("--user", "ops", "--password-file", "{folder}/none"), "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(folder, ports, name, words, says):
    found = top("--url", f"https://{ports[name]}", *(word.format(folder=folder) for word in words))
    assert isinstance(found.exception, UserError)
    assert says in str(found.exception)
    assert PASSWORD not in str(found.exception)


def test_without_a_password_or_with_a_wrong_one_nobody_gets_in_and_is_told_so(folder, ports):
    common = ("--url", f"http://{ports['users']}")
    assert "asks for a user; give --user" in str(top(*common).exception)
    wrong = top(*common, "--user", "ops", WALLPROBE_PASSWORD="wrong word")
    assert "does not let ops in" in str(wrong.exception)
    assert "wrong word" not in str(wrong.exception)


@pytest.mark.parametrize(
    "url", ["ftp://x", "vantage.example:9785", "https://", "https://x/?a=b", "https://[::1", "https://x:port", ""]
)
def test_what_is_no_address_of_an_agent_is_refused(url):
    with pytest.raises(UserError, match="no address of an agent"):
        reach(url, Visitor())


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(UserError) as caught:
        reach(f"https://ops:{PASSWORD.replace(' ', '')}@vantage.example", Visitor())
    assert PASSWORD.replace(" ", "") not in str(caught.value)


def test_a_password_goes_in_the_clear_to_this_machine_alone(monkeypatch):
    monkeypatch.setenv("WALLPROBE_PASSWORD", PASSWORD)
    with pytest.raises(UserError, match="in the clear"):
        reach("http://vantage.example:9785", Visitor(user="ops"))
    assert reach("http://localhost:9785", Visitor(user="ops")).password == PASSWORD
    assert reach("http://[::1]:9785/", Visitor(user="ops")).url == "http://[::1]:9785"


@pytest.mark.parametrize("content", [b"", b"\nlater", b"\xff\xfe"])
def test_a_file_without_a_password_in_its_first_line_is_none(tmp_path, content):
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(UserError, match="no password in its first line"):
        read_password(Visitor(user="ops", password_file=str(path)))


@pytest.mark.parametrize(
    ("listen", "secure", "prefix", "url"),
    [
        ("127.0.0.1:9785", False, "", "http://127.0.0.1:9785"),
        (":9785", True, "", "https://127.0.0.1:9785"),
        ("0.0.0.0:9785", False, "", "http://127.0.0.1:9785"),
        ("[::]:80", False, "/wall", "http://[::1]:80/wall"),
        ("[::1]:80", False, "", "http://[::1]:80"),
    ],
)
def test_the_agent_of_a_configuration_is_found(listen: str, secure: bool, prefix: str, url: str):
    web = WebSettings(listen=(listen,), route_prefix=prefix)
    assert guess_url(Settings(web=web), secure=secure) == url
