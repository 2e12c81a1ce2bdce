import msgspec

from probe.export.advice import advise
from probe.model.pattern import Pattern
from probe.model.verdict import Status
from tests.unit.store.samples import make_ok


def advice(status: Status, *patterns: Pattern) -> str:
    measurement = make_ok()
    verdict = msgspec.structs.replace(measurement.verdict, status=status, patterns=patterns)
    return " ".join(advise(msgspec.structs.replace(measurement, verdict=verdict)))


def test_a_name_that_is_nowhere_is_no_server_to_wait_for():
    assert advice(Status.DOWN, Pattern.SRV_NO_SUCH_NAME).startswith("check how the name is written")
    assert advice(Status.DOWN, Pattern.SRV_DOWN).startswith("wait")
    assert advice(Status.OK) == ""
