"""The board: built by code, and its queries ask for what is there."""

import re
import runpy
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_prometheus import asked_names, call, known_names

BOARD = Path(__file__).parents[2] / "deploy" / "grafana"
built: dict[str, Any] = runpy.run_path(str(BOARD / "build.py"))
board: dict[str, Any] = built["build"]()


def queries() -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def test_the_file_is_what_the_code_builds():
    assert (BOARD / "wallprobe.json").read_text() == built["render"](), "run `python deploy/grafana/build.py`"


def test_every_query_asks_for_what_is_exported():
    for expr in queries():
        assert asked_names(expr), expr
        assert asked_names(expr) <= known_names(), expr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_every_query_is_valid(tmp_path):
    rules = [
        {"record": f"board:query{number}:x", "expr": re.sub(r"\$\w+", "x", expr)}
        for number, expr in enumerate(queries())
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    call("promtool", "check", "rules", str(path))


def test_every_variable_in_a_query_is_defined():
    defined = {variable["name"] for variable in board["templating"]["list"]}
    for expr in queries():
        assert set(re.findall(r"\$(\w+)", expr)) <= defined, expr


def test_panels_have_their_own_number_and_place_and_say_what_they_show():
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    assert all(panel["gridPos"]["x"] >= 0 and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert all(panel["title"] for panel in panels)
