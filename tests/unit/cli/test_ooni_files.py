"""Files as analysts have them: saved by editors, cut by transfers, printed in many ways."""

import gzip
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.cli.ooni_files import MAX_JOINED_BYTES, MAX_MEASUREMENT_BYTES, read_measurements
from probe.model.errors import ProtocolError
from probe.protocols.ooni.measurement import parse_measurement
from tests.unit.protocols.ooni_worlds import make_worlds

ONE = make_worlds()["successWithHTTPS"]
LINE = json.dumps(ONE).encode()


def read(path, data):
    """Return each line that is a measurement with its address, or with what is wrong."""
    path.write_bytes(data)
    found = []
    for number, line in read_measurements(str(path)):
        try:
            if isinstance(line, ProtocolError):
                raise line
            found.append((number, parse_measurement(line).input))
        except ProtocolError as error:
            found.append((number, f"! {error}"))
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "measurements"


@pytest.mark.parametrize(
    "data",
    [
        LINE,
        LINE + b"\n",
        b"\xef\xbb\xbf" + LINE,
        b"\r\n\r\n" + LINE + b"\r\n",
        json.dumps(ONE, indent=4).encode(),
        json.dumps(ONE, indent="\t").replace("\n", "\r\n").encode("utf-8-sig"),
        b'{"annotations": {},\n' + LINE[1:],
        gzip.compress(json.dumps(ONE, indent=1).encode()),
        gzip.compress(LINE[:100]) + gzip.compress(LINE[100:]),
        json.dumps({"anomaly": False, "raw_measurement": json.dumps(ONE) + "\n"}).encode(),
        LINE.replace(b'"test_runtime": ', b'"test_runtime": NaN, "x": '),
        LINE.replace(b'"report_id": ""', b'"report_id": "\\ud83d"'),
        LINE.replace(b'"Consortium GARR"', b'"Consortium \xe9"'),
        LINE[:-1] + b', "input": "' + ONE["input"].encode() + b'"}',
    ],
)
def test_one_measurement_is_one_however_it_was_saved(path, data):
    assert [address for _, address in read(path, data)] == [ONE["input"]]


def test_of_a_key_that_stands_twice_the_last_one_counts(path):
    ((_, address),) = read(path, LINE[:-1] + b', "input": "https://other.example/"}')
    assert address == "https://other.example/"


def test_lines_that_are_no_good_cost_themselves_alone(path):
    bad = (b"{broken", LINE[:300], b'"text"', b"[1, 2]", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000 + b"}")
    found = read(path, b"\n".join(line for one in bad for line in (one, LINE)))
    good = [number for number, said in found if said == ONE["input"]]
    assert good == [2, 4, 6, 8, 10, 12, 14]
    assert len(found) == 14


@pytest.mark.parametrize("end", [b"", b"}\n"])
def test_a_text_over_several_lines_that_is_cut_is_one_error(path, end):
    text = json.dumps(ONE, indent=1).encode()
    ((number, said),) = read(path, text[: len(text) // 2] + end)
    assert (number, said[:10]) == (1, "! not JSON")


def test_a_line_that_nobody_measured_is_left_out_in_bounded_memory(path):
    filler = b'{"x":"' + b"a" * (MAX_MEASUREMENT_BYTES + MAX_JOINED_BYTES) + b'"}'
    path.write_bytes(gzip.compress(filler + b"\n" + LINE, compresslevel=1))
    tracemalloc.start()
    try:
        (number, wrong), (after, line) = read_measurements(str(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (number, after, line) == (1, 2, LINE)
    assert "longer than" in str(wrong)
    assert peak < 3 * MAX_MEASUREMENT_BYTES


@given(st.lists(st.sampled_from([LINE, b"{", b"}", b"[", b"", b" ", b'{"a":1', b"\xff", b"null"]), max_size=8))
def test_any_lines_are_measurements_and_errors(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("any") / "lines"
    found = read(path, b"\n".join(lines))
    assert len(found) <= max(1, len(lines))
