"""What every page shows around its content, and how a page is sent."""

import asyncio

import msgspec
from aiohttp import web

from probe.export.text.words import VANTAGE_NOTICES
from probe.model.vantage import Vantage
from probe.web.agent_view import AgentView
from probe.web.answers import send
from probe.web.guards import PREFIX, TELEMETRY, own_path
from probe.web.templating import STATIC, read_static, render

_FOR_EVER = "public, max-age=31536000, immutable"


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The vantage in one line, and what must be known before anything else is read."""

    vantage: Vantage
    state: str
    words: str
    network: str
    notice: str
    now_s: float


def build_frame(view: AgentView) -> Frame:
    """Return it as of now."""
    vantage, baseline = view.vantage(), view.baseline()
    notice = VANTAGE_NOTICES.get(baseline.state, "") if baseline is not None else ""
    if not notice and not view.ready:
        notice = "The first round is not finished."
    network = [f"AS{vantage.asn}" if vantage.asn else "AS unknown"]
    if vantage.country_code != "ZZ":
        network.append(vantage.country_code)
    return Frame(
        vantage=vantage,
        state=baseline.state.value if baseline is not None else "unknown",
        words=baseline.state.value.replace("_", " ") if baseline is not None else "not yet looked at",
        network=" · ".join(network),
        notice=notice,
        now_s=view.wall_s(),
    )


async def send_page(
    request: web.Request, view: AgentView, template: str, *, code: int = 200, **values: object
) -> web.Response:
    """Render a page in a thread, and send it."""
    values |= {
        "frame": build_frame(view),
        "here": own_path(request),
        "root": request.config_dict.get(PREFIX, ""),
        "telemetry": request.config_dict.get(TELEMETRY, "/metrics"),
    }
    body = await asyncio.to_thread(render, template, **values)
    return await send(request, body, "text/html", status=code)


async def send_problem(request: web.Request, view: AgentView, words: str, code: int) -> web.Response:
    """Say on a page what is wrong."""
    return await send_page(request, view, "problem.html", code=code, words=words)


async def send_static(request: web.Request) -> web.Response:
    """Send a style sheet, a script or a picture of ours."""
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    return await send(request, read_static(name), STATIC[name], cache=_FOR_EVER if request.query else "no-cache")
