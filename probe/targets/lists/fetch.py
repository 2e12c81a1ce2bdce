"""Where lists come from: files, and URLs asked with their ETag. What was good once is kept when a later try fails.

Source: RFC 9110 section 13 (conditional requests); prometheus/prometheus docs/http_sd.md (header, keep the last list).
"""

import glob
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probe.model.errors import UserError

if TYPE_CHECKING:
    import aiohttp

LIMIT_BYTES = 64 * 1024 * 1024
"""A million lines; what is longer is no list."""
_CHUNK_BYTES = 65536


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A list as it came, with what is needed to ask whether it has changed."""

    data: bytes
    etag: str = ""
    modified: str = ""


def find_files(pattern: str) -> tuple[str, ...]:
    """Return the paths that a pattern means; a path without `*` is itself."""
    if "*" not in pattern:
        return (str(Path(pattern).expanduser()),)
    return tuple(sorted(glob.glob(str(Path(pattern).expanduser()))))


def read_file(path: str) -> bytes:
    """Read a file.

    Raises:
        UserError: it cannot be read, or is longer than `LIMIT_BYTES`.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise UserError(
            path, f"cannot be read: {error.strerror or error}", "check the path and its permissions"
        ) from None
    except ValueError:
        raise UserError(repr(path), "is no path", "check it for stray characters") from None
    if len(data) > LIMIT_BYTES:
        raise UserError(path, "is longer than 64 MiB", "split the list")
    return data


def place_of(url: str) -> str:
    """Return a URL for error lines: without its query, and without a password that may stand in it."""
    scheme, separator, rest = url.partition("?")[0].partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


async def fetch_url(url: str, last: Body | None, *, timeout_s: float = 30.0, refresh_s: float = 300.0) -> Body:
    """Fetch a list, or return `last` when the server says that it has not changed.

    Raises:
        UserError: no list came.
    """
    import aiohttp  # 0.1 s that a list in a file should not cost

    headers = {"Accept": "application/json, */*;q=0.5", "X-Prometheus-Refresh-Interval-Seconds": f"{refresh_s:g}"}
    if last is not None and last.etag:
        headers["If-None-Match"] = last.etag
    if last is not None and last.modified:
        headers["If-Modified-Since"] = last.modified
    place = place_of(url)
    try:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, headers=headers) as response:
            if response.status == 304 and last is not None:
                return last
            if response.status != 200:
                raise UserError(place, f"answered {response.status}", "check the URL; http_sd answers 200 with JSON")
            return Body(
                data=await _read_body(response, place),
                etag=response.headers.get("ETag", ""),
                modified=response.headers.get("Last-Modified", ""),
            )
    except TimeoutError:
        raise UserError(place, f"no list within {timeout_s:g} s", "check that the server is up") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UserError(place, f"no list came: {_one_line(error)}", "check the URL and that the server is up") from None


async def _read_body(response: "aiohttp.ClientResponse", place: str) -> bytes:
    chunks: list[bytes] = []
    total = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        total += len(chunk)
        if total > LIMIT_BYTES:
            raise UserError(place, "sent more than 64 MiB", "split the list")
        chunks.append(chunk)
    return b"".join(chunks)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
