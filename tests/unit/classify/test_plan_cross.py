"""The name at a control's echo ports: at once where nothing at the site's own place can be compared."""

import pytest

from probe.classify.plans.plan import plan
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.target import Exposure
from tests.golden.crossed import CLEAR, CONTROL
from tests.unit.classify.cases import NAME, NEUTRAL, OWN, Story

ECHOES = tuple(Endpoint(address=CONTROL, port=20000 + n) for n in range(5))


def stuck(control: str = "reset", **target: object) -> Story:
    """Tell of a name that is reset, and of a neutral one that meets this at the same place."""
    return Story(**target).dns(OWN).tcp().tls("reset").pair(1, "reset", control)


def crossing(story: Story, **fields: object) -> list[tuple[str, Endpoint | None]]:
    planned = plan(story.case(**({"echoes": ECHOES} | fields)))
    return [(e.name, e.endpoint) for e in planned.now if e.design is Design.CROSS]


def test_a_neutral_name_goes_first_to_each_port_and_the_targets_where_it_was_answered():
    story = stuck()
    begun = crossing(story)
    assert begun == [(NEUTRAL, port) for port in ECHOES[: len(begun)]]
    assert begun
    for port, outcome in ((ECHOES[0], "ok"), (ECHOES[1], "reset")):
        planned = plan(story.case(echoes=ECHOES)).now
        neutral = next(e for e in planned if e.endpoint == port and e.name_kind is NameKind.NEUTRAL)
        assert (neutral.place, neutral.step, neutral.within_s > 0) == (Place.UNRELATED, Step.HANDSHAKE, True)
        story.experiments.append(neutral)
        story.tcp(address=CONTROL, port=port.port, experiment=neutral)
        story.tls(outcome, address=CONTROL, port=port.port, experiment=neutral)
    assert [place for name, place in crossing(story) if name == NAME] == [ECHOES[0]]


@pytest.mark.parametrize("fields", [{"echoes": ()}, {"cold_start": True}])
def test_without_ports_or_in_a_late_round_there_is_none(fields):
    assert crossing(stuck(), **fields) == []


def test_where_neutral_names_pass_at_the_place_itself_no_port_is_used_up():
    assert crossing(stuck("ok")) == []


def test_a_private_endpoint_is_not_named_elsewhere():
    assert crossing(stuck(exposure=Exposure.PRIVATE)) == []


def test_a_host_in_the_clear_is_asked_for_there_in_the_clear():
    story = Story(**CLEAR).dns(OWN).tcp().http("reset").pair(1, "reset", "reset", design=Design.HOST)
    wanted = [e for e in plan(story.case(echoes=ECHOES)).now if e.design is Design.CROSS]
    assert {(e.step, e.secure) for e in wanted} == {(Step.FETCH, False)}
