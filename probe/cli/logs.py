"""Log lines as logfmt or JSON on stderr: time, level, message, and the fields that belong to it.

Measurements write to a logger of their own with a level of its own (`--log.prober`), so that looking at each run does
not take turning everything else on. What repeats is let through at a bounded rate: a country-wide change, or somebody
who knocks all night, must not fill a disk.
"""

import datetime
import json
import logging
import sys
import time
from collections.abc import Callable
from enum import StrEnum

from probe.model.stats import LogStats

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {number: name for name, number in LEVELS.items()}
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
MEASUREMENTS = "wallprobe.measurement"
BURST = 200
PER_S = 20.0
"""Lines of one text: so many at once, and so many a second after that."""
_KINDS = 1000


class LogFormat(StrEnum):
    """The two formats that the Prometheus family writes."""

    LOGFMT = "logfmt"
    JSON = "json"


class FieldFormatter(logging.Formatter):
    """Writes a record's own fields beside its message."""

    def __init__(self, log_format: LogFormat, hide: Callable[[str], str] = str) -> None:
        """Prepare; each line passes `hide` before it is written."""
        super().__init__()
        self._hide = hide
        self._log_format = log_format

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; an exception's trace follows in a field of it."""
        stamp = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {
            "time": stamp.replace("+00:00", "Z"),
            "level": _NAMES.get(record.levelno, "error"),
            "msg": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        if self._log_format is LogFormat.JSON:
            return self._hide(json.dumps(fields, ensure_ascii=False, default=str))
        return self._hide(" ".join(f"{name}={_quote(str(value))}" for name, value in fields.items()))


def _quote(value: str) -> str:
    if value and all(c.isprintable() and c not in ' "=' for c in value):
        return value
    return json.dumps(value, ensure_ascii=False)


class LineLimit(logging.Filter):
    """Lets lines of one text through at a bounded rate; the next one that passes says how many did not."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._kinds: dict[tuple[str, int, str], list[float]] = {}
        """Of each text: tokens left, when they were counted, and lines left out since the last that passed."""
        self._lines: dict[str, int] = dict.fromkeys(LEVELS, 0)
        self._suppressed = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is written; called under the writer's lock."""
        now_s = self._now_s()
        kind = self._kinds.setdefault((record.name, record.levelno, str(record.msg)), [BURST, now_s, 0])
        kind[0] = min(BURST, kind[0] + (now_s - kind[1]) * PER_S)
        kind[1] = now_s
        if kind[0] < 1.0:
            kind[2] += 1
            self._suppressed += 1
            return False
        kind[0] -= 1.0
        if kind[2]:
            record.suppressed = int(kind[2])
            kind[2] = 0
        if len(self._kinds) > _KINDS:  # texts are constants: this is for libraries that put values into theirs
            self._kinds.clear()
        self._lines[_NAMES.get(record.levelno, "error")] += 1
        return True

    def stats(self) -> LogStats:
        """Return how much was written, and how much was not."""
        return LogStats(lines=dict(self._lines), suppressed_total=self._suppressed)


def set_up_logs(
    level: str, log_format: LogFormat, measurements: str = "warn", hide: Callable[[str], str] = str
) -> LineLimit:
    """Write everything from this level up to stderr, and measurements from theirs; `hide` sees each line first."""
    limit = LineLimit()
    writer = logging.StreamHandler(sys.stderr)
    writer.setFormatter(FieldFormatter(log_format, hide))
    writer.addFilter(limit)
    logging.basicConfig(level=LEVELS[level], handlers=[writer], force=True)
    logging.getLogger(MEASUREMENTS).setLevel(LEVELS[measurements])
    return limit
