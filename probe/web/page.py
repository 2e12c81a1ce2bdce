"""The plain page at `/`: targets, their status and since when, 100 rows at a time. It needs no script.

Every value goes through `html.escape`; the content security policy forbids scripts besides.
"""

from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from urllib.parse import urlencode

from aiohttp import web

from probe.model.snapshot import TargetSnapshot
from probe.model.vantage import Baseline, Vantage, VantageState
from probe.model.verdict import Status
from probe.web.agent_view import AgentView
from probe.web.parameters import ParameterError, read_page, read_status, read_text, refuse_unknown
from probe.web.selection import Selection, select, shown_status

_ROWS = 100
_MARKS = {
    Status.OK: "✓",
    Status.DEGRADED: "◐",
    Status.BLOCKED: "✗",
    Status.LIKELY_BLOCKED: "✗",
    Status.SERVER_SIDE: "⚠",
    Status.DOWN: "⚠",
    Status.IMPAIRED: "?",
    Status.INSUFFICIENT: "·",
}
_CURRENT = ' aria-current="page"'
_VANTAGE_NOTICES = {
    VantageState.OFFLINE: "Vantage offline: nothing is judged, and what you see is what was last known.",
    VantageState.PORTAL: "A portal holds this network: nothing is judged, and what you see is what was last known.",
    VantageState.FOREIGN_CUT: "Domestic anchors answer, foreign ones do not: a cut, or a block of everything foreign.",
    VantageState.DEGRADED: "The vantage is degraded: loss, no IPv6, or a resolver that does not answer.",
}


class Page:
    """Serves `/` and its style sheet."""

    def __init__(self, view: AgentView) -> None:
        self._view = view
        self._style = files("probe.web").joinpath("page.css").read_bytes()

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [web.get("/", self.index), web.get("/page.css", self.style)]

    async def style(self, _request: web.Request) -> web.Response:
        """Send the style sheet."""
        headers = {"Cache-Control": "max-age=3600"}
        return web.Response(body=self._style, content_type="text/css", charset="utf-8", headers=headers)

    async def index(self, request: web.Request) -> web.Response:
        """Send one page of targets."""
        query = request.query
        try:
            refuse_unknown(query, ("status", "q", "page"))
            status, text, number = read_status(query), read_text(query, "q"), read_page(query)
        except ParameterError as error:
            return _document(f"<h1>Wallprobe</h1><p>{escape(str(error))}</p>", status=400)
        found = await select(self._view.snapshots(), status=status, text=text)
        pages = max(1, -(-len(found.matching) // _ROWS))
        number = min(number, pages)
        rows = found.matching[(number - 1) * _ROWS : number * _ROWS]
        body = (
            _render_header(self._view.vantage(), self._view.baseline(), ready=self._view.ready)
            + _render_filters(found, status, text)
            + _render_table(rows, len(found.matching))
            + _render_pages(number, pages, status, text)
            + '<footer>Times are UTC. <a href="/metrics">metrics</a> · <a href="/api/v1/targets">JSON</a></footer>'
        )
        return _document(body)


def _document(body: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>Wallprobe</title><link rel="stylesheet" href="/page.css"></head><body>{body}</body></html>\n'
    )
    return web.Response(body=text.encode("utf-8", "replace"), status=status, content_type="text/html", charset="utf-8")


def _render_header(vantage: Vantage, baseline: Baseline | None, *, ready: bool) -> str:
    place = f"{vantage.id}, AS{vantage.asn or ' unknown'}, {vantage.country_code}"
    state = baseline.state.value.replace("_", " ") if baseline is not None else "not yet looked at"
    notice = _VANTAGE_NOTICES.get(baseline.state, "") if baseline is not None else ""
    if not notice and not ready:
        notice = "The first round is not finished."
    shown = f'<p class="notice" role="status">{escape(notice)}</p>' if notice else ""
    return f"<header><h1>Wallprobe</h1><p>Vantage {escape(place)}: {escape(state)}</p></header>{shown}"


def _link(status: Status | None, text: str, page: int = 1) -> str:
    given = {"status": status.value if status else "", "q": text, "page": str(page) if page > 1 else ""}
    query = urlencode({name: value for name, value in given.items() if value}, errors="replace")
    return escape(f"/?{query}" if query else "/")


def _render_filters(found: Selection, status: Status | None, text: str) -> str:
    choices: list[tuple[Status | None, str, int]] = [(None, "all", sum(found.counts.values()))]
    choices += [(one, one.value.replace("_", " "), found.counts.get(one, 0)) for one in Status]
    items = "".join(
        f'<li><a href="{_link(one, text)}"{_CURRENT if one is status else ""}>{label} {count:,}</a></li>'
        for one, label, count in choices
    )
    kept = f'<input type="hidden" name="status" value="{status.value}">' if status else ""
    return (
        f'<nav aria-label="Filter by status"><ul>{items}</ul></nav><form role="search">{kept}'
        f'<input type="search" name="q" aria-label="Address contains" placeholder="address contains" '
        f'maxlength="500" value="{escape(text)}"><button>Filter</button></form>'
    )


def _render_table(rows: tuple[TargetSnapshot, ...], total: int) -> str:
    body = "".join(_render_row(snapshot) for snapshot in rows)
    if not body:
        body = '<tr><td colspan="5">No target here.</td></tr>'
    return (
        f'<div class="scroll"><table><caption>{total:,} targets</caption><thead><tr><th scope="col">Target</th>'
        '<th scope="col">Status</th><th scope="col">Since</th><th scope="col">What is seen</th>'
        f'<th scope="col">Last run</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def _render_row(snapshot: TargetSnapshot) -> str:
    target, verdict, status = snapshot.target, snapshot.verdict, shown_status(snapshot)
    words = f'<span class="{status.value}">{_MARKS[status]} {status.value.replace("_", " ")}</span>'
    if verdict is not None and status is not Status.INSUFFICIENT:
        words += f"<small>C{verdict.confidence.value}{', stale' if snapshot.stale else ''}</small>"
    seen = ""
    if verdict is not None:
        patterns = " ".join(pattern.value for pattern in verdict.patterns)
        seen = f"{escape(verdict.summary)}<small>{escape(patterns)}</small>"
    group = f"<small>{escape(target.group)}</small>" if target.group else ""
    return (
        f'<tr><th scope="row">{escape(target.address)}{group}</th><td>{words}</td><td>{_render_since(snapshot)}</td>'
        f'<td class="wide">{seen}</td><td>{_render_time(snapshot.last_run_at)}</td></tr>'
    )


def _render_since(snapshot: TargetSnapshot) -> str:
    """Show the confirmed episode's onset; a change that is not confirmed has none yet."""
    episode, status = snapshot.episode, shown_status(snapshot)
    if episode is None or status is Status.INSUFFICIENT:
        return "–"
    if _class_of(episode.status) != _class_of(status):
        return f"not confirmed<small>{episode.status.value.replace('_', ' ')} until the last run</small>"
    unobserved_min = round(episode.unobserved_s / 60)
    gap = f"<small>{unobserved_min:,} min unobserved</small>" if unobserved_min else ""
    return _render_time(episode.since.first_in) + gap


def _class_of(status: Status) -> str:
    """Return what an episode is about (VERDICTS section 5): reachable, degraded or not."""
    if status in (Status.OK, Status.DEGRADED):
        return status.value
    return "not reachable"


def _render_time(wall_s: float) -> str:
    if wall_s <= 0.0:
        return "never"
    moment = datetime.fromtimestamp(wall_s, UTC)
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment:%Y-%m-%d %H:%M}</time>'


def _render_pages(number: int, pages: int, status: Status | None, text: str) -> str:
    if pages == 1:
        return ""
    before = f'<li><a rel="prev" href="{_link(status, text, number - 1)}">previous</a></li>' if number > 1 else ""
    after = f'<li><a rel="next" href="{_link(status, text, number + 1)}">next</a></li>' if number < pages else ""
    return f'<nav aria-label="Pages"><ul>{before}<li>page {number:,} of {pages:,}</li>{after}</ul></nav>'
