import asyncio

import msgspec
import pytest

from probe.model.errors import UserError
from probe.model.measurement import Measurement
from probe.model.target import Exposure
from probe.model.vantage import Vantage
from probe.model.verdict import Status
from probe.targets.address import parse_address
from probe.web.probe_page import load_modules
from tests.unit.export.snapshots import NOW, make_snapshot
from tests.unit.store.samples import make_server_side
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent


def agent_of(*texts: str, **fields: object) -> FakeAgent:
    targets = [parse_address(text) for text in texts]
    return FakeAgent([make_snapshot(number, target=target, **fields) for number, target in enumerate(targets)])


async def ask(connect: Connect, agent: FakeAgent, query: str, **headers: str) -> tuple[int, str]:
    client = await connect(agent)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.get(f"/probe?{query}", headers=names)
    return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("listed", "query"),
    [
        ("https://www.example.org", "target=www.example.org"),
        ("https://www.example.org", "target=https://www.example.org/&module=http_2xx"),
        ("https://www.example.org", "target=www.example.org&module=http_2xx"),
        ("http://www.example.org", "target=http://www.example.org&module=http_2xx"),
        ("tcp://www.example.org:22", "target=www.example.org:22&module=tcp_connect"),
        ("tls://www.example.org:993", "target=www.example.org:993&module=tls_connect"),
        ("icmp://192.0.2.1", "target=192.0.2.1&module=icmp"),
        ("icmp://192.0.2.1", "target=icmp://192.0.2.1"),
    ],
)
async def test_a_target_is_found_as_a_job_names_it(connect, listed, query):
    status, page = await ask(connect, agent_of(listed), query)
    assert (status, "probe_success 1\n" in page) == (200, True), page


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("", 400, "Target parameter is missing"),
        ("target=www.example.org&module=nope", 400, 'Unknown module "nope"'),
        ("target=www.elsewhere.example", 404, "is no target of this agent"),
        ("target=https://169.254.169.254/", 404, "is no target of this agent"),
        ("target=%00%ff", 404, "is no target of this agent"),
        ("target=" + "a" * 5000, 404, "is no target of this agent"),
    ],
)
async def test_what_is_not_on_the_list_is_not_probed(connect, query, code, reason):
    agent = agent_of("https://www.example.org")
    status, text = await ask(connect, agent, query)
    assert (status, reason in text, agent.runs_now) == (code, True, 0), text


async def test_a_young_run_is_rendered_and_an_old_one_is_made_anew(connect):
    agent = agent_of("https://www.example.org")
    agent.running.set()
    agent.now_s = NOW + 60
    _, page = await ask(connect, agent, "target=www.example.org")
    assert agent.runs_now == 0
    assert "\nwallprobe_probe_age_seconds 60" in page
    agent.now_s = NOW + 301
    await ask(connect, agent, "target=www.example.org")
    assert agent.runs_now == 1
    agent.now_s = NOW + 60
    await ask(connect, agent, "target=www.example.org&fresh=true")
    assert agent.runs_now == 2
    agent.now_s = NOW + 10
    await ask(connect, agent, "target=www.example.org&fresh=true")
    assert agent.runs_now == 2, "nobody can make a target be run every second"


async def test_a_run_that_takes_longer_than_the_scrape_may_shows_the_one_before(connect):
    agent = agent_of("https://www.example.org")
    started = asyncio.get_running_loop().time()
    headers = {"X_Prometheus_Scrape_Timeout_Seconds": "1.1"}
    status, page = await ask(connect, agent, "target=www.example.org&fresh=true", **headers)
    assert (status, "probe_success 1" in page) == (200, True)
    assert 0.4 < asyncio.get_running_loop().time() - started < 5


@pytest.mark.parametrize("header", ["nan", "inf", "-5", "x", ""])
async def test_a_strange_timeout_is_no_reason_to_hang(connect, header):
    agent = agent_of("https://www.example.org")
    agent.running.set()
    headers = {"X_Prometheus_Scrape_Timeout_Seconds": header}
    status, _ = await ask(connect, agent, "target=www.example.org&fresh=true", **headers)
    assert status == 200


async def test_a_private_endpoint_and_another_sites_page_start_nothing(connect):
    agent = agent_of("https://www.example.org")
    status, _ = await ask(connect, agent, "target=www.example.org&fresh=true", Sec_Fetch_Site="cross-site")
    assert (status, agent.runs_now) == (403, 0)
    target = parse_address("tcp://192.0.2.1:443")
    private = FakeAgent([make_snapshot(target=type(target)(**{**_fields(target), "exposure": Exposure.PRIVATE}))])
    status, _ = await ask(connect, private, "target=tcp://192.0.2.1:443&fresh=true")
    assert (status, private.runs_now) == (403, 0)
    private.now_s = NOW + 86400
    status, _ = await ask(connect, private, "target=tcp://192.0.2.1:443")
    assert (status, private.runs_now) == (200, 0)


def _fields(target: object) -> dict[str, object]:
    return {name: getattr(target, name) for name in target.__struct_fields__}  # type: ignore[attr-defined]


async def test_the_first_question_about_what_failed_is_answered_whole_from_the_store(connect):
    target = parse_address("https://www.example.org")
    stored = [make_server_side(), make_server_side()]
    begun = msgspec.structs.replace(stored[0], id="BEGUN", target=target)
    later = msgspec.structs.replace(stored[1], id="LATER", target=target, continues="BEGUN", observations=())
    agent = FakeAgent([make_snapshot(0, Status.SERVER_SIDE, target=target, measurement="LATER")])
    assert "probe_http_status_code" not in (await ask(connect, agent, "target=www.example.org"))[1]
    agent.kept_whole = {"BEGUN": begun, "LATER": later}
    status, page = await ask(connect, agent, "target=www.example.org")
    assert (status, agent.runs_now) == (200, 0)
    assert "\nprobe_http_status_code 503\n" in page


async def test_debug_explains_and_shows_the_metrics(connect):
    agent = agent_of("https://www.example.org", status=Status.BLOCKED)
    _, text = await ask(connect, agent, "target=www.example.org&debug=true")
    assert "Target www.example.org: web https://www.example.org" in text
    assert "probe_success 0" in text.split("Metrics that would have been returned:")[1]
    snapshot = agent.snapshots()[0]
    assert snapshot.verdict is not None
    agent.last_runs[snapshot.target.id] = Measurement(
        id="01JBX", target=snapshot.target, vantage=Vantage(), started_at=1.0, runtime_s=1.0, observations=(),
        verdict=snapshot.verdict,
    )  # fmt: skip
    _, text = await ask(connect, agent, "target=www.example.org&debug=true")
    assert "BLOCKED" in text.split("Metrics that")[0]


async def test_modules_of_a_blackbox_file_mean_what_they_meant(connect, tmp_path):
    path = tmp_path / "blackbox.yml"
    path.write_text("modules: {ours: {prober: icmp}, mail: {prober: tcp, tcp: {tls: true}}}\n")
    modules = load_modules(str(path))
    assert {name: (module.prober, module.tls) for name, module in modules.items()} == {
        "ours": ("icmp", False),
        "mail": ("tcp", True),
    }
    for text in ("x: 1", "modules: [", "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(UserError):
            load_modules(str(path))
    with pytest.raises(UserError):
        load_modules(str(tmp_path / "none"))
