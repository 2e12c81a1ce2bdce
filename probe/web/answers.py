"""Answers with what caches and slow lines need: an entity tag, 304 where nothing changed, gzip where it is taken.

Source: RFC 9110 sections 8.8.3 (ETag; weak, because one tag stands for both codings) and 13.1.2 (If-None-Match).
"""

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from probe.web.exposition import accepts_gzip
from probe.web.parameters import ParameterError

_WORTH_BYTES = 1024
"""Below this gzip saves no packet."""
_INLINE_BYTES = 32768
_LEVEL = 5


async def send(
    request: web.Request, body: bytes, content_type: str, *, status: int = 200, cache: str = "no-cache, private"
) -> web.Response:
    """Return an answer, or 304 to who has it already."""
    headers = {"Cache-Control": cache if status == 200 else "no-store", "Vary": "Accept-Encoding"}
    charset = "utf-8" if content_type.startswith("text/") else None
    if status == 200:
        headers["ETag"] = tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        if _is_known(request.headers.get("If-None-Match", ""), tag):
            return web.Response(status=304, headers=headers)
    if len(body) >= _WORTH_BYTES and accepts_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        if len(body) > _INLINE_BYTES:
            body = await asyncio.to_thread(_pack, body)
        else:
            body = _pack(body)
    return web.Response(body=body, status=status, headers=headers, content_type=content_type, charset=charset)


async def send_json(request: web.Request, value: object, *, status: int = 200) -> web.Response:
    """Return a value as JSON."""
    return await send(request, msgspec.json.encode(value) + b"\n", "application/json", status=status)


def _is_known(header: str, tag: str) -> bool:
    known = {one.strip() for one in header.split(",")}
    return "*" in known or tag in known or tag.removeprefix("W/") in known


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


def strict(
    endpoint: Callable[[web.Request], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Turn a bad parameter into one line of JSON."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await endpoint(request)
        except ParameterError as error:
            return await send_json(request, {"error": str(error)}, status=400)

    return answer
