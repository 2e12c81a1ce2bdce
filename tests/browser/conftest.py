"""One chromium and one server for all: a page of its own for each test, which must ask nobody else for anything."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.serving import Seeded, Serving

TARGETS = 10_000
HOURS = 26
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip

Open = Callable[..., Page]
PATIENCE_MS = 30_000
"""With a machine that does other things as well; what has a limit of its own is timed where it is tested."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serving(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    agent = Seeded(tmp_path_factory.mktemp("pages") / "wallprobe.db", TARGETS, HOURS)
    with Serving(agent) as serving:
        yield serving
    agent.store.close()


@pytest.fixture
def open_page(browser: Browser, serving: Serving) -> Iterator[Open]:
    """Open a path in a context of its own; at the end: no other host was asked, and the console has no complaint."""
    asked: list[str] = []
    complaints: list[str] = []
    contexts = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def start(path: str = "/", *, url: str = "", width: int = 1280, height: int = 900, **context: object) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: asked.append(_host(request)))
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((url or serving.url) + path)
        return page

    yield start
    for context in contexts:
        context.close()
    assert set(asked) <= {"127.0.0.1"}
    assert [one for one in complaints if "ERR_FAILED" not in one] == []


def _host(request: Request) -> str:
    parts = urlsplit(request.url)
    return parts.hostname or parts.scheme


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")
