import gzip
from pathlib import Path

import pytest
from aiohttp import web

from probe.model.settings import Defaults, TargetSource
from probe.model.target import Target
from probe.targets.lists.fetch import LIMIT_BYTES, place_of
from probe.targets.lists.reader import ListReader, load_sources

GOOD = '[{"targets": ["https://a.example", "https://b.example"]}]'


class ListServer:
    """An http_sd server whose answer the test sets."""

    def __init__(self) -> None:
        self.body = GOOD.encode()
        self.status = 200
        self.headers: dict[str, str] = {"ETag": '"1"', "Content-Type": "application/json"}
        self.requests: list[web.Request] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.status == 200 and request.headers.get("If-None-Match") == self.headers.get("ETag", "none"):
            return web.Response(status=304)
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@pytest.fixture
async def server():
    lists = ListServer()
    application = web.Application()
    application.router.add_get("/targets.json", lists.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    lists.url = f"http://127.0.0.1:{port}/targets.json"
    yield lists
    await runner.cleanup()


def ids(targets: tuple[Target, ...]) -> list[str]:
    return [target.id for target in targets]


async def test_sources_are_put_together_in_their_order(tmp_path, server):
    (tmp_path / "l.txt").write_text("https://c.example\nhttps://a.example\n")
    sources = [
        TargetSource(file=str(tmp_path / "l.txt")),
        TargetSource(http_sd=server.url, group="sd"),
        TargetSource(uri="d.example", place="wallprobe.yml:4"),
    ]
    loaded = await load_sources(sources)
    assert ids(loaded.targets) == ["c.example", "a.example", "b.example", "d.example"]
    assert [target.group for target in loaded.targets] == ["", "sd", "sd", ""]
    assert loaded.targets[3].source == "wallprobe.yml:4"
    assert loaded.errors == ()
    assert len(loaded.notes) == 1


async def test_what_has_not_changed_is_asked_for_by_its_etag_and_not_parsed_again(server):
    reader = ListReader()
    source = TargetSource(http_sd=server.url, refresh_s=60.0)
    first = await reader.load([source], Defaults())
    second = await reader.load([source], Defaults())
    assert second.targets is first.targets
    assert [request.headers.get("If-None-Match") for request in server.requests] == [None, '"1"']
    assert server.requests[0].headers["X-Prometheus-Refresh-Interval-Seconds"] == "60"


async def test_new_defaults_apply_to_a_list_that_has_not_changed(server):
    reader = ListReader()
    await reader.load([TargetSource(http_sd=server.url)], Defaults())
    loaded = await reader.load([TargetSource(http_sd=server.url)], Defaults(interval_s=60.0))
    assert [target.interval_s for target in loaded.targets] == [60.0, 60.0]


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (500, b"oops", "answered 500"),
        (404, b"", "answered 404"),
        (200, b"[{", "not JSON"),
        (200, b'[{"targets": ["htps://x"]}]', "unknown scheme"),
    ],
)
async def test_a_failing_refresh_keeps_the_last_good_list(server, status, body, what):
    reader = ListReader()
    source = TargetSource(http_sd=server.url)
    await reader.load([source], Defaults())
    server.status, server.body, server.headers = status, body, {"ETag": '"2"'}
    loaded = await reader.load([source], Defaults())
    assert ids(loaded.targets) == ["a.example", "b.example"]
    assert what in str(loaded.errors[0])
    assert "so the list of before is kept" in str(loaded.errors[0])
    server.status, server.body = 200, b'[{"targets": ["https://c.example"]}]'
    server.headers = {"ETag": '"3"'}
    assert ids((await reader.load([source], Defaults())).targets) == ["c.example"]


async def test_an_emptied_list_is_empty(server):
    reader = ListReader()
    source = TargetSource(http_sd=server.url)
    await reader.load([source], Defaults())
    server.body, server.headers = b"[]", {"ETag": '"2"'}
    loaded = await reader.load([source], Defaults())
    assert (loaded.targets, loaded.errors) == ((), ())


async def test_a_server_that_is_gone_is_one_line():
    closed = "http://127.0.0.1:1/targets.json?token=s3cret"
    loaded = await load_sources([TargetSource(http_sd=closed)])
    assert loaded.targets == ()
    assert str(loaded.errors[0]).startswith("http://127.0.0.1:1/targets.json: no list came")
    assert "s3cret" not in str(loaded.errors[0])


async def test_an_endless_answer_is_cut_off(server):
    server.body = gzip.compress(b" " * (LIMIT_BYTES + 1), 1)
    server.headers = {"Content-Encoding": "gzip"}
    loaded = await load_sources([TargetSource(http_sd=server.url)])
    assert "more than 64 MiB" in str(loaded.errors[0])


async def test_files_are_read_again_when_they_change_and_kept_when_they_break(tmp_path):
    path = tmp_path / "l.yaml"
    reader = ListReader()
    source = TargetSource(file=str(path))
    assert "cannot be read: No such file" in str((await reader.load([source], Defaults())).errors[0])
    path.write_text("- https://a.example\n")
    assert ids((await reader.load([source], Defaults())).targets) == ["a.example"]
    path.write_text("- https://a.example\n- [")
    broken = await reader.load([source], Defaults())
    assert ids(broken.targets) == ["a.example"]
    assert "not YAML" in str(broken.errors[0])
    path.unlink()
    gone = await reader.load([source], Defaults())
    assert ids(gone.targets) == ["a.example"]
    path.write_text("- https://b.example\n")
    assert ids((await reader.load([source], Defaults())).targets) == ["b.example"]


async def test_a_pattern_means_all_files_it_matches(tmp_path):
    (tmp_path / "1.txt").write_text("a.example")
    (tmp_path / "2.txt").write_text("b.example")
    assert ids((await load_sources([TargetSource(file=str(tmp_path / "*.txt"))])).targets) == ["a.example", "b.example"]
    nothing = await load_sources([TargetSource(file=str(tmp_path / "*.csv"))])
    assert "no file is called" in str(nothing.errors[0])


@pytest.mark.parametrize("path", ["/", "/nonexistent/x.txt", "\0"])
async def test_what_is_no_file_is_one_line(path):
    loaded = await load_sources([TargetSource(file=path)])
    assert len(loaded.errors) == 1
    assert "\n" not in str(loaded.errors[0])


async def test_a_file_longer_than_the_limit_is_refused(tmp_path: Path):
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    assert "longer than 64 MiB" in str((await load_sources([TargetSource(file=str(path))])).errors[0])


def test_passwords_and_queries_of_a_url_are_not_shown():
    assert place_of("https://me:pw@ops.example/x?token=1") == "https://ops.example/x"
