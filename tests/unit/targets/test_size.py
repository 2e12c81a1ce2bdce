"""The figures that lists are held to: 100,000 lines in less than 3 s, and less than 2 KB of memory per target."""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from probe.model.settings import Defaults, TargetSource
from probe.targets.lists.formats import parse_list
from probe.targets.lists.loaded import Loaded

LINES = 100_000
LIMIT_S = 3.0
LIMIT_BYTES = 2048
CSV_HEAD = "url,category_code,category_description,date_added,source,notes\n"


def per_line(line: str, head: str = "") -> Callable[[int], str]:
    """Return a list with that many lines, `{}` standing for their number."""
    return lambda lines: head + "".join(line.replace("{}", str(number)) for number in range(lines))


def discovery(lines: int) -> str:
    names = [f"https://www.site{number}.example.org/" for number in range(lines)]
    return json.dumps([{"targets": names, "labels": {"team": "web"}}], indent=1)


def mixed(lines: int) -> str:
    """Return a list in which every fourth line is one that has to be taken apart and encoded."""
    plain = per_line("http://www.site{}.example.org/page?x=1\n")(lines - lines // 4)
    return plain + per_line("https://www.site{}.example.org:8443/page?x=é\n")(lines // 4)


LISTS = {
    "plain.txt": per_line("https://www.site{}.example.org/\n"),
    "mixed.txt": mixed,
    "citizenlab.csv": per_line('http://www.site{}.example.org/path,NEWS,News,2014,me,"a, note"\n', CSV_HEAD),
    "list.yaml": per_line("  - https://www.site{}.example.org/\n", "targets:\n"),
    "entries.yaml": lambda lines: per_line("  - uri: https://s{}.example.org/\n    group: g\n", "targets:\n")(
        lines // 2
    ),
    "sd.json": discovery,
    "bad.txt": per_line("htps://www.site{}.example.org/\n"),
}


def parse(name: str, text: str) -> Loaded:
    return parse_list(text.encode(), f"/etc/wallprobe/{name}", Defaults(), TargetSource(file=name))


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_100_000_lines_load_in_3_seconds(name):
    text = LISTS[name](LINES)
    spent_s: list[float] = []
    # CPU time, and the best of three: other work on the machine must not decide.
    while len(spent_s) < 3 and min(spent_s, default=LIMIT_S) >= LIMIT_S:
        gc.collect()
        started = time.process_time()
        loaded = parse(name, text)
        spent_s.append(time.process_time() - started)
        assert len(loaded.targets) + len(loaded.errors) == (LINES // 2 if name == "entries.yaml" else LINES)
    assert min(spent_s) < LIMIT_S


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LISTS if name != "bad.txt"])
def test_a_target_takes_less_than_2_kilobytes(name):
    text = LISTS[name](LINES // 5)
    gc.collect()
    tracemalloc.start()
    loaded = parse(name, text)
    gc.collect()
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes / len(loaded.targets) < LIMIT_BYTES
