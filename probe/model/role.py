"""Why a step was made."""

from enum import StrEnum


class Role(StrEnum):
    """Whom a step serves."""

    TARGET = "target"
    EXPERIMENT = "experiment"
    ANCHOR = "anchor"
    CONTROL = "control"
