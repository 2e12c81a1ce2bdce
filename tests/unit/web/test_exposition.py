import gzip
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from probe.export.metrics.families import FAMILIES, Format
from probe.model.settings import PerTarget
from probe.model.target import CheckName
from probe.model.verdict import Status
from probe.web.exposition import accepts_gzip, choose_format, slice_page
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.stats import FULL_STATS

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "identity"}
TEXT = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"}
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def agent() -> FakeAgent:
    made = FakeAgent([make_snapshot(number, status) for number, status in enumerate(Status)])
    made.stats_now = FULL_STATS
    return made


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (PROMETHEUS_2, Format.OPENMETRICS),
        (PROMETHEUS_3, Format.OPENMETRICS),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ('Application/OpenMetrics-Text; Version="1.0.0"', Format.OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", Format.TEXT),
        (
            "application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.1",
            Format.OPENMETRICS,
        ),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.9", Format.TEXT),
        ("application/openmetrics-text;q=nan", Format.TEXT),
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("application/json", Format.TEXT),
    ],
)
def test_the_format_is_openmetrics_only_if_the_scraper_prefers_a_version_we_speak(accept, wanted):
    assert choose_format(accept) is wanted


@pytest.mark.parametrize(
    ("header", "zipped"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("gzip;q=0, *", False),
        ("", False),
    ],
)
def test_gzip_is_sent_only_if_it_is_accepted(header, zipped):
    assert accepts_gzip(header) is zipped


@given(st.text())
def test_any_accept_header_chooses_something(header):
    assert choose_format(header) in Format
    assert accepts_gzip(header) in (True, False)


async def test_the_text_page_is_read_by_its_parser_and_has_every_family_once(connect: Connect):
    response = await (await connect(agent())).get("/metrics", headers=TEXT)
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = [family.name for family in read_text(await response.text())]
    assert len(names) == len(set(names))
    assert {family.name.removesuffix("_total") for family in FAMILIES.values()} <= set(names)


async def test_the_openmetrics_page_is_read_by_its_parser_and_ends_as_it_must(connect: Connect):
    response = await (await connect(agent())).get("/metrics", headers=OPENMETRICS)
    assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = await response.text()
    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1
    assert len(list(read_openmetrics(text))) > len(FAMILIES)


async def test_the_gzip_page_is_the_same_page(connect: Connect):
    client = await connect(agent())
    response = await client.get("/metrics", headers=OPENMETRICS | {"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    unzipped = gzip.decompress(await response.read()).decode()
    assert 'wallprobe_target_status{target="web-www-site-00000-example",group="sites",status="ok"} 1\n' in unzipped
    assert unzipped.endswith("# EOF\n")


@pytest.mark.parametrize("headers", [TEXT, OPENMETRICS])
async def test_the_gzip_page_follows_every_change(connect: Connect, headers):
    here = agent()
    client = await connect(here)
    for status in (Status.OK, Status.BLOCKED, Status.BLOCKED, Status.DOWN):
        here.show(2, make_snapshot(2, status, runs_total=9000))
        packed = await client.get("/metrics", headers=headers | {"Accept-Encoding": "gzip"})
        plain = await client.get("/metrics", headers=headers)
        unzipped = gzip.decompress(await packed.read()).decode()
        # Our own figures move on between two requests; what is said of targets does not.
        assert [line for line in unzipped.splitlines() if "target=" in line] == [
            line for line in (await plain.text()).splitlines() if "target=" in line
        ]


async def test_both_pages_hold_the_same_samples(connect: Connect):
    client = await connect(agent())
    pages = [await (await client.get("/metrics", headers=headers)).text() for headers in (TEXT, OPENMETRICS)]
    found = [
        {
            (sample.name, *sorted(sample.labels.items()))
            for family in read(page)
            for sample in family.samples
            if sample.name.startswith("wallprobe_")
        }
        for read, page in zip((read_text, read_openmetrics), pages, strict=True)
    ]
    assert found[0] == found[1]
    assert len(found[0]) > 300


async def test_no_series_tells_when_it_was_created(connect: Connect):
    client = await connect(agent())
    for headers in (TEXT, OPENMETRICS):
        assert "_created" not in await (await client.get("/metrics", headers=headers)).text()


async def test_a_target_that_leaves_the_list_leaves_the_page(connect: Connect):
    here = agent()
    client = await connect(here)
    here.put([make_snapshot(1)])
    text = await (await client.get("/metrics", headers=TEXT)).text()
    assert "site-00001" in text
    assert "site-00002" not in text


async def test_an_agent_without_targets_has_a_valid_page(connect: Connect):
    client = await connect(FakeAgent())
    list(read_openmetrics(await (await client.get("/metrics", headers=OPENMETRICS)).text()))
    list(read_text(await (await client.get("/metrics", headers=TEXT)).text()))


async def test_level_none_keeps_the_agents_own_metrics(connect: Connect):
    client = await connect(FakeAgent([make_snapshot()], PerTarget.NONE))
    text = await (await client.get("/metrics", headers=TEXT)).text()
    assert "wallprobe_build_info{" in text
    assert "site-00000" not in text


async def test_head_tells_the_format_and_sends_nothing(connect: Connect):
    response = await (await connect(agent())).head("/metrics", headers=OPENMETRICS)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert await response.read() == b""


async def test_hostile_names_stay_in_their_labels(connect: Connect):
    hostile = 'x"} 1\n# EOF\nup{a="\\'
    snapshot = make_snapshot()
    target = type(snapshot.target)(
        id=hostile, check=CheckName.WEB, address="https://x/", host="x", port=443, group=hostile, labels={"a": hostile}
    )
    client = await connect(FakeAgent([make_snapshot(target=target)]))
    for headers, read in ((TEXT, read_text), (OPENMETRICS, read_openmetrics)):
        families = {
            family.name: family for family in read(await (await client.get("/metrics", headers=headers)).text())
        }
        assert families["wallprobe_target_reachable"].samples[0].labels == {"target": hostile, "group": hostile}
        assert "up" not in families


def test_slices_are_the_page_and_none_is_large():
    here = FakeAgent([make_snapshot(number) for number in range(500)])
    slices = list(slice_page(b"# own\n", here.chunks(), Format.TEXT))
    assert max(map(len, slices)) < 200_000
    assert len(slices) > 10
    assert b"".join(slices).count(b'reachable{target="') == 500


def test_families_without_samples_leave_turns_to_others_too():
    here = FakeAgent([make_snapshot(number) for number in range(8192)], PerTarget.NONE)
    assert len(list(slice_page(b"", here.chunks(), Format.TEXT))) > 100


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_finds_nothing_to_lint(connect: Connect):
    text = await (await (await connect(agent())).get("/metrics", headers=TEXT)).text()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - nothing else runs here
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
