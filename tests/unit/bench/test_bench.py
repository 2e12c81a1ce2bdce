import gzip
import json
from pathlib import Path

import pytest

from tests.bench.__main__ import main
from tests.bench.bundled_dns import build_answer
from tests.bench.figures import Figure, ratios_within_rounds, reading, render_figures, spread_of
from tests.bench.jobs.size import find_functions
from tests.bench.report import Outcome
from tests.bench.scrape import read_body, sum_samples
from tests.bench.servers import address_of, name_of

PAGE = b"""# HELP runs_total Runs.
# TYPE runs_total counter
runs_total{target="a",status="ok"} 3
runs_total{target="b",status="down"} 4
runs_total_of_others 50
loop_lag_seconds 0.25
"""


def test_a_spread_has_the_median_and_both_ends():
    spread = spread_of([3.0, 1.0, 2.0, 9.0])
    assert (spread.median, spread.low, spread.high) == (2.5, 1.0, 9.0)


def test_nothing_read_is_no_spread():
    with pytest.raises(ValueError, match="no readings"):
        spread_of([])


def test_a_round_that_was_slow_for_both_leaves_the_ratio_as_it_is():
    assert ratios_within_rounds([1.0, 4.0, 2.0], [2.0, 8.0, 4.0]).readings == (0.5, 0.5, 0.5)


def test_rounds_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        ratios_within_rounds([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("readings", "noisy"), [((1.0, 1.1, 0.9), False), ((1.0, 1.3, 1.0), True), ((0.7, 1, 1), True)]
)
def test_a_reading_a_quarter_away_from_the_median_is_noise(readings, noisy):
    assert spread_of(readings).noisy is noisy


@pytest.mark.parametrize(
    ("value", "limit", "noisy", "verdict"),
    [(1.0, None, False, ""), (0.9, 0.95, False, "ok"), (1.0, 0.95, False, "over"), (1.0, 0.95, True, "noisy")],
)
def test_a_figure_is_held_against_its_limit_unless_its_reference_was_noisy(value, limit, noisy, verdict):
    figure = Figure(name="x", spread=spread_of([value]), unit="", limit=limit, noisy=noisy)
    assert figure.verdict == verdict
    assert Outcome(figures=[figure]).holds is (verdict != "over")


def test_a_line_of_the_table_says_figure_spread_and_limit():
    figure = Figure(name="ratio", spread=spread_of([0.8, 0.9, 1.0]), unit="", limit=0.95)
    (line, single) = render_figures([figure, reading("modules", 12, "", digits=0)])
    assert line.split() == ["ratio", "0.900", "0.800", "to", "1.000", "limit", "0.95:", "ok"]
    assert single.split() == ["modules", "12"]


def test_samples_are_added_up_by_name_and_by_what_their_labels_hold():
    assert sum_samples(PAGE, "runs_total") == 7
    assert sum_samples(PAGE, "runs_total", holding='status="ok"') == 3
    assert sum_samples(PAGE, "loop_lag_seconds") == 0.25


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", b"hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi", mtime=0), b"hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi", mtime=0)[:-4], b""),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nhi", b""),
    ],
)
def test_an_answer_gives_its_body_only_when_it_is_whole_and_good(answer, body):
    assert read_body(answer) == body


def test_each_name_has_an_address_of_its_own():
    numbers = range(0, 200_000, 7)
    assert len({address_of(number) for number in numbers}) == len(numbers)


def test_the_bundled_name_server_says_what_the_zone_of_the_real_one_says():
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name_of(6300).split("."))
    question = labels + b"\x00\x00\x01\x00\x01"
    query = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + question
    answer = build_answer(query, 10_000)
    assert answer[:2] == query[:2]
    assert ".".join(map(str, answer[-4:])) == address_of(6300)
    assert build_answer(query, 6300)[3] & 15 == 3


def test_a_function_is_as_long_as_its_lines_with_decorators(tmp_path: Path):
    file = tmp_path / "piece.py"
    file.write_text("@one\n@two(\n    3\n)\ndef f():\n    def g():\n        pass\n    return g\n", encoding="utf-8")
    assert find_functions(file) == [(8, "piece.f"), (2, "piece.g")]


def test_the_report_on_size_comes_as_text_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "report.json"
    main(["size", "--quick", "--json", str(file)])
    printed = capsys.readouterr().out
    assert "longest file" in printed
    report = json.loads(file.read_text(encoding="utf-8"))
    assert {"processor", "kernel", "python", "loop", "tls"} <= set(report["host"])
    figures = {figure["name"]: figure for figure in report["jobs"]["size"]["figures"]}
    assert figures["modules"]["median"] > 100
    assert figures["longest file"]["limit"] == 400
