"""The page of metrics: negotiated, and streamed in slices so that measuring goes on while it is served.

At level `full` 10,000 targets are 40 MB. No slice takes more than about a millisecond to join, compression runs in a
thread (zlib lets the interpreter go on meanwhile) and leaves out what is still right from the last scrape, and the
writer waits for the reader: a slow one holds one slice and the chunks it started with, for as long and as often as
`WebLimits` allows.

Source: negotiation as RFC 9110 section 12.5.1 (Accept) and 12.5.3 (Accept-Encoding). Whoever accepts neither format
gets text 0.0.4, as from any other exporter.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from probe.export.metrics.families import FAMILIES, Format, Slot
from probe.export.metrics.target import TargetChunk, render_family
from probe.web.agent_view import AgentView
from probe.web.gzip_pieces import HEAD, Piece, Stream, pack
from probe.web.limits import WebLimits
from probe.web.packed_page import PackedPage, Taken
from probe.web.self_metrics import OPENMETRICS_END, SelfMetrics

_BATCH_TARGETS = 128
_SLICE_BYTES = 65536
_SLICE_BATCHES = 8
"""Families that most targets leave empty take time and give no bytes."""
_BLOCKS_AT_ONCE = 4
"""The thread is given so many at a time: it makes a few milliseconds' work of them, and a turn of the loop between."""
_FORGET_S = 300.0
"""Who has not scraped for so long may have gone for good; what is kept for the next scrape is let go."""
_OPENMETRICS_VERSIONS = ("", "0.0.1", "1.0.0")

_HEADS = {wanted: {slot: family.render_head(wanted) for slot, family in FAMILIES.items()} for wanted in Format}
_PACKED_HEADS = {wanted: {slot: pack(head) for slot, head in heads.items()} for wanted, heads in _HEADS.items()}


def _parse_weighted(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Return each member of an Accept header: name, parameters and weight; a weight that is none counts as 0."""
    for member in header.lower().split(","):
        name, *rest = (part.strip() for part in member.split(";"))
        parameters = {key.strip(): text.strip().strip('"') for key, _, text in (part.partition("=") for part in rest)}
        try:
            weight = float(parameters.get("q", "1"))
        except ValueError:
            weight = 0.0
        yield name, parameters, weight if 0.0 <= weight <= 1.0 else 0.0


def choose_format(accept: str) -> Format:
    """Return OpenMetrics if it is named, in a version we speak, and not less welcome than text."""
    openmetrics = text = 0.0
    for name, parameters, weight in _parse_weighted(accept):
        if name == "application/openmetrics-text" and parameters.get("version", "") in _OPENMETRICS_VERSIONS:
            openmetrics = max(openmetrics, weight)
        elif name == "text/plain":
            text = max(text, weight)
    return Format.OPENMETRICS if openmetrics > 0.0 and openmetrics >= text else Format.TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether the body may come as gzip."""
    weights = {name: weight for name, _, weight in _parse_weighted(accept_encoding)}
    return weights.get("gzip", weights.get("*", 0.0)) > 0.0


def slice_page(own: bytes, chunks: Sequence[TargetChunk], wanted: Format) -> Iterator[bytes]:
    """Yield the page in slices of about `_SLICE_BYTES` or less: our own families, then the targets', one by one."""
    parts, held_bytes, batches = [own], len(own), 0
    for slot in Slot:
        parts.append(_HEADS[wanted][slot])
        for start in range(0, len(chunks), _BATCH_TARGETS):
            part = render_family(slot, chunks[start : start + _BATCH_TARGETS], wanted)
            parts.append(part)
            held_bytes += len(part)
            batches += 1
            if held_bytes >= _SLICE_BYTES or batches >= _SLICE_BATCHES:
                yield b"".join(parts)
                parts, held_bytes, batches = [], 0, 0
    if wanted is Format.OPENMETRICS:
        parts.append(OPENMETRICS_END)
    yield b"".join(parts)


class Exposition:
    """Serves /metrics."""

    def __init__(self, view: AgentView, limits: WebLimits) -> None:
        self._view = view
        self._limits = limits
        self._own = SelfMetrics(view)
        self._places = asyncio.Semaphore(limits.scrapes)
        self._compressor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wallprobe-gzip")
        self._packed = PackedPage()
        self._forgets: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Let the thread go."""
        if self._forgets is not None:
            self._forgets.cancel()
        self._compressor.shutdown(wait=False, cancel_futures=True)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a scrape."""
        if self._places.locked():
            return web.Response(status=503, text="too many scrapes at once\n", headers={"Retry-After": "5"})
        async with self._places:
            wanted = choose_format(request.headers.get("Accept", ""))
            zipped = accepts_gzip(request.headers.get("Accept-Encoding", ""))
            headers = {"Content-Type": wanted.value, "Vary": "Accept, Accept-Encoding"}
            if zipped:
                headers["Content-Encoding"] = "gzip"
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            try:
                async with asyncio.timeout(self._limits.scrape_s):
                    await (self._stream_packed if zipped else self._stream)(response, wanted)
            except TimeoutError:
                # The head said 200: only a broken connection still tells the reader that the page is not whole.
                if request.transport is not None:
                    request.transport.abort()
            return response

    async def _stream(self, response: web.StreamResponse, wanted: Format) -> None:
        own = self._own.render(wanted)
        for piece in slice_page(own, tuple(self._view.chunks()), wanted):
            await response.write(piece)
            # Writing to a fast reader never waits; without this the whole page would be one turn of the loop.
            await asyncio.sleep(0)
        await response.write_eof()

    async def _stream_packed(self, response: web.StreamResponse, wanted: Format) -> None:
        loop = asyncio.get_running_loop()
        if self._forgets is not None:
            self._forgets.cancel()
        self._forgets = loop.call_later(_FORGET_S, self._packed.forget)
        blocks: list[Taken] = []
        for block in self._packed.take(tuple(self._view.chunks())):
            blocks.append(block)
            await asyncio.sleep(0)
        stream, ready = Stream(), bytearray(HEAD)
        ready += stream.add(pack(self._own.render(wanted)))
        for slot in Slot:
            ready += stream.add(_PACKED_HEADS[wanted][slot])
            for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
                for piece in await self._pack(blocks[start : start + _BLOCKS_AT_ONCE], slot, wanted):
                    ready += stream.add(piece)
                if len(ready) >= _SLICE_BYTES:
                    await response.write(bytes(ready))
                    ready.clear()
        if wanted is Format.OPENMETRICS:
            ready += stream.add(pack(OPENMETRICS_END))
        await response.write(bytes(ready) + stream.end())
        await response.write_eof()

    async def _pack(self, blocks: Sequence[Taken], slot: Slot, wanted: Format) -> list[Piece]:
        """Return the pieces of a family; those that are missing, a thread makes."""
        kept = {number: piece for number, block in enumerate(blocks) if (piece := block.find(slot, wanted))}
        missing = [number for number in range(len(blocks)) if number not in kept]
        if missing:
            made = await asyncio.get_running_loop().run_in_executor(
                self._compressor, lambda: [blocks[number].make(slot, wanted) for number in missing]
            )
            for number, piece in zip(missing, made, strict=True):
                blocks[number].keep(slot, wanted, piece)
                kept[number] = piece
        else:
            await asyncio.sleep(0)
        return [kept[number] for number in range(len(blocks))]
