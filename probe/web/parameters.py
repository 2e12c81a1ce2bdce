"""Query parameters, read strictly: a misspelt one is an error and not a default."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from probe.model.verdict import Status

LIMIT_ROWS = 1000
Choice = TypeVar("Choice", bound=StrEnum)
_TEXT_CHARACTERS = 500


class ParameterError(Exception):
    """The client sent one that we cannot use; the text is one line and says why."""


def refuse_unknown(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    """Check that every parameter is known and given once.

    Raises:
        ParameterError: one is not.
    """
    names = [name for name, _ in query.items()]  # keys alone leave out doubles in some versions of multidict
    for name in names:
        if name not in known:
            raise ParameterError(f"unknown parameter {name[:40]!r}; known: {', '.join(known)}")
        if names.count(name) > 1:
            raise ParameterError(f"{name} is given twice")


def read_limit(query: Mapping[str, str], default: int, most: int = LIMIT_ROWS) -> int:
    """Return `limit`, from 1 to the most there may be.

    Raises:
        ParameterError: it is not such a number.
    """
    return _read_whole(query, "limit", default, 1, most)


def read_offset(query: Mapping[str, str]) -> int:
    """Return `offset`, how many rows to leave out.

    Raises:
        ParameterError: it is not a number.
    """
    return _read_whole(query, "offset", 0, 0, 10_000_000)


def read_page(query: Mapping[str, str]) -> int:
    """Return `page`, counted from 1.

    Raises:
        ParameterError: it is not a number.
    """
    return _read_whole(query, "page", 1, 1, 1_000_000)


def _read_whole(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and low <= int(text) <= high):
        raise ParameterError(f"{name} must be a number from {low} to {high}")
    return int(text)


def read_since(query: Mapping[str, str]) -> float:
    """Return `since` as wall time: seconds since the epoch, or an ISO 8601 time (UTC if it names no zone).

    Raises:
        ParameterError: it is neither.
    """
    text = query.get("since", "0")
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            seconds = math.nan
    if not 0.0 <= seconds < 1e11:
        raise ParameterError("since must be seconds since the epoch or a time such as 2026-11-20T14:05:00Z")
    return seconds


def read_status(query: Mapping[str, str]) -> Status | None:
    """Return `status`; `None` = any.

    Raises:
        ParameterError: there is no such status.
    """
    text = query.get("status", "")
    if not text:
        return None
    try:
        return Status(text)
    except ValueError:
        raise ParameterError(f"status must be one of {', '.join(Status)}") from None


def read_choice(query: Mapping[str, str], name: str, choices: type[Choice], default: Choice) -> Choice:
    """Return one of several words.

    Raises:
        ParameterError: it is none of them.
    """
    text = query.get(name, "")
    try:
        return choices(text) if text else default
    except ValueError:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}") from None


def read_text(query: Mapping[str, str], name: str) -> str:
    """Return a free text of at most 500 characters.

    Raises:
        ParameterError: it is longer.
    """
    text = query.get(name, "")
    if len(text) > _TEXT_CHARACTERS:
        raise ParameterError(f"{name} is longer than {_TEXT_CHARACTERS} characters")
    return text
