"""Writes the table of metrics in deploy/README.md from the code: `python -m tests.deploy.metric_table`."""

from pathlib import Path

from prometheus_client.metrics_core import Metric

from tests.deploy.page import read_families

README = Path(__file__).parents[2] / "deploy" / "README.md"
BEGIN, END = "<!-- metrics: written by `python -m tests.deploy.metric_table` -->\n", "<!-- end of metrics -->\n"


def render_table() -> str:
    """Return a row for each family."""
    rows = ["| metric | type | labels | what it says |", "| --- | --- | --- | --- |"]
    rows += [_render_row(family) for family in read_families()]
    return "".join(f"{row}\n" for row in rows)


def _render_row(family: Metric) -> str:
    names = {sample.name for sample in family.samples}
    name = family.name if family.type == "histogram" else min(names)
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
    kind = "info" if name.endswith("_info") else family.type
    shown = ", ".join(f"`{label}`" for label in labels) or "–"
    return f"| `{name}` | {kind} | {shown} | {family.documentation} |"


def replace_table(text: str) -> str:
    """Return the text with the table of today between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{render_table()}{END}{after}"


if __name__ == "__main__":
    README.write_text(replace_table(README.read_text("utf-8")), "utf-8")
