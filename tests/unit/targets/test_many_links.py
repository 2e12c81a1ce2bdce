"""Lists of thousands of links with secrets: whether each stands where it is referred to is looked up in one reading."""

import sys

import pytest

from probe.model.settings import TargetSource
from probe.targets.lists.reader import load_sources
from probe.targets.secret_reading import read_secrets

PLANTED = "PLANTEDSECRET"


OPENED: list[str] = []
sys.addaudithook(lambda event, details: OPENED.append(str(details[0])) if event == "open" else None)


@pytest.mark.parametrize("name", ["links.txt", "links.yaml", "links.csv", "sd.yaml"])
async def test_a_list_of_thousands_of_links_with_secrets_is_read_a_few_times_and_not_once_for_each(tmp_path, name):
    links = [f"trojan://{PLANTED}{number}@192.0.2.1:{1024 + number}" for number in range(5000)]
    heads = {"links.txt": "", "links.yaml": "- ", "links.csv": "", "sd.yaml": "  - "}
    top = {"links.csv": "url\n", "sd.yaml": "- targets:\n"}.get(name, "")
    path = tmp_path / name
    path.write_text(top + "".join(f"{heads[name]}{link}\n" for link in links))
    OPENED.clear()
    loaded = await load_sources((TargetSource(file=str(path)),))
    assert not loaded.errors
    assert len(loaded.targets) == 5000
    assert OPENED.count(str(path)) <= 3
    assert read_secrets(loaded.targets[-1])["password"].startswith(PLANTED.encode())


async def test_a_configuration_with_many_links_is_read_once_for_them_all(tmp_path):
    path = tmp_path / "wallprobe.yml"
    path.write_text("targets:\n" + "".join(f"  - trojan://{PLANTED}@192.0.2.{n}:443\n" for n in range(100)))
    sources = tuple(
        TargetSource(uri=f"trojan://{PLANTED}@192.0.2.{n}:443", place=f"{path}:{n + 2}") for n in range(100)
    )
    OPENED.clear()
    loaded = await load_sources(sources)
    assert not loaded.errors
    assert OPENED.count(str(path)) == 1
