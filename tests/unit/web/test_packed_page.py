"""What is kept between scrapes is what would be made anew."""

import gzip
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.export.metrics.families import Format, Slot
from probe.export.metrics.target import TargetChunk, render_family, render_target
from probe.model.settings import PerTarget
from probe.model.verdict import Status
from probe.web.gzip_pieces import HEAD, Stream
from probe.web.packed_page import BLOCK_TARGETS, PackedPage, Taken
from tests.unit.export.snapshots import make_snapshot, make_target

STATUSES = (Status.OK, Status.BLOCKED, Status.INSUFFICIENT)


def chunk(number: int = 0, status: Status = Status.OK, level: PerTarget = PerTarget.FULL, **fields) -> TargetChunk:
    return render_target(make_snapshot(number, status, **fields), level)


def scrape(blocks: Sequence[Taken], wanted: Format = Format.TEXT) -> tuple[bytes, int]:
    """Return the text of a page, and how many pieces had to be made for it."""
    stream, packed, made = Stream(), HEAD, 0
    for slot in Slot:
        for block in blocks:
            piece = block.find(slot, wanted)
            if piece is None:
                piece = block.make(slot, wanted)
                block.keep(slot, wanted, piece)
                made += 1
            packed += stream.add(piece)
    return gzip.decompress(packed + stream.end()), made


def plain(chunks: Sequence[TargetChunk], wanted: Format = Format.TEXT) -> bytes:
    return b"".join([render_family(slot, chunks, wanted) for slot in Slot])


def test_a_second_scrape_makes_nothing_again():
    page, chunks = PackedPage(), [chunk(number) for number in range(20)]
    assert scrape(list(page.take(chunks))) == (plain(chunks), len(Slot))
    assert scrape(list(page.take(list(chunks)))) == (plain(chunks), 0)


def test_the_other_format_differs_in_the_failures_alone():
    page, chunks = PackedPage(), [chunk(number) for number in range(20)]
    scrape(list(page.take(chunks)))
    assert scrape(list(page.take(chunks)), Format.OPENMETRICS) == (plain(chunks, Format.OPENMETRICS), 1)
    assert scrape(list(page.take(chunks))) == (plain(chunks), 0)


def test_a_target_that_ran_again_and_says_the_same_costs_the_families_of_its_times():
    page, chunks = PackedPage(), [chunk(number) for number in range(20)]
    scrape(list(page.take(chunks)))
    chunks[7] = chunk(7, last_run_at=1_700_000_300.0, runs_total=9000)
    text, made = scrape(list(page.take(chunks)))
    assert text == plain(chunks)
    assert made == len({Slot.LAST_RUN, Slot.RUNS})


@pytest.mark.parametrize(
    "other",
    [
        chunk(3, Status.BLOCKED),
        chunk(4),
        chunk(3, target=make_target(3, group="elsewhere")),
        chunk(3, level=PerTarget.STATUS),
        chunk(3, level=PerTarget.NONE),
        chunk(3, failed_measurement="01JB" + "Z" * 22),
        chunk(3, verdict=None),
    ],
)
@pytest.mark.parametrize("wanted", list(Format))
def test_whatever_changes_is_on_the_next_page(other, wanted):
    page, chunks = PackedPage(), [chunk(number) for number in range(6)]
    for form in Format:
        scrape(list(page.take(chunks)), form)
    chunks[3] = other
    assert scrape(list(page.take(chunks)), wanted)[0] == plain(chunks, wanted)


def test_targets_that_come_and_go_move_what_stands_behind_them():
    page, chunks = PackedPage(), [chunk(number) for number in range(BLOCK_TARGETS + 3)]
    scrape(list(page.take(chunks)))
    for fewer in (chunks[1:], chunks[:2], [], chunks):
        assert scrape(list(page.take(fewer)))[0] == plain(fewer)


def test_a_slow_reader_gets_the_page_it_came_for_and_spoils_no_newer_one():
    page, chunks = PackedPage(), [chunk(number) for number in range(6)]
    slow = list(page.take(chunks))
    newer = [*chunks[:2], chunk(2, Status.DOWN), *chunks[3:]]
    quick = list(page.take(newer))
    assert scrape(slow)[0] == plain(chunks)
    assert scrape(quick)[0] == plain(newer)
    assert scrape(slow)[0] == plain(chunks)
    assert scrape(list(page.take(newer))) == (plain(newer), 0)


def test_a_scrape_of_fewer_targets_may_come_in_the_middle_of_one_of_more():
    page, chunks = PackedPage(), [chunk(number) for number in range(2 * BLOCK_TARGETS + 3)]
    long = page.take(chunks)
    begun = [next(long), next(long)]
    assert scrape(list(page.take(chunks[:2])))[0] == plain(chunks[:2])
    assert scrape([*begun, *long])[0] == plain(chunks)
    assert scrape(list(page.take(chunks)))[0] == plain(chunks)


def test_what_is_forgotten_is_made_again():
    page, chunks = PackedPage(), [chunk()]
    scrape(list(page.take(chunks)))
    page.forget()
    assert scrape(list(page.take(chunks))) == (plain(chunks), len(Slot))


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(STATUSES), st.booleans()), max_size=12))
@settings(deadline=None)
def test_after_any_changes_the_page_is_the_plain_one(changes):
    page, chunks = PackedPage(), [chunk(number) for number in range(5)]
    for number, status, wanted in changes:
        if number < len(chunks):
            chunks[number] = render_target(
                msgspec.structs.replace(make_snapshot(number, status), failures_total=number), PerTarget.FULL
            )
        else:
            del chunks[number - 5 :]
        form = Format.OPENMETRICS if wanted else Format.TEXT
        assert scrape(list(page.take(chunks)), form)[0] == plain(chunks, form)
