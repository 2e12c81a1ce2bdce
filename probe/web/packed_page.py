"""The targets' part of /metrics, kept compressed in pieces: a scrape compresses only what changed since the last.

Of a target that ran again most families say what they said: its status, its pattern, its certificate. A piece is one
family of some hundred targets; it is kept as long as none of them says something else in it.
"""

import operator
from collections.abc import Iterator, Sequence

from probe.export.metrics.families import Format, Slot
from probe.export.metrics.target import TargetChunk, render_family
from probe.web.gzip_pieces import Piece, pack

BLOCK_TARGETS = 512
"""Of the longest family that is half a megabyte, which takes a thread about a millisecond to compress."""
_EXEMPLARS = len(Slot)
"""Where the failures with their exemplars stand, which only OpenMetrics has."""
_PLACES = len(Slot) + 1


class Block:
    """Some targets in a row, and the pieces made of them so far."""

    __slots__ = ("chunks", "pieces")

    def __init__(self, chunks: tuple[TargetChunk, ...]) -> None:
        self.chunks = chunks
        self.pieces: list[Piece | None] = [None] * _PLACES


class PackedPage:
    """Keeps pieces from one scrape to the next."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}

    def forget(self) -> None:
        """Let all pieces go, and the chunks that they were made of."""
        self._blocks = {}

    def take(self, chunks: Sequence[TargetChunk]) -> Iterator["Taken"]:
        """Yield these targets block by block, each with those of its pieces that still hold."""
        blocks = self._blocks  # another scrape may come between two blocks, with more targets or fewer
        for start in [start for start in blocks if start >= len(chunks)]:
            del blocks[start]
        for start in range(0, len(chunks), BLOCK_TARGETS):
            now = tuple(chunks[start : start + BLOCK_TARGETS])
            block = blocks.get(start)
            if block is None:
                block = blocks[start] = Block(now)
            elif not _are_same(block.chunks, now):
                _renew(block, now)
            yield Taken(block)


class Taken:
    """A block as one scrape found it: another that comes meanwhile with newer chunks does not change its page."""

    __slots__ = ("_block", "chunks")

    def __init__(self, block: Block) -> None:
        self._block = block
        self.chunks = block.chunks

    def find(self, slot: Slot, wanted: Format) -> Piece | None:
        """Return the piece of a family; `None` = it has to be made."""
        return self._block.pieces[_place(slot, wanted)] if self._block.chunks is self.chunks else None

    def make(self, slot: Slot, wanted: Format) -> Piece:
        """Compress a family; may run in a thread."""
        return pack(render_family(slot, self.chunks, wanted))

    def keep(self, slot: Slot, wanted: Format, piece: Piece) -> None:
        """Keep a piece for the next scrape, unless a newer one has taken the block over."""
        if self._block.chunks is self.chunks:
            self._block.pieces[_place(slot, wanted)] = piece


def _place(slot: Slot, wanted: Format) -> int:
    return _EXEMPLARS if slot is Slot.FAILURES and wanted is Format.OPENMETRICS else slot


def _are_same(before: tuple[TargetChunk, ...], now: tuple[TargetChunk, ...]) -> bool:
    return len(before) == len(now) and all(map(operator.is_, before, now))


def _renew(block: Block, now: tuple[TargetChunk, ...]) -> None:
    """Give a block its new chunks, and drop the pieces in which they say something else."""
    before, block.chunks = block.chunks, now
    if len(before) != len(now):
        block.pieces = [None] * _PLACES
        return
    kept = [place for place, piece in enumerate(block.pieces) if piece is not None]
    for old, new in zip(before, now, strict=True):
        if old is new:
            continue
        changed = [place for place in kept if _differs(place, old, new)]
        for place in changed:
            block.pieces[place] = None
            kept.remove(place)


def _differs(place: int, old: TargetChunk, new: TargetChunk) -> bool:
    if place == Slot.STATUS:
        return old.status_tails is not new.status_tails or old.keys != new.keys
    if place == Slot.DEPTH:
        return old.depth_tails is not new.depth_tails or old.keys != new.keys
    if place == _EXEMPLARS:
        return old.pieces[Slot.FAILURES] != new.pieces[Slot.FAILURES] or old.exemplar != new.exemplar
    return old.pieces[place] != new.pieces[place]
