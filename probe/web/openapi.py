"""The API described for programs: OpenAPI 3.1, made from the values that are sent.

Source: OpenAPI Specification 3.1.0; its schemas are JSON Schema 2020-12, which msgspec writes.
"""

from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from probe import __version__
from probe.export.text.words import name_status
from probe.model.episode import Event
from probe.model.measurement import Measurement
from probe.model.verdict import Status
from probe.store.values import Run
from probe.web.answers import send
from probe.web.api import TargetRow
from probe.web.api_heat import HeatAnswer, VantageAnswer
from probe.web.heat import Span
from probe.web.parameters import LIMIT_ROWS

PATH = "/api/v1/openapi.json"


class TargetsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Targets in the list's order."""

    targets: tuple[TargetRow, ...]
    total: int
    next_offset: int | None


class MeasurementsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first; an unbroken hour of ok runs is one."""

    measurements: tuple[Run, ...]


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first."""

    events: tuple[Event, ...]


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the request, in one line."""

    error: str


def _text(name: str, words: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": words, "schema": {"type": "string", "maxLength": 500}}


def _number(name: str, words: str, low: int, high: int, default: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": low, "maximum": high, "default": default}
    return {"name": name, "in": "query", "description": words, "schema": schema}


def _choice(name: str, words: str, choices: list[str]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": words, "schema": {"type": "string", "enum": choices}}


_UNREADABLE = {"text/plain": {"schema": {"type": "string"}}}
"""Of a request that is no HTTP, or longer than we read, no path is known, so its answer is a line of text."""

_FILTER = [
    _choice("status", "Only targets that are so.", [status.value for status in Status]),
    _text("group", "Only of this group."),
    _text("category", "Only of this category."),
    _text("pattern", "Only with this pattern, or one below it, such as tls.reset."),
    _text("q", "Only whose address, id or group contains this."),
]
_SINCE = _text("since", "From then on: seconds since the epoch, or an ISO 8601 time.")
_OFFSET = _number("offset", "How many to leave out.", 0, 10_000_000, 0)
_TARGET = _text("target", "The id of a target; empty = all.")

ENDPOINTS: dict[str, tuple[str, type, list[dict[str, Any]]]] = {
    "/api/v1/targets": (
        "List targets with what was last said of them.",
        TargetsAnswer,
        [*_FILTER, _OFFSET, _number("limit", "How many at most.", 1, LIMIT_ROWS, LIMIT_ROWS)],
    ),
    "/api/v1/measurements": (
        "List the runs of a target, or without one the last run of each.",
        MeasurementsAnswer,
        [_TARGET, _SINCE, _number("limit", "How many at most.", 1, LIMIT_ROWS, 100)],
    ),
    "/api/v1/measurements/{id}": (
        "Show one measurement that is kept whole; bytes are base64.",
        Measurement,
        [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
    ),
    "/api/v1/events": (
        "List what changed.",
        EventsAnswer,
        [_TARGET, _SINCE, _number("limit", "How many at most.", 1, LIMIT_ROWS, 100)],
    ),
    "/api/v1/heatmap": (
        "Show targets over time, run-length coded: see the field descriptions.",
        HeatAnswer,
        [
            *_FILTER,
            _choice("span", "How far back; day without it.", [span.value for span in Span]),
            _OFFSET,
            _number("limit", "How many at most.", 1, 10_000, 1000),
        ],
    ),
    "/api/v1/vantage": ("Show where we stand, and how many targets are how.", VantageAnswer, []),
}
"""Path → what it does, what it answers, what it may be asked."""


@cache
def build_openapi() -> dict[str, Any]:
    """Return the document."""
    answers = [answer for _, answer, _ in ENDPOINTS.values()]
    schemas, components = msgspec.json.schema_components(
        [*answers, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Any] = {}
    for (path, (summary, _, parameters)), schema in zip(ENDPOINTS.items(), schemas, strict=False):
        failures = {"400": "A parameter is wrong."} | ({"404": "It is not kept."} if "{" in path else {})
        paths[path] = {
            "get": {
                "summary": summary,
                "operationId": path.removeprefix("/api/v1/").replace("/{id}", "_by_id"),
                "parameters": parameters,
                "responses": {
                    "200": {"description": "As asked.", "content": {"application/json": {"schema": schema}}},
                    "304": {"description": "Nothing changed since the tag in If-None-Match."},
                    **{
                        code: {
                            "description": words,
                            "content": {"application/json": {"schema": schemas[-1]}}
                            | (_UNREADABLE if code == "400" else {}),
                        }
                        for code, words in failures.items()
                    },
                },
            }
        }
    statuses = ", ".join(name_status(status) for status in Status)
    about = f"What one vantage knows of its targets. Times are seconds since the epoch. Statuses: {statuses}."
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wallprobe",
            "version": __version__,
            "description": about,
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }


async def send_openapi(request: web.Request) -> web.Response:
    """Send the document."""
    return await send(request, _encode(), "application/json")


@cache
def _encode() -> bytes:
    return msgspec.json.format(msgspec.json.encode(build_openapi()), indent=1) + b"\n"
