"""Turns a story into evidence that a later run cites."""

from probe.model.measurement import Citation
from tests.unit.classify.cases import Story


def cite(story: Story, age_s: float = 300.0) -> Citation:
    """Return the story as the measurement before."""
    return Citation(
        measurement="01FIRST", age_s=age_s, observations=tuple(story.observations), experiments=tuple(story.experiments)
    )
