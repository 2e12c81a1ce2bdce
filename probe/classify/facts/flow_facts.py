"""The volume runs of one page, as rules and planner ask them: tests, the same page otherwise, and the line's speed."""

import functools

from probe.classify.facts.volumes import SOME_BYTES, is_stalled, rate_of, stall_at
from probe.classify.tries import Layer, Outcome, Try
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.observation import Ending, HTTPExchange


def is_same_page(twin: HTTPExchange, page: HTTPExchange) -> bool:
    """Tell whether another route to the server brought the same page, as far as it came."""
    if twin.status != page.status or twin.body_bytes < SOME_BYTES:
        return False
    declared = {header(twin, "content-length"), header(page, "content-length")}
    return len(declared) == 1 or twin.title == page.title


def header(page: HTTPExchange, name: str) -> str:
    """Return a header's value, or an empty string."""
    return next((value for key, value in page.headers if key.lower() == name), "")


class Flows:
    """All runs that belong to one page of the check."""

    def __init__(self, table: tuple[Try, ...], page: HTTPExchange) -> None:
        self.page = page
        mine = [row for row in table if row.hop == page.hop and row.experiment is not None]
        self._rows = [row for row in mine if row.experiment and row.experiment.design is Design.VOLUME]
        self._echoed = [row for row in mine if row.experiment and row.experiment.design is Design.FLOW]
        self.done = {row.experiment.id for row in (*self._rows, *self._echoed) if row.experiment and _ends(row)}
        """Ids of the runs that ended: with an exchange, or before one."""
        self.tests = self._pages(NameKind.TEST, Step.FETCH)
        self.twins = self._pages(NameKind.NEUTRAL, Step.FETCH)
        self.line = self._pages(NameKind.NEUTRAL, Step.NEUTRAL_PAGE)
        self.twins_refused = any(
            row.kind is NameKind.NEUTRAL and row.experiment and row.experiment.step is Step.FETCH
            and row.layer is not Layer.HTTP and row.outcome is not Outcome.OK
            for row in self._rows
        )  # fmt: skip
        """The same server did not come to a page under another name."""
        self._again = [
            row.observation
            for row in table
            if row.hop == page.hop and row.kind is NameKind.TEST and isinstance(row.observation, HTTPExchange)
            and row.observation.secure is page.secure and row.place in (Place.OWN, Place.SIBLING)
        ]  # fmt: skip

    def _pages(self, kind: NameKind, step: Step) -> list[HTTPExchange]:
        return [
            row.observation
            for row in self._rows
            if isinstance(row.observation, HTTPExchange)
            and row.kind is kind
            and row.experiment is not None
            and row.experiment.step is step
        ]

    @functools.cached_property
    def echoes(self) -> list[tuple[HTTPExchange, HTTPExchange]]:
        """Return the flows of a control's echo ports in pairs: under a neutral name, whole, and then under this one."""
        flows = [(row, row.observation) for row in self._echoed if isinstance(row.observation, HTTPExchange)]
        whole = {
            row.spot: (row.ended_s, flow)
            for row, flow in flows
            if row.kind is NameKind.NEUTRAL and flow.failure is None and flow.body_bytes >= SOME_BYTES
        }
        return [
            (whole[row.spot][1], flow)
            for row, flow in flows
            if row.kind is NameKind.TEST
            and row.spot in whole
            and whole[row.spot][0] <= row.started_s
            and _is_flow(flow)
        ]

    @property
    def echo_tests(self) -> list[float]:
        """Return the rates under the name, at a control's echo ports."""
        return [rate_of(test) for _, test in self.echoes]

    @property
    def echo_twins(self) -> list[float]:
        """Return those under a neutral name, at the same ports."""
        return [rate_of(twin) for twin, _ in self.echoes]

    @functools.cached_property
    def test_rates(self) -> list[float]:
        """Return the rates of the tests, in bytes per second."""
        return [rate_of(page) for page in self.tests]

    @functools.cached_property
    def twin_rates(self) -> list[float]:
        """Return the rates of the same page otherwise."""
        return [rate_of(page) for page in self.twins if is_same_page(page, self.page)]

    @functools.cached_property
    def line_rates(self) -> list[float]:
        """Return the rates at which neutral sites' pages of some size came."""
        return [rate_of(page) for page in self.line if page.body_bytes >= SOME_BYTES]

    @functools.cached_property
    def stalls_at(self) -> int:
        """Return the byte count at which the page stopped alike each time, the check's own try included; 0 = not so."""
        return stall_at([page for page in self._again if page.status])

    @functools.cached_property
    def stall_bytes(self) -> list[int]:
        """Return the byte counts at which it stopped: the page, and the flows of a control's echo ports."""
        ends = [*self._again, *(test for _, test in self.echoes)]
        return [page.body_bytes for page in ends if is_stalled(page)]

    @functools.cached_property
    def stalls(self) -> int:
        """Return how often it stopped."""
        return len([page for page in self._again if is_stalled(page)])

    @functools.cached_property
    def twins_pass(self) -> bool:
        """Tell whether the same page otherwise came beyond where it stops."""
        return bool(self.twins) and bool(self.stalls_at) and all(_is_past(p, self.stalls_at) for p in self.twins)

    @functools.cached_property
    def line_passes(self) -> int:
        """Return how many neutral sites' pages came beyond where the page stops."""
        return len([page for page in self.line if self.stalls_at and _is_past(page, self.stalls_at)])


def _is_flow(page: HTTPExchange) -> bool:
    """Tell whether an answer came to an end of its own or of our patience, however much of it: resets are none."""
    return bool(page.status) and page.ending in (None, Ending.SILENCE)


def _is_past(page: HTTPExchange, stall_bytes: int) -> bool:
    return not is_stalled(page) and page.body_bytes > 1.5 * stall_bytes


def _ends(row: Try) -> bool:
    """Tell whether a run has come to its end with this row: its exchange, or what kept it from one."""
    return row.layer is Layer.HTTP or row.outcome is not Outcome.OK
