"""What a look at the vantage says beside its state."""

from probe.pipeline.baseline import BaselineRun
from tests.unit.daemon.parts import make_agent


def test_a_resolver_that_does_not_answer_is_not_called_honest() -> None:
    environment = make_agent().environment
    run = BaselineRun(environment, quick=False)
    assert run._details(resolver_answers=False)[0] == "DNS does not answer"
    assert run._details(resolver_answers=True)[0] == "DNS no encrypted resolver to compare with"
