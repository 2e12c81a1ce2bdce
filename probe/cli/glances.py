"""Where a glance comes from: an agent's API, or the database."""

import asyncio
import base64
from http import HTTPStatus
from typing import Protocol, TypeVar

import aiohttp
import msgspec

from probe.cli.contact import Contact
from probe.cli.no_contact import explain
from probe.cli.stored import open_reader
from probe.export.glance import Glance, Row
from probe.export.grid import HOUR_S, build_grid
from probe.export.pictures.cells import Axis
from probe.export.text.words import is_confirmed
from probe.model.cell import SEVERITY
from probe.model.episode import Episode
from probe.model.settings import Settings
from probe.model.verdict import Status
from probe.net.clock import SystemClock
from probe.store.hours import QUARTERS
from probe.store.store import Store
from probe.store.values import Tally
from probe.web.api_heat import HeatAnswer, VantageAnswer
from probe.web.openapi import EventsAnswer

_EVENTS = 8
_WITHIN_S = 10.0
_CELLS, _CELL_S = 96, 900

Answer = TypeVar("Answer")


class Source(Protocol):
    """Somebody who knows."""

    async def look(self, rows: int) -> Glance:
        """Return what is known now, with so many targets at most.

        Raises:
            UserError: nobody answers, or nothing is stored.
        """
        ...


class HttpSource:
    """An agent, over its API."""

    def __init__(self, contact: Contact) -> None:
        self._contact = contact
        pair = base64.b64encode(f"{contact.user}:{contact.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"} if contact.user else {}

    async def look(self, rows: int) -> Glance:
        """Ask three questions at once."""
        timeout = aiohttp.ClientTimeout(total=_WITHIN_S)
        trust = self._contact.trust
        connector = aiohttp.TCPConnector(ssl=True if trust is None else trust())
        try:
            async with aiohttp.ClientSession(
                trust_env=False, headers=self._headers, timeout=timeout, connector=connector
            ) as session:
                vantage, heat, events = await asyncio.gather(
                    self._ask(session, "vantage", VantageAnswer),
                    self._ask(session, f"heatmap?limit={min(rows, 10_000)}", HeatAnswer),
                    self._ask(session, f"events?limit={_EVENTS}", EventsAnswer),
                )
        except (aiohttp.ClientError, OSError, msgspec.DecodeError, ValueError) as error:
            raise explain(self._contact, error) from None
        return Glance(
            now=vantage.now,
            source=self._contact.url,
            place=_place(vantage),
            counts=vantage.statuses,
            rows=tuple(
                Row(id=one.id, address=one.address, status=one.status, since=one.since, pattern=one.pattern,
                    confidence=one.confidence, cells=_expand(one.runs))
                for one in heat.rows
            ),
            events=events.events,
        )  # fmt: skip

    async def _ask(self, session: aiohttp.ClientSession, path: str, kind: type[Answer]) -> Answer:
        url = f"{self._contact.url}/api/v1/{path}"
        async with session.get(url, server_hostname=self._contact.server_name, allow_redirects=False) as answer:
            if answer.status != HTTPStatus.OK:
                answer.raise_for_status()
                raise ValueError(f"answered {answer.status}")
            return msgspec.json.decode(await answer.read(), type=kind)


def _place(vantage: VantageAnswer) -> str:
    state = vantage.baseline.state.value.replace("_", " ") if vantage.baseline is not None else "not yet looked at"
    return f"{vantage.vantage.id} ({state}, {vantage.in_flight} runs under way)"


def _expand(runs: tuple[int, ...]) -> bytes:
    return b"".join(bytes([code]) * count for code, count in zip(runs[::2], runs[1::2], strict=False))


class FileSource:
    """The database: what was stored, whoever stores now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def look(self, rows: int) -> Glance:
        """Read it."""
        return await asyncio.to_thread(self._read, rows)

    def _read(self, rows: int) -> Glance:
        now = SystemClock().wall_s()
        with open_reader(self._settings) as store:
            episodes, tallies = store.load_episodes(), store.load_tallies()
            events = store.load_events(limit=_EVENTS)
            numbers, addresses = store.load_numbers(), store.load_addresses()
            axis = _axis(now)
            grid = build_grid(axis, _read_hours(store, axis), numbers, parts=QUARTERS)
            path = str(store.path)
            found = [
                _row(store, tally, addresses.get(target, target), episodes.get(target), grid.row(target))
                for target, tally in tallies.items()
            ]
        found.sort(key=lambda row: (-SEVERITY[row.status], -(row.since or 0.0)))
        counts = {status: sum(row.status is status for row in found) for status in Status}
        return Glance(now=now, source=path, place=self._settings.vantage.id, counts=counts, rows=tuple(found[:rows]),
                      events=events)  # fmt: skip


def _axis(now: float) -> Axis:
    end = int(now // _CELL_S) + 1
    return Axis(from_at=(end - _CELLS) * _CELL_S, cell_s=_CELL_S, cells=_CELLS)


def _read_hours(store: Store, axis: Axis) -> dict[int, bytes]:
    hours = range(int(axis.from_at // HOUR_S), int((axis.to_at - 1) // HOUR_S) + 1)
    return {hour: store.load_hour(hour).cells for hour in hours}


def _row(store: Store, tally: Tally, address: str, episode: Episode | None, cells: bytes) -> Row:
    """Return what the last run that was judged came to, confirmed or not, as the agent itself shows it."""
    row = Row(id=tally.target, address=address, status=Status.INSUFFICIENT, since=None, pattern="", confidence=0,
              cells=cells)  # fmt: skip
    if episode is not None and tally.status in (episode.status, Status.INSUFFICIENT):
        return msgspec.structs.replace(
            row,
            status=episode.status,
            since=episode.since.first_in,
            pattern=episode.patterns[0].value if episode.patterns else "",
            confidence=int(episode.confidence),
        )
    last = store.load_measurement(tally.measurement)
    if last is None:
        return msgspec.structs.replace(row, status=tally.status)
    patterns, confidence = last.verdict.patterns, int(last.verdict.confidence)
    return msgspec.structs.replace(
        row,
        status=tally.status,
        since=episode.since.first_in if episode is not None and is_confirmed(episode, tally.status) else None,
        pattern=patterns[0].value if patterns else "",
        confidence=confidence,
    )
