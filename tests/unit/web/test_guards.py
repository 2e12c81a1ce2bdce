import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.web.guards import is_rebound, parse_host
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent


@pytest.mark.parametrize(
    "header",
    ["127.0.0.1:9785", "localhost", "LOCALHOST:9785", "localhost.", "[::1]:9785", "127.1.2.3", "a.localhost", ""],
)
def test_this_machine_is_served_on_loopback(header):
    assert not is_rebound(header, "127.0.0.1")


@pytest.mark.parametrize(
    "header",
    [
        "evil.example",
        "127.0.0.1.evil.example:9785",
        "localhost.evil.example",
        "192.0.2.1",
        "[::2]",
        "[",
        "a@127.0.0.1@b",
        ":9",
    ],
)
def test_another_name_is_not_served_on_loopback(header):
    assert is_rebound(header, "127.0.0.1")
    assert is_rebound(header, "::1")


def test_any_name_is_served_where_others_may_connect():
    assert not is_rebound("wallprobe.example", "192.0.2.1")


@given(st.text())
def test_any_header_has_a_host_or_none(header):
    assert isinstance(parse_host(header), str)


async def test_a_rebound_name_gets_nothing(connect: Connect):
    client = await connect(FakeAgent([make_snapshot()]))
    for path in ("/", "/metrics", "/api/v1/targets", "/-/healthy"):
        response = await client.get(path, headers={"Host": "evil.example"})
        assert response.status == 421
        assert "site-00000" not in await response.text()


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_another_sites_page_cannot_reload(connect: Connect, headers: dict[str, str]):
    agent = FakeAgent()
    response = await (await connect(agent)).post("/-/reload", headers=headers)
    assert (response.status, agent.reloads) == (403, 0)


async def test_our_own_page_can_reload(connect: Connect):
    agent = FakeAgent()
    response = await (await connect(agent)).post("/-/reload", headers={"Sec-Fetch-Site": "same-origin"})
    assert (response.status, agent.reloads) == (200, 1)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_reload_is_asked_for_by_post_or_put(connect: Connect, method: str):
    agent = FakeAgent()
    response = await (await connect(agent)).request(method, "/-/reload")
    assert (response.status, await response.text(), agent.reloads) == (200, "reloaded\n", 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_reload_by_another_method_is_405(connect: Connect, method: str):
    agent = FakeAgent()
    response = await (await connect(agent)).request(method, "/-/reload")
    assert (response.status, response.headers["Allow"], agent.reloads) == (405, "POST, PUT", 0)


async def test_a_wrong_configuration_is_500_with_the_reason(connect: Connect):
    agent = FakeAgent()
    agent.reload_error = UserError("wallprobe.yml:3", "unknown key 'intervall'", "did you mean interval?")
    response = await (await connect(agent)).post("/-/reload")
    assert response.status == 500
    assert "wallprobe.yml:3: unknown key 'intervall'" in await response.text()


async def test_ready_is_503_until_the_first_round_is_finished(connect: Connect):
    agent = FakeAgent()
    agent.ready = False
    client = await connect(agent)
    assert (await client.get("/-/ready")).status == 503
    assert (await client.get("/-/healthy")).status == 200
    agent.ready = True
    assert (await client.get("/-/ready")).status == 200


PAGES = ("/", "/events", "/vantage", "/patterns", "/api/v1/targets", "/static/app.css")


@pytest.mark.parametrize("path", [*PAGES, "/metrics", "/-/healthy", "/nothing", "/targets/none", "/static/none"])
async def test_every_answer_carries_the_security_headers(connect: Connect, path: str):
    headers = (await (await connect(FakeAgent())).get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "wallprobe"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "http" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"].startswith("no-cache" if path in PAGES else "no-store")


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/api/v1/targets", "/static/app.css", "/events"])
async def test_head_is_get_without_the_body(connect: Connect, path: str):
    response = await (await connect(FakeAgent())).head(path)
    assert (response.status, await response.read()) == (200, b"")


async def test_an_unknown_path_is_404_in_one_line(connect: Connect):
    response = await (await connect(FakeAgent())).get("/<script>")
    assert (response.status, await response.text()) == (404, "nothing here\n")
    assert response.headers["Content-Type"].startswith("text/plain")
