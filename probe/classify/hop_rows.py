"""The tries of one redirect hop, arranged once for all paths that are looked at in it."""

import functools
from typing import Any, Self

from probe.classify.case import Case
from probe.classify.tries import Layer, Outcome, Try
from probe.model.experiment import Design
from probe.model.observation import HTTPExchange


class HopRows:
    """Rows of a hop but for its lookups, by layer and by place."""

    def __init__(self, table: tuple[Try, ...], hop: int) -> None:
        self.rows = tuple([row for row in table if row.hop == hop and row.layer is not Layer.DNS])
        self.derived: dict[Any, Any] = {}
        """What follows from these rows for every path of the hop, worked out once."""

    @classmethod
    def of(cls, case: Case, table: tuple[Try, ...], hop: int) -> Self:
        """Return the rows of a hop, those of the case's own table from where they were kept."""
        if case.derived.get("table") is not table:
            return cls(table, hop)
        key = f"hop {hop}"
        kept: Self | None = case.derived.get(key)
        if kept is None:
            kept = case.derived[key] = cls(table, hop)
        return kept

    @functools.cached_property
    def by_layer(self) -> dict[Layer, list[Try]]:
        """Return the rows of each layer: most questions are about one."""
        found: dict[Layer, list[Try]] = {}
        for row in self.rows:
            found.setdefault(row.layer, []).append(row)
        return found

    @functools.cached_property
    def designs(self) -> frozenset[Design]:
        """Return the designs of which there is a try."""
        return frozenset([row.experiment.design for row in self.rows if row.experiment is not None])

    @functools.cached_property
    def handshakes(self) -> frozenset[Outcome]:
        """Return in which ways TLS handshakes came out."""
        return frozenset([row.outcome for row in self.by_layer.get(Layer.TLS, ())])

    @functools.cached_property
    def encrypted_page(self) -> HTTPExchange | None:
        """Return what the same host served over https with a valid certificate, when that was asked."""
        if Design.ENCRYPTED_ROUTE not in self.designs:
            return None
        shaken = [r.experiment for r in self.by_layer.get(Layer.TLS, ()) if r.outcome is Outcome.OK and _is_routed(r)]
        for row in self.by_layer.get(Layer.HTTP, ()):
            proven = row.outcome is Outcome.OK and _is_routed(row) and row.experiment in shaken
            if proven and isinstance(row.observation, HTTPExchange):
                return row.observation
        return None

    @functools.cached_property
    def by_spot(self) -> dict[str, list[Try]]:
        """Return the rows of each place."""
        found: dict[str, list[Try]] = {}
        for row in self.rows:
            found.setdefault(row.spot, []).append(row)
        return found

    @functools.cached_property
    def by_layer_and_spot(self) -> dict[tuple[Layer, str], list[Try]]:
        """Return the rows of each layer at each place."""
        found: dict[tuple[Layer, str], list[Try]] = {}
        for row in self.rows:
            found.setdefault((row.layer, row.spot), []).append(row)
        return found


def _is_routed(row: Try) -> bool:
    return row.experiment is not None and row.experiment.design is Design.ENCRYPTED_ROUTE
