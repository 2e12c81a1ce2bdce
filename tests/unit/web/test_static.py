import gzip
import re

import pytest

from probe.web.templating import STATIC, link_static, read_static
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent


@pytest.mark.parametrize(("name", "kind"), STATIC.items())
async def test_each_file_is_served_for_ever_under_its_own_address(connect: Connect, name: str, kind: str):
    response = await (await connect(FakeAgent())).get(link_static(name))
    assert response.status == 200
    assert response.headers["Content-Type"].startswith(kind)
    assert "immutable" in response.headers["Cache-Control"]
    assert "immutable" not in (await (await connect(FakeAgent())).get(f"/static/{name}")).headers["Cache-Control"]


@pytest.mark.parametrize("name", ["", "app.py", "..%2fapi.py", "%2e%2e/api.py", "app.css/"])
async def test_nothing_else_is(connect: Connect, name: str):
    assert (await (await connect(FakeAgent())).get(f"/static/{name}")).status == 404


@pytest.mark.parametrize("name", STATIC)
def test_no_file_points_to_another_host(name: str):
    text = read_static(name).decode()
    assert set(re.findall(r"(?:https?:)?//[a-z0-9.]+", text)) <= {"http://www.w3.org"}
    assert "@import" not in text
    assert "url(" not in text


def test_the_style_knows_the_dark_and_every_variable_that_it_uses():
    style = read_static("app.css").decode()
    assert "prefers-color-scheme: dark" in style
    defined = set(re.findall(r"(--[a-z0-9_-]+):", style))
    assert set(re.findall(r"var\((--[a-z0-9_-]+)", style)) <= defined


async def test_who_has_a_page_already_is_told_so(connect: Connect):
    client = await connect(FakeAgent([make_snapshot()]))
    first = await client.get("/api/v1/targets")
    tag = first.headers["ETag"]
    again = await client.get("/api/v1/targets", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    changed = await client.get("/api/v1/targets", headers={"If-None-Match": '"other"'})
    assert changed.status == 200


async def test_a_long_answer_comes_as_gzip_to_who_takes_it(connect: Connect):
    client = await connect(FakeAgent([make_snapshot(number) for number in range(300)]))
    plain = await (await client.get("/api/v1/targets", headers={"Accept-Encoding": "identity"})).read()
    packed = await client.get("/api/v1/targets", headers={"Accept-Encoding": "gzip"})
    body = await packed.read()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(body) == plain
    assert len(body) * 4 < len(plain)
