"""What one target looks like on /metrics, rendered when its check ends and not when somebody scrapes.

A chunk holds one ready piece of bytes *per family*: both formats demand that a family's samples stand together, so the
page walks family by family over all chunks and only joins. Two things are left to the join, because kept ready they
would be a third of a chunk's memory: the zeros of the one-hot families, and the exemplar that only OpenMetrics knows.

Nothing that churns becomes a label: no resolved addresses, no certificate hashes, no error texts. Moments are wall
times in samples without a timestamp of their own; what never happened has no sample.
"""

import functools
from collections.abc import Iterable

import msgspec

from probe.export.metrics.families import FAMILIES, Format, Slot
from probe.export.metrics.labels import escape_value, render_labels, sanitize_name
from probe.model.settings import PerTarget
from probe.model.snapshot import TargetSnapshot
from probe.model.target import Target
from probe.model.verdict import Depth, Status, Verdict

_EXEMPLAR_ID_CHARACTERS = 100
"""OpenMetrics 1.0.0, exemplars: their labels are at most 128 characters together."""


class TargetChunk(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One target's samples; `render_family` makes lines of many."""

    target: str
    keys: bytes = b""
    """`{target="…",group="…"`, to which the tails belong."""
    pieces: tuple[bytes, ...]
    """Ready lines for each `Slot`; empty = nothing to say, or in the tails."""
    status_tails: tuple[bytes, ...] = ()
    """What follows the keys on each line of `Slot.STATUS`, after an empty one; a constant shared by all chunks."""
    depth_tails: tuple[bytes, ...] = ()
    exemplar: bytes = b""
    """Ends the last line of `Slot.FAILURES` in OpenMetrics."""


def _one_hot_tails(label: str, members: type[Status] | type[Depth]) -> dict[str, tuple[bytes, ...]]:
    return {
        chosen.value: (b"", *(f',{label}="{one.value}"}} {int(one is chosen)}\n'.encode() for one in members))
        for chosen in members
    }


_STATUS_TAILS = _one_hot_tails("status", Status)
_DEPTH_TAILS = _one_hot_tails("depth", Depth)
_NO_PIECES = (b"",) * len(Slot)

_NAMES = {slot: family.name for slot, family in FAMILIES.items()}
_INFO = _NAMES[Slot.TARGET]
_REACHABLE = _NAMES[Slot.REACHABLE]
_STATUS = _NAMES[Slot.STATUS].encode()
_PATTERN = _NAMES[Slot.PATTERN]
_CONFIDENCE = _NAMES[Slot.CONFIDENCE]
_RUNS = _NAMES[Slot.RUNS]
_FAILURES = _NAMES[Slot.FAILURES]
_ADDRESSES = _NAMES[Slot.ADDRESSES]
_ADDRESSES_OK = _NAMES[Slot.ADDRESSES_OK]
_DEPTH = _NAMES[Slot.DEPTH].encode()
_PHASE = _NAMES[Slot.PHASE_DURATION]


def render_family(slot: Slot, chunks: Iterable[TargetChunk], wanted: Format) -> bytes:
    """Return all samples that these targets have in one family."""
    if slot is Slot.STATUS:
        return b"".join([(_STATUS + chunk.keys).join(chunk.status_tails) for chunk in chunks])
    if slot is Slot.DEPTH:
        return b"".join([(_DEPTH + chunk.keys).join(chunk.depth_tails) for chunk in chunks])
    if slot is Slot.FAILURES and wanted is Format.OPENMETRICS:
        return b"".join(
            [chunk.pieces[slot][:-1] + chunk.exemplar if chunk.exemplar else chunk.pieces[slot] for chunk in chunks]
        )
    return b"".join([chunk.pieces[slot] for chunk in chunks])


def render_target(snapshot: TargetSnapshot, level: PerTarget, before: TargetChunk | None = None) -> TargetChunk:
    """Render all samples of a target at a level of detail; what depends on the target alone is taken from `before`.

    `before` is an earlier chunk of the very same target at any level but none.
    """
    target = snapshot.target
    if level is PerTarget.NONE:
        return TargetChunk(target=target.id, pieces=_NO_PIECES)
    pieces = list(_NO_PIECES)
    verdict = snapshot.verdict
    if before is not None and before.keys:
        keys = before.keys.decode()
        pieces[Slot.TARGET] = before.pieces[Slot.TARGET]
    else:
        keys = f'{{target="{escape_value(target.id)}",group="{escape_value(target.group)}"'
        pieces[Slot.TARGET] = _render_info(target)
    _render_times(pieces, keys, snapshot)
    if verdict is not None:
        _render_verdict(pieces, keys, verdict)
    depth_tails: tuple[bytes, ...] = ()
    exemplar = b""
    if level is PerTarget.FULL:
        if verdict is not None:
            _render_addresses(pieces, keys, verdict)
            depth_tails = _DEPTH_TAILS[verdict.depth]
        pieces[Slot.PHASE_DURATION] = _render_phases(keys, snapshot)
        exemplar = _render_counters(pieces, f'{keys},check="{target.check.value}"', snapshot)
    return TargetChunk(
        target=target.id,
        keys=keys.encode(),
        pieces=tuple(pieces) if before is None else _share(pieces, before.pieces),
        status_tails=_STATUS_TAILS[Status.INSUFFICIENT if verdict is None else verdict.status],
        depth_tails=depth_tails,
        exemplar=exemplar,
    )


def _share(pieces: list[bytes], before: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Take what says the same from before: whoever still holds the earlier chunk then holds little of its own."""
    return tuple([old if old == new else new for old, new in zip(before, pieces, strict=True)])


def _render_info(target: Target) -> bytes:
    labels = {"target": target.id, "kind": target.check.value, "category": target.category}
    for name, value in target.labels.items():
        labels.setdefault(sanitize_name(name, labels), value)
    return f"{_INFO}{{{render_labels(labels)}}} 1\n".encode()


def _render_verdict(pieces: list[bytes], keys: str, verdict: Verdict) -> None:
    """Fill in reachable, pattern and confidence; a target that could not be judged is not called unreachable."""
    status = verdict.status
    if status is not Status.INSUFFICIENT:
        pieces[Slot.REACHABLE] = f"{_REACHABLE}{keys}}} {int(status.reachable)}\n".encode()
    if status is not Status.OK:
        pattern = verdict.patterns[0].value if verdict.patterns else ""
        pieces[Slot.PATTERN] = f'{_PATTERN}{keys},pattern="{pattern}",cause="{verdict.cause.value}"}} 1\n'.encode()
    pieces[Slot.CONFIDENCE] = f"{_CONFIDENCE}{keys}}} {verdict.confidence.value}\n".encode()


def _render_times(pieces: list[bytes], keys: str, snapshot: TargetSnapshot) -> None:
    since = snapshot.episode.since.first_in if snapshot.episode is not None else 0.0
    for slot, moment in (
        (Slot.EPISODE_START, since),
        (Slot.LAST_OK, snapshot.last_ok_at),
        (Slot.VALID_UNTIL, snapshot.valid_until),
        (Slot.LAST_RUN, snapshot.last_run_at),
        (Slot.CERTIFICATE, snapshot.certificate_expires_at),
    ):
        if moment > 0.0:
            pieces[slot] = f"{_NAMES[slot]}{keys}}} {moment:.3f}\n".encode()


def _render_addresses(pieces: list[bytes], keys: str, verdict: Verdict) -> None:
    tried_4, ok_4, tried_6, ok_6 = verdict.addresses
    four, six = f'{keys},family="4"}}', f'{keys},family="6"}}'
    pieces[Slot.ADDRESSES] = f"{_ADDRESSES}{four} {tried_4}\n{_ADDRESSES}{six} {tried_6}\n".encode()
    pieces[Slot.ADDRESSES_OK] = f"{_ADDRESSES_OK}{four} {ok_4}\n{_ADDRESSES_OK}{six} {ok_6}\n".encode()


def _render_phases(keys: str, snapshot: TargetSnapshot) -> bytes:
    """Render the last run's phases; the last word counts where one is given twice, because a series may not repeat."""
    start = f"{_PHASE}{keys},"
    durations = {_render_phase_key(phase.name, phase.family): phase.duration_s for phase in snapshot.phases}
    return "".join([f"{start}{key} {duration_s:.6f}\n" for key, duration_s in durations.items()]).encode()


@functools.lru_cache(maxsize=256)
def _render_phase_key(name: str, family: int) -> str:
    """Render what follows the keys on a phase's line, up to the value; there are a dozen."""
    return f'phase="{escape_value(name)}",family="{family or ""}"}}'


def _render_counters(pieces: list[bytes], keys: str, snapshot: TargetSnapshot) -> bytes:
    """Fill in runs and failures; return the exemplar, which is the last failed run's id and belongs to the last line.

    One failure counter for each code that happened, and one, from zero on, for runs that failed without a code.
    """
    pieces[Slot.RUNS] = f"{_RUNS}{keys}}} {snapshot.runs_total}\n".encode()
    counts = {"": max(0, snapshot.failures_total - sum(snapshot.failures.values()))}
    counts.update((code.value, times) for code, times in snapshot.failures.items())
    last = snapshot.last_failure.value if snapshot.last_failure is not None else ""
    if last in counts:
        counts[last] = counts.pop(last)
    start = f'{_FAILURES}{keys},failure="'
    pieces[Slot.FAILURES] = "".join([f'{start}{code}"}} {times}\n' for code, times in counts.items()]).encode()
    if not counts.get(last) or not 0 < len(snapshot.failed_measurement) <= _EXEMPLAR_ID_CHARACTERS:
        return b""
    return f' # {{measurement_id="{escape_value(snapshot.failed_measurement)}"}} 1\n'.encode()
