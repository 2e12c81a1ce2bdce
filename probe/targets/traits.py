"""What a target has besides its address: written beside it, or inherited from its list, group or source."""

import msgspec

from probe.model.depth import Depth
from probe.model.endpoint import AddressFamily
from probe.model.settings import Defaults
from probe.model.target import Expect, Exposure, GroupMode, Request

NO_WORDS: dict[str, str] = {}
"""Shared by every target without labels or parameters: never changed, and 64 bytes saved each."""


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the address."""

    interval_s: float = Defaults().interval_s
    timeout_s: float = Defaults().timeout_s
    group: str = ""
    group_mode: GroupMode = GroupMode.LABEL
    category: str = ""
    labels: dict[str, str] = NO_WORDS
    exposure: Exposure = Exposure.PUBLIC
    family: AddressFamily | None = None
    expect: Expect | None = None
    request: Request | None = None
    depth: Depth | None = None
    """Tunnels: how far to go; `None` = as far as is usual."""
    alias: str = ""
    """Tunnels: what it is called everywhere in place of its address."""
