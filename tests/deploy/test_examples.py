"""The configurations that the pages for users show are ones: every key is known and every value taken."""

import re
import textwrap
from pathlib import Path

import msgspec
import pytest
import trustme
import yaml

from probe.config.reader import load_config
from probe.model.settings import Settings
from probe.web.protection import Protection

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^( *)```yaml\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_FRAGMENT = re.compile(r"`((?:web|privacy|tls|knowledge|nowhere|limits|metrics|store): ?[{\[][^`]*[}\]])`")
PAGES = ("README.md", "deploy/README.md", "targets/README.md")
HEX = "0123456789abcdef" * 4


def blocks(page: str) -> list[str]:
    return [textwrap.dedent(found[2]) for found in _BLOCK.finditer((ROOT / page).read_text())]


def load(text: str, folder: Path) -> Settings:
    """Read a configuration whose files are made up in a folder: each name leads to one that can be read."""
    text = text.replace("…", HEX)
    for name in re.findall(r"\b(?:[a-z]+_)?file: ([\w./-]+)", text):
        path = folder / Path(name).name
        if not path.exists():
            path.write_text("https://www.example.org\n" if "sites" in name else "a secret\n")
            path.chmod(0o600)
        text = text.replace(f": {name}", f": {path}")
    (folder / "wallprobe.yml").write_text(text)
    return load_config(str(folder / "wallprobe.yml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "own-roots.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("vantage.example")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "vantage.pem")
    issued.private_key_pem.write_to_path(tmp_path / "vantage.key")
    return tmp_path


def test_the_configuration_of_the_readme_is_one(folder: Path) -> None:
    (text,) = blocks("README.md")
    settings = load(text, folder)
    assert settings.vantage.id == "sh-telecom-1"
    assert len(settings.controls) == 3
    assert len(settings.references) == 2
    assert settings.peers.tokens
    with pytest.raises(Exception, match="unknown"):
        load(text.replace("profile:", "profil:"), folder)


def test_the_protection_of_the_deploy_page_is_one_and_keeps_strangers_out(folder: Path) -> None:
    (text,) = [block for block in blocks("deploy/README.md") if "tls_server_config" in block]
    path = folder / "web.yml"
    path.write_text(text)
    protection = Protection(str(path))
    try:
        assert protection.allowed_sans == ("prometheus.example",)
        assert protection.config.rate_limit.burst == 50
    finally:
        protection.close()


@pytest.mark.parametrize(
    "fragment",
    [found for page in PAGES for found in _FRAGMENT.findall((ROOT / page).read_text())],
)
def test_a_setting_that_the_text_names_is_known(fragment: str, folder: Path) -> None:
    if "web.yml" in fragment:
        (folder / "web.yml").write_text("basic_auth_users: {}\n")
    assert isinstance(yaml.safe_load(fragment.replace("…", HEX)), dict)
    assert msgspec.to_builtins(load(f"{fragment}\n", folder))
