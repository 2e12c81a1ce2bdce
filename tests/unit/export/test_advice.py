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


def test_an_encrypted_resolver_is_no_help_where_the_right_address_is_closed_as_well():
    forged = Pattern.DNS_INJECTION_BOGON
    assert advice(Status.BLOCKED, forged).startswith("use an encrypted resolver")
    assert advice(Status.BLOCKED, forged, Pattern.HTTP_BLOCKPAGE).startswith("use an encrypted resolver")
    assert advice(Status.BLOCKED, forged, Pattern.TLS_MITM_UNTRUSTED).startswith("use an encrypted resolver")
    assert advice(Status.BLOCKED, forged, Pattern.TLS_RESET_SNI).startswith("use a tunnel")


def test_what_is_read_in_the_clear_is_hidden_by_https_and_not_by_another_hello():
    run = make_blocked()
    clear = msgspec.structs.replace(run.target, address="http://site.example/", secure=False)
    verdict = msgspec.structs.replace(run.verdict, status=Status.LIKELY_BLOCKED, patterns=(Pattern.HTTP_RESET_KEYWORD,))
    assert "https" in advise(msgspec.structs.replace(run, target=clear, verdict=verdict))[0]
    assert "ClientHello" not in advise(msgspec.structs.replace(run, target=clear, verdict=verdict))[0]
