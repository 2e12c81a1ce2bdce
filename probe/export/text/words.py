"""Statuses, times and spans in a reader's words: the same on pages, in reports and on the terminal."""

import datetime

from probe.model.episode import Episode, Event, EventKind, Interval
from probe.model.snapshot import TargetSnapshot
from probe.model.units import SECONDS
from probe.model.vantage import VantageState
from probe.model.verdict import Cause, Status

MARKS = {
    Status.OK: "✓",
    Status.DEGRADED: "◐",
    Status.BLOCKED: "✗",
    Status.LIKELY_BLOCKED: "✗",
    Status.SERVER_SIDE: "⚠",
    Status.DOWN: "▼",
    Status.IMPAIRED: "?",
    Status.INSUFFICIENT: "·",
}
SENTENCES = {
    Status.OK: "works",
    Status.DEGRADED: "works, but is interfered with",
    Status.BLOCKED: "is blocked",
    Status.LIKELY_BLOCKED: "is likely blocked",
    Status.SERVER_SIDE: "is refused by its own server",
    Status.DOWN: "is down for everybody",
    Status.IMPAIRED: "cannot be reached, and the cause is unclear",
    Status.INSUFFICIENT: "is not judged yet",
}
WHO = {
    Cause.NETWORK: "by the network, not the server",
    Cause.SERVER: "by the server, not the network",
    Cause.LOCAL: "by something on or beside this machine",
    Cause.OUTAGE: "an outage",
    Cause.INSTRUMENT: "because this host could not measure",
    Cause.UNKNOWN: "cause unknown",
    Cause.NONE: "",
}
CONFIDENCES = ("C0: one failure", "C1: repeated", "C2: a comparison isolates it", "C3: settled")
VANTAGE_NOTICES = {
    VantageState.OFFLINE: "Vantage offline: nothing is judged, and what you see is what was last known.",
    VantageState.PORTAL: "A portal holds this network: nothing is judged, and what you see is what was last known.",
    VantageState.FOREIGN_CUT: "Domestic anchors answer, foreign ones do not: a cut, or a block of everything foreign.",
    VantageState.DEGRADED: "The vantage is degraded: loss, no IPv6, or a resolver that does not answer.",
}
KINDS = {
    EventKind.ONSET: "began",
    EventKind.REFINED: "refined",
    EventKind.ENDED: "ended",
    EventKind.GROUP: "together",
    EventKind.GROUP_ENDED: "together, ended",
    EventKind.VANTAGE: "vantage",
    EventKind.CLOCK_STEP: "clock",
}


_TOLD = {
    Status.BLOCKED: frozenset(WHO),
    Status.LIKELY_BLOCKED: frozenset(WHO),
    Status.DEGRADED: frozenset(WHO) - {Cause.UNKNOWN},
    Status.IMPAIRED: frozenset({Cause.LOCAL, Cause.INSTRUMENT}),
}
"""Causes that say more than the status has said already."""


def render_sentence(status: Status, cause: Cause | None) -> str:
    """Return what is said of a target after its name; `None` = there is no verdict."""
    who = WHO[cause] if cause is not None and cause in _TOLD.get(status, ()) else ""
    said = "cannot be reached" if who and status is Status.IMPAIRED else SENTENCES[status]
    return f"{said}, {who}" if who else said


def name_status(status: Status | None) -> str:
    """Return a status as two words at most; `None` = nothing was measured."""
    return "no data" if status is None else status.value.replace("_", " ")


def render_time(at: float) -> str:
    """Return a wall time in UTC, to the second; a time that no calendar has is written as seconds."""
    moment = find_moment(at)
    return f"{at:.0f}" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%SZ")


def find_moment(at: float) -> datetime.datetime | None:
    """Return a wall time as a date in UTC; `None` = no calendar has it."""
    try:
        return datetime.datetime.fromtimestamp(at, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def render_minute(at: float) -> str:
    """Return a wall time in UTC, to the minute; `never` for 0."""
    moment = find_moment(at)
    if at <= 0.0 or moment is None:
        return "never"
    return moment.strftime("%Y-%m-%d %H:%M")


def render_span(seconds: float) -> str:
    """Return a duration in its two largest units, as people say it: `3 d 4 h`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(SECONDS[unit]))
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def render_interval(interval: Interval) -> str:
    """Return a moment known only between two runs: the second, and in brackets how long before it the first was."""
    written = render_time(interval.first_in)
    if interval.last_before is None:
        return f"before {written}"
    slack_s = interval.first_in - interval.last_before
    return f"{written} (-{render_span(slack_s)})" if slack_s >= 1 else written


def render_duration(seconds: float) -> str:
    """Return how long something took: `52 ms`, `1.9 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def describe_event(event: Event) -> str:
    """Return what an event says: its own text, or the change of status with its patterns."""
    if event.text:
        return event.text
    change = " → ".join(name_status(status) for status in (event.before, event.after) if status is not None)
    return " ".join((change, *event.patterns)).strip() or event.kind.value


def is_confirmed(episode: Episode | None, status: Status) -> bool:
    """Tell whether the confirmed episode is about this status (CONTRACT section 5: reachable, degraded or not)."""
    return episode is not None and _standing(episode.status) == _standing(status)


def _standing(status: Status) -> str:
    return status.value if status in (Status.OK, Status.DEGRADED) else "not reachable"


def shown_status(snapshot: TargetSnapshot) -> Status:
    """Return the status as last judged; never judged is `insufficient`."""
    return snapshot.verdict.status if snapshot.verdict is not None else Status.INSUFFICIENT


def shorten(address: str) -> str:
    """Return an address as lists show it: of a plain https address its host alone."""
    host = address.removeprefix("https://").removesuffix("/")
    return host if address.startswith("https://") and "/" not in host else address
