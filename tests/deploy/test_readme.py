"""deploy/README.md keeps up with the code."""

import re

from probe.export.metrics.families import OWN_SERIES, SERIES_PER_TARGET
from probe.model.settings import PerTarget
from tests.deploy.metric_table import README, replace_table


def test_the_table_of_metrics_is_that_of_the_code():
    text = README.read_text()
    assert replace_table(text) == text, "run `python -m tests.deploy.metric_table`"


def test_the_formula_has_the_figures_of_the_code():
    found = re.search(r"series = (\d+) \+ targets × (\d+) \(`full`\) or (\d+) \(`status`\)", README.read_text())
    assert found is not None
    figures = (OWN_SERIES, SERIES_PER_TARGET[PerTarget.FULL], SERIES_PER_TARGET[PerTarget.STATUS])
    assert tuple(int(figure) for figure in found.groups()) == figures
