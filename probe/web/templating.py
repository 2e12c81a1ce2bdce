"""Templates with escaping on, and the words they use."""

import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from probe import __version__
from probe.export.pictures.cells import find_runs, render_axis, render_strip
from probe.export.text.words import (
    CONFIDENCES,
    KINDS,
    MARKS,
    describe_event,
    find_moment,
    is_confirmed,
    name_status,
    render_duration,
    render_minute,
    render_sentence,
    render_span,
    render_time,
    shorten,
    shown_status,
)
from probe.model.cell import decode_cell
from probe.model.verdict import Status

STATIC = {"app.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""What is served beside the pages, with its media type."""


@cache
def read_static(name: str) -> bytes:
    """Return one of the files in `STATIC`."""
    return files("probe.web").joinpath("static", name).read_bytes()


def link_static(name: str) -> str:
    """Return the address of a static file; another content has another address, so it may be kept for ever."""
    return f"/static/{name}?v={hashlib.blake2b(read_static(name), digest_size=6).hexdigest()}"


def render(template: str, **values: object) -> bytes:
    """Return a page; what UTF-8 cannot carry is replaced."""
    return environment().get_template(template).render(**values).encode("utf-8", "replace")


@cache
def environment() -> Environment:
    """Return the environment that all templates share."""
    made = Environment(
        loader=PackageLoader("probe.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "status": name_status,
        "mark": MARKS.__getitem__,
        "sentence": render_sentence,
        "confidence": lambda level: CONFIDENCES[level],
        "minute": render_minute,
        "day": lambda at: render_minute(at)[:10],
        "second": render_time,
        "span": render_span,
        "took": render_duration,
        "kind": KINDS.__getitem__,
        "event": describe_event,
        "iso": _iso,
        "short": shorten,
        "strip": lambda cells, axis, label="": Markup(render_strip(cells, axis, label=label)),
        "spoken": _speak,
    }
    made.globals |= {
        "static": link_static,
        "statuses": tuple(Status),
        "shown_status": shown_status,
        "is_confirmed": is_confirmed,
        "axis_picture": lambda axis: Markup(render_axis(axis)),
        "version": __version__,
    }
    return made


def picture(markup: str) -> Markup:
    """Let a picture from `probe.export.pictures` through: it escapes what it shows itself."""
    return Markup(markup)


def _speak(cells: bytes) -> str:
    """Return a row of cells for the script: words and how many in a row."""
    return ",".join(f"{_name(code)}x{count}" for code, count in find_runs(cells))


def _name(code: int) -> str:
    status, layer = decode_cell(code)
    return f"{name_status(status)} ({layer})" if layer else name_status(status)


def _iso(at: float) -> str:
    moment = find_moment(at)
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
