"""The log: formats, levels, and how many lines of a kind there may be."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from probe.cli.logs import BURST, MEASUREMENTS, FieldFormatter, LineLimit, LogFormat, set_up_logs


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Give the root logger, and put back what a test changes."""
    logger, measured = logging.getLogger(), logging.getLogger(MEASUREMENTS)
    before = (logger.handlers[:], logger.level, measured.level)
    yield logger
    logger.handlers[:] = before[0]
    logger.setLevel(before[1])
    measured.setLevel(before[2])


def record(text: str = "state changed", level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("wallprobe", level, "f.py", 1, text, (), None)


def test_a_storm_of_one_text_is_cut_and_the_next_line_says_by_how_much():
    clock = Clock()
    limit = LineLimit(clock)
    passed = [limit.filter(record()) for _ in range(BURST + 50)]
    assert passed.count(True) == BURST
    clock.now_s += 1.0
    late = record()
    assert limit.filter(late)
    assert late.suppressed == 50
    assert limit.filter(record("vantage changed"))
    stats = limit.stats()
    assert (stats.lines["info"], stats.suppressed_total) == (BURST + 2, 50)


def test_lines_at_a_usual_pace_all_pass():
    clock = Clock()
    limit = LineLimit(clock)
    for _ in range(1000):
        clock.now_s += 0.1
        assert limit.filter(record())
    assert limit.stats().suppressed_total == 0


def test_texts_that_are_all_different_do_not_grow_the_memory():
    limit = LineLimit(Clock())
    for number in range(5000):
        limit.filter(record(f"text {number}"))
    assert len(limit._kinds) <= 1001


@pytest.mark.parametrize(
    ("level", "prober", "shown"), [("info", "warn", 1), ("info", "info", 2), ("error", "debug", 2)]
)
def test_measurements_have_a_level_of_their_own(root, level, prober, shown):
    set_up_logs(level, LogFormat.JSON, prober)
    stream = io.StringIO()
    (handler,) = root.handlers
    handler.setStream(stream)
    logging.getLogger("wallprobe").info("agent")
    logging.getLogger(MEASUREMENTS).info("measured", extra={"target": "a"})
    logging.getLogger(MEASUREMENTS).debug("measured", extra={"target": "b"})
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == shown


def test_a_field_cannot_begin_a_line_of_its_own():
    for form in LogFormat:
        line = FieldFormatter(form).format(logging.makeLogRecord({"msg": "x", "target": "a\nlevel=error msg=forged"}))
        assert "\n" not in line
