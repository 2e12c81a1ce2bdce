"""Sources of targets as they are named on the command line: a file, a URL, the name of a shipped list, or `-`."""

import asyncio
import sys
from pathlib import Path

import msgspec

from probe.cli.naming import Naming
from probe.config import find_shipped, shipped_source
from probe.model.errors import UserError
from probe.model.settings import Defaults, Limits, Settings, TargetSource
from probe.targets import Loaded, load_sources
from probe.targets.lists.formats import parse_list
from probe.targets.tunnels import is_tunnel_file


def name_sources(names: tuple[str, ...]) -> tuple[TargetSource, ...]:
    """Return a source for each name.

    Raises:
        UserError: it is neither a file nor a shipped list.
    """
    return tuple(_name_source(name) for name in names)


def _name_source(name: str) -> TargetSource:
    if name.startswith(("http://", "https://")):
        return TargetSource(http_sd=name, place=name)
    if is_tunnel_file(name):
        return TargetSource(uri=name, place=name)
    if name == "-" or Path(name).exists() or "/" in name or "*" in name:
        return TargetSource(file=name, place=name)
    if name in find_shipped() or "." not in name:
        return shipped_source(name)
    raise UserError(name, "there is no such file", "give a file, an http_sd URL, or the name of a shipped list")


def load_named(sources: tuple[TargetSource, ...], defaults: Defaults) -> Loaded:
    """Read sources once; `-` is standard input."""
    if any(source.file == "-" for source in sources):
        data = sys.stdin.buffer.read()
        return parse_list(data, "standard input", defaults, TargetSource(file="-"))
    return asyncio.run(load_sources(sources, defaults))


def settle(loaded: Loaded, settings: Settings, *, reveal: bool = False) -> Loaded:
    """Return a list as the agent would have it, and leave nothing behind; `reveal`: with addresses under its ids."""
    naming = Naming(settings, lasting=False)
    settled = naming.settle(loaded)
    if not reveal:
        return settled
    return msgspec.structs.replace(settled, targets=tuple(map(naming.veil.lift, settled.targets)))


def effective(names: tuple[str, ...], settings: Settings) -> tuple[tuple[TargetSource, ...], Defaults, Limits]:
    """Return what is meant: the named sources, or those of the configuration when none is named."""
    sources = name_sources(names) if names else settings.targets
    return sources, settings.defaults, settings.limits
