"""One job into rows: runs and segments, tallies, whole measurements, episodes, events, baselines."""

import sqlite3
import zlib
from typing import assert_never

import msgspec

from probe.model.episode import Episode, Event
from probe.model.measurement import Measurement
from probe.model.outcome import find_failure, measure_phases
from probe.model.snapshot import Phase
from probe.model.vantage import Baseline
from probe.model.verdict import Status, Verdict
from probe.net.clock import Clock
from probe.store.cards import HOUR_MS, Card, Cards, Segment, find_target_no
from probe.store.held import Held, unseal
from probe.store.jobs import AddBaseline, AddEvents, AddRun, FillSlot, Job, ReplaceVerdict
from probe.store.pack import Packed, decode_record, pack, pack_or_nothing
from probe.store.segments import encode_phases, merge_phases
from probe.store.values import Kept
from probe.store.vault import Vault

SAMPLE_ONE_IN = 100
_HELD_PREFIX = "held_prefix"
_ENCODER = msgspec.msgpack.Encoder()


class Recorder:
    """Applies jobs inside the writer's transaction. Every method raises `sqlite3.Error` as SQLite says."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._cards = Cards(connection)
        self._changed_cards: dict[int, Card] = {}
        self._changed_segments: dict[tuple[int, int, int], tuple[int, Segment]] = {}
        self._loose: dict[bytes, bytes] = {}
        """Certificates of measurements that are only held; they go in with the next batch."""
        self._to_hold: dict[int, Measurement] = {}
        """Becomes held when the transaction is committed."""
        self.vault = Vault(connection)
        self._held = Held(self._loose.update)
        self._last_baseline: tuple[object, int] | None = None

    def apply(self, job: Job) -> None:
        """Write one job.

        Raises:
            ValueError, TypeError, OverflowError: something in the job cannot be stored.
        """
        match job:
            case AddRun():
                self._add_run(job)
            case AddEvents(events=events):
                for event in events:
                    self._add_event(event, event.measurement)
            case AddBaseline(baseline=baseline):
                self._add_baseline(baseline)
            case FillSlot(name=name, data=data):
                self._connection.execute("INSERT OR REPLACE INTO slots (name, data) VALUES (?,?)", (name, data))
            case ReplaceVerdict(measurement=measurement_id, verdict=verdict):
                self._replace_verdict(measurement_id, verdict)
            case _ as never:
                assert_never(never)

    def before_commit(self) -> None:
        """Write what the batch changed in memory, and what earlier ones left over."""
        self._write_changed()
        if self._loose:
            self.vault.keep_certificates(self._loose, self._now_ms())

    def _write_changed(self) -> None:
        self._cards.write(self._changed_cards.values(), self._changed_segments.values())
        self._changed_cards.clear()
        self._changed_segments.clear()

    def committed(self) -> None:
        """Take note that all jobs since the last call are safe."""
        self._loose.clear()
        for target_no, measurement in self._to_hold.items():
            self._held.put(target_no, measurement)
        self._to_hold.clear()

    def rolled_back(self) -> None:
        """Forget all that the lost transaction brought; the jobs will come again."""
        self._cards.forget()
        self._changed_cards.clear()
        self._changed_segments.clear()
        self.vault.forget()
        self._to_hold.clear()
        self._last_baseline = None

    def put_held_away(self) -> None:
        """Write what is held into its slots: at a clean stop, inside a transaction."""
        self._connection.execute("DELETE FROM held")
        self._connection.executemany("INSERT INTO held (target_no, data) VALUES (?,?)", self._held.dump())
        self._connection.execute(
            "INSERT OR REPLACE INTO slots (name, data) VALUES (?,?)", (_HELD_PREFIX, self._held.prefix)
        )

    def _add_run(self, job: AddRun) -> None:
        measurement = job.measurement
        card = self._cards.get(measurement.target)
        ok = measurement.verdict.status is Status.OK
        changed = card.last_status != "" and ok != (card.last_status == Status.OK.value)
        kept = _why_kept(job, changed=changed)
        packed = pack(measurement) if kept is not None else None
        if changed and not ok:
            self._store_held(card)
        phases = measure_phases(measurement) if job.phases is None else job.phases
        if ok:
            self._fold(card, measurement, phases)
            self._to_hold[card.no] = measurement
        else:
            self._insert_run(card, measurement, phases)
        if kept is not None and packed is not None:
            self.vault.insert(card.no, measurement, packed, kept, self._now_ms())
        self._count(card, measurement)
        if job.episode is not None:
            self._put_episode(card, job.episode)
        for event in job.events:
            self._add_event(event, event.measurement or measurement.id)

    def _fold(self, card: Card, measurement: Measurement, phases: tuple[Phase, ...]) -> None:
        at_ms, took_us = round(measurement.started_at * 1000), round(measurement.runtime_s * 1e6)
        if card.segment is not None and card.segment.hour != at_ms // HOUR_MS:
            self._write_changed()
        segment = self._cards.find_segment(card, at_ms)
        segment.first_ms, segment.last_ms = min(segment.first_ms, at_ms), max(segment.last_ms, at_ms)
        segment.min_us = min(segment.min_us, took_us) if segment.runs else took_us
        segment.max_us = max(segment.max_us, took_us)
        segment.sum_us += took_us
        segment.runs += 1
        segment.phases = merge_phases(segment.phases, phases)
        self._changed_segments[card.no, segment.hour, segment.part] = card.no, segment

    def _insert_run(self, card: Card, measurement: Measurement, phases: tuple[Phase, ...]) -> None:
        at_ms, verdict = round(measurement.started_at * 1000), measurement.verdict
        card.broken = True
        self._connection.execute(
            "INSERT OR REPLACE INTO runs (hour, target_no, at_ms, id, status, pattern, cause, confidence, duration_us,"
            " phases) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                at_ms // HOUR_MS, card.no, at_ms, measurement.id, verdict.status.value, *_judged(verdict),
                round(measurement.runtime_s * 1e6), encode_phases(phases),
            ),
        )  # fmt: skip

    def _store_held(self, card: Card) -> None:
        """Write down the last ok of a target that is no longer ok."""
        waiting = self._to_hold.get(card.no)
        packed = pack_or_nothing(waiting) if waiting is not None else self._held.get(card.no)
        packed = packed or self._find_put_away(card.no)
        if packed is not None:
            self.vault.insert(card.no, decode_record(packed.record), packed, Kept.BEFORE, self._now_ms())

    def _find_put_away(self, target_no: int) -> Packed | None:
        """Return what an earlier process held when it stopped."""
        row = self._connection.execute(
            "SELECT slots.data, held.data FROM held, slots WHERE target_no = ? AND name = ?", (target_no, _HELD_PREFIX)
        ).fetchone()
        return unseal(*row) if row is not None else None

    def _count(self, card: Card, measurement: Measurement) -> None:
        """Count a run, unless it was broken off: that says nothing about its target.

        What goes on with a run is the later word on it, and no run of its own.
        """
        if measurement.interrupted:
            return
        status, ended_ms = measurement.verdict.status, round((measurement.started_at + measurement.runtime_s) * 1000)
        card.runs += not measurement.continues
        card.last_run_ms, card.last_status, card.last_id = ended_ms, status.value, measurement.id
        if status.reachable:
            card.last_ok_ms = ended_ms
        if not status.reachable:
            card.failed_id = measurement.id
        if not status.reachable and not measurement.continues:
            code = find_failure(measurement)
            card.failures += 1
            card.last_code = code.value if code else ""
            if code is not None:
                card.codes[code.value] = card.codes.get(code.value, 0) + 1
        self._changed_cards[card.no] = card

    def _put_episode(self, card: Card, episode: Episode) -> None:
        known = card.episode
        if known is not None and _same_but_for_time(known, episode):
            return
        first_ms = round(episode.since.first_in * 1000)
        self._end_open_episodes(card.no, first_ms, episode)
        ended_ms = round(episode.ended.first_in * 1000) if episode.ended is not None else None
        self._connection.execute(
            "INSERT INTO episodes (target_no, first_ms, ended_ms, data) VALUES (?,?,?,?)"
            " ON CONFLICT (target_no, first_ms) DO UPDATE SET ended_ms = excluded.ended_ms, data = excluded.data",
            (card.no, first_ms, ended_ms, _ENCODER.encode(episode)),
        )
        card.episode = episode

    def _end_open_episodes(self, target_no: int, first_ms: int, successor: Episode) -> None:
        """Close what was open before an episode began; the one that began at the same moment is the same one."""
        rows = self._connection.execute(
            "SELECT no, data FROM episodes WHERE target_no = ? AND ended_ms IS NULL AND first_ms <> ?",
            (target_no, first_ms),
        ).fetchall()
        for number, data in rows:
            former = msgspec.msgpack.decode(data, type=Episode)
            ended = msgspec.structs.replace(former, ended=successor.since)
            self._connection.execute(
                "UPDATE episodes SET ended_ms = ?, data = ? WHERE no = ?", (first_ms, _ENCODER.encode(ended), number)
            )

    def _add_event(self, event: Event, measurement_id: str) -> None:
        number = find_target_no(self._connection, event.target, "") if event.target else None
        self._connection.execute(
            "INSERT INTO events (at_ms, target_no, measurement, data) VALUES (?,?,?,?)",
            (round(event.at * 1000), number, measurement_id, _ENCODER.encode(event)),
        )

    def _add_baseline(self, baseline: Baseline) -> None:
        """Keep a baseline that tells something new, and one an hour besides."""
        at_ms = round(baseline.started_at * 1000)
        shape = (baseline.state, baseline.findings, baseline.families, baseline.selective)
        known = self._last_baseline
        if known is not None and known[0] == shape and 0 <= at_ms - known[1] < HOUR_MS:
            return
        data = zlib.compress(_ENCODER.encode(baseline), 6)
        self._connection.execute(
            "INSERT INTO baselines (at_ms, state, data) VALUES (?,?,?)", (at_ms, baseline.state.value, data)
        )
        self._last_baseline = (shape, at_ms)

    def _replace_verdict(self, measurement_id: str, verdict: Verdict) -> None:
        if not self.vault.replace_verdict(measurement_id, verdict):
            return
        row = self._connection.execute(
            "SELECT target_no, at_ms FROM observations WHERE id = ?", (measurement_id,)
        ).fetchone()
        self._connection.execute(
            "UPDATE runs SET status = ?, pattern = ?, cause = ?, confidence = ?"
            " WHERE hour = ? AND target_no = ? AND at_ms = ? AND id = ?",
            (verdict.status.value, *_judged(verdict), row[1] // HOUR_MS, row[0], row[1], measurement_id),
        )

    def _now_ms(self) -> int:
        return round(self._clock.wall_s() * 1000)


def _why_kept(job: AddRun, *, changed: bool) -> Kept | None:
    """Return why a measurement is kept whole; `None` = its figures are enough."""
    if job.events:
        return Kept.CITED
    if job.measurement.verdict.status is not Status.OK:
        return Kept.FAILING
    if changed:
        return Kept.AFTER
    if job.whole:
        return Kept.ASKED
    return Kept.SAMPLE if is_sample(job.measurement.id) else None


def is_sample(measurement_id: str) -> bool:
    """Tell whether an ok measurement is one of the hundredth that is kept: by its id, so that no dice are needed."""
    return zlib.crc32(measurement_id.encode()) % SAMPLE_ONE_IN == 0


def _judged(verdict: Verdict) -> tuple[str, str, int]:
    pattern = verdict.patterns[0].value if verdict.patterns else ""
    return pattern, verdict.cause.value, int(verdict.confidence)


def _same_but_for_time(known: Episode, episode: Episode) -> bool:
    """Tell whether nothing but the last run's time changed: that one the tally has."""
    return known is episode or (
        known.since == episode.since
        and known.status is episode.status
        and known.patterns == episode.patterns
        and known.cause is episode.cause
        and known.confidence == episode.confidence
        and known.refinements == episode.refinements
        and known.unobserved_s == episode.unobserved_s
        and known.ended == episode.ended
    )
