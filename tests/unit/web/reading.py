"""Reads a page as a browser would, and complains where that would have to guess."""

from html.parser import HTMLParser

from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent


class Reader(HTMLParser):
    """Collects tags and text, and complains of a tag that is not closed in order."""

    EMPTY = ("meta", "link", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """All that can be read, a space for each gap."""
        return " ".join(" ".join(self.pieces).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.tags if "id" in attributes]


async def read(connect: Connect, agent: FakeAgent, path: str = "/", status: int = 200) -> Reader:
    response = await (await connect(agent)).get(path, headers={"Accept-Encoding": "identity"})
    assert response.status == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return Reader(await response.text())
