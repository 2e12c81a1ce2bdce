"""Reads every source of targets, again and again.

What has not changed is not parsed twice, and a source that fails keeps what it last gave. Parsing 100,000 lines takes
a second or two: it runs in a thread, so that measurements go on meanwhile.
"""

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec

from probe.model.errors import UserError
from probe.model.settings import Defaults, TargetSource
from probe.targets.lists.entries import read_address, read_entry
from probe.targets.lists.fetch import Body, fetch_url, find_files, place_of, read_file
from probe.targets.lists.formats import parse_list
from probe.targets.lists.loaded import Loaded, inherit, join_loaded
from probe.targets.secret_places import OPEN_TO_OTHERS, find_open_files
from probe.targets.secret_reading import SecretReader


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The last good reading of one list."""

    digest: bytes
    loaded: Loaded


class ListReader:
    """Long-lived: one per agent. It remembers what each source last gave."""

    def __init__(self, *, timeout_s: float = 30.0) -> None:
        self._timeout_s = timeout_s
        self._bodies: dict[str, Body] = {}
        self._kept: dict[tuple[str, bytes], _Kept] = {}

    async def load(self, sources: Sequence[TargetSource], defaults: Defaults) -> Loaded:
        """Read all sources, in their order; every mistake is an error in what is returned."""
        reader = SecretReader()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._load_source(source, defaults, reader)) for source in sources]
        parts = [task.result() for task in tasks]
        self._forget_others(sources, defaults)
        loaded = await asyncio.to_thread(join_loaded, parts) if len(parts) != 1 else parts[0]
        notes = tuple(f"{place} {OPEN_TO_OTHERS}" for place in find_open_files(loaded.targets))
        return msgspec.structs.replace(loaded, notes=loaded.notes + notes) if notes else loaded

    async def _load_source(self, source: TargetSource, defaults: Defaults, reader: SecretReader) -> Loaded:
        if source.uri:
            return load_uri(source, defaults, reader)
        if source.http_sd:
            return await self._load_url(source, defaults)
        paths = await asyncio.to_thread(find_files, source.file)
        if not paths:
            remedy = "check the pattern; the agent reads it again at the next refresh"
            return Loaded(errors=(UserError(source.place or source.file, f"no file is called {source.file}", remedy),))
        parts = [await self._load_file(path, source, defaults) for path in paths]
        return parts[0] if len(parts) == 1 else join_loaded(parts)

    async def _load_file(self, path: str, source: TargetSource, defaults: Defaults) -> Loaded:
        try:
            data = await asyncio.to_thread(read_file, path)
        except UserError as error:
            return self._keep_last(_key(path, source, defaults), error)
        return await self._parse(path, data, source, defaults)

    async def _load_url(self, source: TargetSource, defaults: Defaults) -> Loaded:
        place = place_of(source.http_sd)
        last = self._bodies.get(source.http_sd)
        try:
            body = await fetch_url(source.http_sd, last, timeout_s=self._timeout_s, refresh_s=source.refresh_s)
        except UserError as error:
            if last is None:
                return Loaded(errors=(error,))
            # The text is kept, not only what came of it: new defaults apply to the old list.
            kept = await self._parse(place, last.data, source, defaults)
            return join_loaded([kept, Loaded(errors=(_with_last_good(error),))])
        loaded = await self._parse(place, body.data, source, defaults)
        if loaded.targets or not loaded.errors:
            self._bodies[source.http_sd] = body
        return loaded

    async def _parse(self, place: str, data: bytes, source: TargetSource, defaults: Defaults) -> Loaded:
        key = _key(place, source, defaults)
        digest = hashlib.blake2s(data).digest()
        kept = self._kept.get(key)
        if kept is not None and kept.digest == digest:
            return kept.loaded
        try:
            loaded = await asyncio.to_thread(parse_list, data, place, defaults, source)
        except UserError as error:
            return self._keep_last(key, error)
        if loaded.errors and not loaded.targets:
            return self._keep_last(key, *loaded.errors)
        self._kept[key] = _Kept(digest=digest, loaded=loaded)
        return loaded

    def _forget_others(self, sources: Sequence[TargetSource], defaults: Defaults) -> None:
        """Drop what sources gave that are no longer there."""
        urls = {source.http_sd for source in sources}
        shapes = {_shape(source, defaults) for source in sources}
        self._bodies = {url: body for url, body in self._bodies.items() if url in urls}
        self._kept = {key: kept for key, kept in self._kept.items() if key[1] in shapes}

    def _keep_last(self, key: tuple[str, bytes], *errors: UserError) -> Loaded:
        """Return the last good reading with the errors; a list of which no line can be read is no list."""
        kept = self._kept.get(key)
        if kept is None:
            return Loaded(errors=errors)
        return join_loaded([kept.loaded, Loaded(errors=tuple(_with_last_good(error) for error in errors))])


def _key(place: str, source: TargetSource, defaults: Defaults) -> tuple[str, bytes]:
    return place, _shape(source, defaults)


def _shape(source: TargetSource, defaults: Defaults) -> bytes:
    """Whatever changes how a list is read."""
    return msgspec.msgpack.encode((msgspec.structs.replace(source, place="", entry=None), defaults))


def _with_last_good(error: UserError) -> UserError:
    return UserError(error.where, f"{error.what}, so the list of before is kept", error.remedy)


def load_uri(source: TargetSource, defaults: Defaults, reader: SecretReader | None = None) -> Loaded:
    """Read the one target that is written out in the configuration or on the command line.

    `reader` is one for all that stand there.
    """
    errors: list[UserError] = []
    traits = inherit(defaults, source)
    if source.entry is None:
        targets = read_address(source.uri, source.place or "command line", traits, errors, reader)
    else:
        targets = read_entry(source.entry, source.place.rpartition(":")[0], traits, errors, reader)
    return Loaded(targets=targets, errors=tuple(errors))


async def load_sources(sources: Sequence[TargetSource], defaults: Defaults | None = None) -> Loaded:
    """Read all sources once."""
    return await ListReader().load(sources, defaults or Defaults())
