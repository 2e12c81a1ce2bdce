"""A job's outcome, as lines for a person and as JSON for a machine."""

import msgspec

from tests.bench.figures import Figure, render_figures


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a job found."""

    figures: list[Figure] = []
    notes: list[str] = []

    @property
    def holds(self) -> bool:
        """Tell whether no figure is over its limit."""
        return all(figure.verdict != "over" for figure in self.figures)


def render_header(host: dict[str, str]) -> str:
    """Return the lines that say what was measured on."""
    width = max(map(len, host))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in host.items())


def render_outcome(job: str, outcome: Outcome) -> str:
    """Return a job's section."""
    lines = [f"\n{job}", *(f"  {line}" for line in render_figures(outcome.figures))]
    return "\n".join((*lines, *(f"  {note}" for note in outcome.notes)))


def encode_report(host: dict[str, str], outcomes: dict[str, Outcome]) -> bytes:
    """Return the whole report as JSON."""
    sections = {
        job: {
            "figures": [
                {
                    "name": figure.name,
                    "median": figure.spread.median,
                    "low": figure.spread.low,
                    "high": figure.spread.high,
                    "readings": figure.spread.readings,
                    "unit": figure.unit,
                    "limit": figure.limit,
                    "verdict": figure.verdict,
                }
                for figure in outcome.figures
            ],
            "notes": outcome.notes,
        }
        for job, outcome in outcomes.items()
    }
    return msgspec.json.format(msgspec.json.encode({"host": host, "jobs": sections}))
