"""Turns a story into what controls saw: the same steps, from where no censor is on the path."""

from typing import Any

import msgspec

from probe.model.control import ControlReport
from probe.model.observation import Role
from tests.unit.classify.cases import OWN, Story

ASKED_AT = 1_770_000_000.0


def report(outside: Story, at_s: float = 0.0, **fields: Any) -> ControlReport:
    """Return the story as one report, asked so many seconds after the first."""
    seen = tuple(msgspec.structs.replace(o, role=Role.CONTROL) for o in outside.observations)
    return ControlReport(**({"control": "fra-1", "asked_at": ASKED_AT + at_s, "observations": seen} | fields))


def rounds(outside: Story, times: int = 2, apart_s: float = 30.0) -> tuple[ControlReport, ...]:
    """Return as many reports of the same, each so many seconds after the one before."""
    return tuple(report(outside, number * apart_s) for number in range(times))


def all_well(**target: Any) -> Story:
    """Return what a control sees of a site that works."""
    return Story(**target).dns(OWN).tcp().tls().http()
