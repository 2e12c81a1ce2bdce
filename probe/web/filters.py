"""What a reader narrows the list of targets to, and the query that says so."""

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from probe.export.text.words import shown_status
from probe.model.pattern import Pattern
from probe.model.snapshot import TargetSnapshot
from probe.model.verdict import Status
from probe.web.parameters import ParameterError, read_status, read_text

NAMES = ("status", "group", "category", "pattern", "q")
_PATTERNS = frozenset(ancestor for pattern in Pattern for ancestor in pattern.ancestors)


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold; what is empty may be anything."""

    status: Status | None = None
    group: str = ""
    category: str = ""
    pattern: str = ""
    """An id of the taxonomy; those below it count as well."""
    text: str = ""
    """Must be in the address, id or group, upper and lower case alike."""

    def matches(self, snapshot: TargetSnapshot) -> bool:
        """Tell whether a target is asked for."""
        target = snapshot.target
        if self.status is not None and shown_status(snapshot) is not self.status:
            return False
        if (self.group and target.group != self.group) or (self.category and target.category != self.category):
            return False
        if self.pattern and not _has_pattern(snapshot, self.pattern):
            return False
        wanted = self.text.lower()
        return not wanted or any(wanted in one.lower() for one in (target.address, target.id, target.group))

    def query(self, **changed: str) -> str:
        """Return the filter as a query, with some of it changed or added; what is empty is left out."""
        given = {
            "status": self.status.value if self.status else "",
            "group": self.group,
            "category": self.category,
            "pattern": self.pattern,
            "q": self.text,
        } | changed
        return urlencode({name: value for name, value in given.items() if value}, errors="replace")


def read_filter(query: Mapping[str, str]) -> Filter:
    """Return what a query asks for.

    Raises:
        ParameterError: a part of it is not known, or too long.
    """
    pattern = read_text(query, "pattern")
    if pattern and pattern not in _PATTERNS:
        raise ParameterError("pattern must be an id of the taxonomy, or the beginning of one, such as tls.reset")
    return Filter(
        status=read_status(query),
        group=read_text(query, "group"),
        category=read_text(query, "category"),
        pattern=pattern,
        text=read_text(query, "q"),
    )


def _has_pattern(snapshot: TargetSnapshot, wanted: str) -> bool:
    patterns = snapshot.verdict.patterns if snapshot.verdict is not None else ()
    return any(pattern.value == wanted or pattern.value.startswith(wanted + ".") for pattern in patterns)
