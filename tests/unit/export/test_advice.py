import msgspec

from probe.export.advice import advise
from probe.model.observation import TCPConnect
from probe.model.pattern import Pattern
from probe.model.verdict import Status
from tests.browser.seed import BASELINE
from tests.unit.store.samples import make_blocked, make_ok


def advice(status: Status, *patterns: Pattern) -> str:
    measurement = make_ok()
    verdict = msgspec.structs.replace(measurement.verdict, status=status, patterns=patterns)
    return " ".join(advise(msgspec.structs.replace(measurement, verdict=verdict)))


def test_a_place_that_was_tried_just_before_needs_time_and_no_second_try_at_once():
    blocked = make_blocked()
    verdict = msgspec.structs.replace(blocked.verdict, status=Status.INSUFFICIENT)
    cold = msgspec.structs.replace(blocked, verdict=verdict, baseline=BASELINE)
    observations = tuple(
        msgspec.structs.replace(one, hot=True) if isinstance(one, TCPConnect) else one for one in cold.observations
    )
    assert " ".join(advise(cold)).startswith("run it again")
    assert " ".join(advise(msgspec.structs.replace(cold, observations=observations))).startswith("wait some minutes")


def test_a_name_that_is_nowhere_is_no_server_to_wait_for():
    assert advice(Status.DOWN, Pattern.SRV_NO_SUCH_NAME).startswith("check how the name is written")
    assert advice(Status.DOWN, Pattern.SRV_DOWN).startswith("wait")
    assert advice(Status.OK) == ""
