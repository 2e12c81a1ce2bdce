import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.export.pictures.cells import Axis, describe_cells, find_runs, find_ticks, render_axis, render_strip, worst_of
from probe.export.pictures.path import build_path, render_path
from probe.export.pictures.shares import count_column, render_shares
from probe.export.pictures.svg import element, text
from probe.export.pictures.timings import build_columns, find_phases, render_timings
from probe.model.cell import LAYERS, STATUSES, encode_cell
from probe.model.pattern import Pattern
from probe.model.verdict import Status
from probe.store.values import PhaseSpread, Run, Spread
from tests.golden.test_golden import RULES
from tests.unit.export.snapshots import NOW
from tests.unit.web.test_target_page import measure

AXIS = Axis(from_at=NOW, cell_s=900, cells=96)
CODES = st.sampled_from([0, *(s << 4 | layer for s in range(1, len(STATUSES)) for layer in range(len(LAYERS)))])
ROWS = st.lists(CODES, min_size=1, max_size=200).map(bytes)


@given(ROWS)
def test_runs_give_the_row_back(cells: bytes):
    assert b"".join(bytes([code]) * count for code, count in find_runs(cells)) == cells


@given(ROWS)
def test_any_row_is_a_picture_with_words(cells: bytes):
    picture = ET.fromstring(render_strip(cells, AXIS))
    assert picture.attrib["aria-label"] == describe_cells(cells)
    drawn = [one for one in picture if one.attrib["class"] != "over"]
    assert sum(float(one.attrib["width"].rstrip("%")) for one in drawn) == pytest.approx(
        100, abs=0.01 * len(drawn) + 0.01
    )


def test_a_worse_status_is_higher_and_a_layer_has_its_hatching():
    def height(status: Status, pattern: Pattern | None = None) -> tuple[float, list[str]]:
        rects = list(ET.fromstring(render_strip(bytes([encode_cell(status, pattern)]), AXIS)))
        return float(rects[0].attrib["height"].rstrip("%")), [r.attrib["fill"] for r in rects if "fill" in r.attrib]

    ok, _ = height(Status.OK)
    likely, _ = height(Status.LIKELY_BLOCKED, Pattern.DNS_TIMEOUT)
    blocked, hatching = height(Status.BLOCKED, Pattern.DNS_TIMEOUT)
    assert ok < likely < blocked == 100
    assert hatching == ["url(#p-dns)"]


def test_a_row_in_words():
    cells = bytes([encode_cell(Status.OK)] * 90 + [encode_cell(Status.BLOCKED, Pattern.TLS_RESET)] * 9 + [0])
    assert describe_cells(cells) == "ok 91 %, blocked 9 % (tls); no data for 1 %"
    assert describe_cells(bytes(5)) == "no data"
    rare = bytes([encode_cell(Status.OK)] * 995 + [encode_cell(Status.DOWN)])
    assert "down under 1 %" in describe_cells(rare)


def test_the_worst_of_rows_is_taken_cell_by_cell():
    ok, bad = encode_cell(Status.OK), encode_cell(Status.DOWN)
    assert worst_of([bytes([ok, 0, bad]), bytes([bad, 0, ok])]) == bytes([bad, 0, bad])
    assert worst_of([bytes([ok])]) == bytes([ok])
    assert worst_of([]) == b""


@pytest.mark.parametrize(("cell_s", "cells"), [(900, 96), (3600, 168), (14400, 180), (86400, 365), (1, 5)])
def test_ticks_are_round_and_few(cell_s: float, cells: int):
    axis = Axis(from_at=NOW, cell_s=cell_s, cells=cells)
    ticks = find_ticks(axis)
    assert len(ticks) <= 13
    assert all(0 < share < 1 for share, _ in ticks)
    assert all(":00" in words or " " in words for _, words in ticks)
    ET.fromstring(render_axis(axis))


@given(st.lists(ROWS, min_size=1, max_size=30))
def test_any_columns_are_a_picture_of_what_is_not_ok(columns: list[bytes]):
    counts = [count_column(column) for column in columns]
    picture = ET.fromstring(render_shares(counts, AXIS))
    assert "s-ok" not in {one.attrib.get("class") for one in picture}
    highest = max(sum(n for status, n in column.items() if status is not Status.OK) for column in counts)
    assert f"at most {highest:,} at once" in picture.attrib["aria-label"]
    top = min((float(r.attrib["y"]) for r in picture if r.attrib.get("class", "").startswith("s-")), default=6)
    assert top >= 6 - 0.02


@pytest.mark.parametrize("rule", RULES)
def test_every_way_is_drawn_and_said(rule: str):
    path = build_path(measure(rule))
    picture = ET.fromstring(render_path(path))
    for way in path.ways:
        for lane in way.lanes:
            assert lane.words in picture.attrib["aria-label"]
            assert 0 < lane.ends <= 1


def test_a_break_is_where_the_trace_found_it():
    path = build_path(measure("ip.drop.traced"))
    assert path.locus == "hop 3"
    assert path.break_at is not None
    broken = [lane for way in path.ways for lane in way.lanes if lane.mark.value == "broken"]
    assert broken
    assert all(lane.ends == path.break_at and not lane.guessed for lane in broken)


def test_a_refusal_of_the_server_is_drawn_at_the_server():
    path = build_path(measure("srv.cert_expired.chain_valid"))
    assert all(lane.ends == 1.0 for way in path.ways for lane in way.lanes)


def test_a_forged_answer_is_not_drawn_as_a_success():
    path = build_path(measure("dns.injection.race.conflict"))
    marks = {lane.mark.value for way in path.ways for lane in way.lanes if lane.to_resolver}
    assert "odd" in marks


def make_run(at: float, status: Status, *, runs: int = 1, until: float | None = None, **took: float) -> Run:
    spreads = tuple(
        PhaseSpread(name=name, family=4, runs=runs, durations=Spread(min_s=value, mean_s=value, max_s=value))
        for name, value in took.items()
    )
    lasted = Spread(min_s=0.1, mean_s=0.1, max_s=0.1)
    return Run(target="t", first_at=at, last_at=until or at, runs=runs, status=status, durations=lasted, phases=spreads)


def test_phases_stand_in_the_order_in_which_they_happen_and_failures_are_marked():
    runs = [
        make_run(NOW + 100, Status.OK, runs=12, until=NOW + 3500, tls=0.05, resolve=0.02, connect=0.04),
        make_run(NOW + 9000, Status.BLOCKED, resolve=0.02),
    ]
    columns = build_columns(runs, AXIS, 4)
    assert list(columns[0].phases) == ["resolve", "connect", "tls"]
    assert columns[2].runs == 12
    assert (columns[10].worst, columns[3].worst, columns[50].runs) == (Status.BLOCKED, None, 0)
    assert find_phases(columns)[0] == ("resolve", pytest.approx(0.02))
    picture = ET.fromstring(render_timings(columns, AXIS))
    assert "failed in 1 of 96" in picture.attrib["aria-label"]
    assert "".join(picture.itertext()).count("✗") == 1


def test_one_slow_run_does_not_flatten_the_others():
    runs = [make_run(NOW + 900 * n, Status.OK, connect=10.0 if n == 5 else 0.05) for n in range(96)]
    picture = ET.fromstring(render_timings(build_columns(runs, AXIS, 4), AXIS))
    heights = [float(one.attrib["height"]) for one in picture if one.attrib.get("class") == "ph-connect"]
    assert min(heights) > 50
    assert max(heights) <= 150


def test_no_runs_are_a_picture_too():
    ET.fromstring(render_timings(build_columns([], AXIS, 4), AXIS))


@given(st.text(), st.text())
def test_any_words_are_well_formed(words: str, value: str):
    made = ET.fromstring(element("text", text(words), aria_label=value, class_="c", x=1.5))
    assert made.attrib["class"] == "c"
    assert made.attrib["x"] == "1.5"
