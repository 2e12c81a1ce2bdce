"""Log lines as logfmt or JSON on stderr: time, level, message, and the fields that belong to it."""

import datetime
import json
import logging
import sys
from enum import StrEnum

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn", logging.ERROR: "error"}
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogFormat(StrEnum):
    """The two formats that the Prometheus family writes."""

    LOGFMT = "logfmt"
    JSON = "json"


class FieldFormatter(logging.Formatter):
    """Writes a record's own fields beside its message."""

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
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
            return json.dumps(fields, ensure_ascii=False, default=str)
        return " ".join(f"{name}={_quote(str(value))}" for name, value in fields.items())


def _quote(value: str) -> str:
    if value and all(c.isprintable() and c not in ' "=' for c in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def set_up_logs(level: str, log_format: LogFormat) -> None:
    """Write everything from this level up to stderr."""
    writer = logging.StreamHandler(sys.stderr)
    writer.setFormatter(FieldFormatter(log_format))
    logging.basicConfig(level=_LEVELS[level], handlers=[writer], force=True)
