import msgspec
import pytest

from probe.export.text.advice import advise
from probe.export.text.report import build_head
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import TCPConnect
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, Status
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


def tunnel_advice(status: Status, *patterns: Pattern, cause: Cause = Cause.NETWORK) -> str:
    measurement = make_ok()
    target = msgspec.structs.replace(measurement.target, check=CheckName.VPN, params={"protocol": "openvpn"})
    verdict = msgspec.structs.replace(measurement.verdict, status=status, patterns=patterns, cause=cause)
    return " ".join(advise(msgspec.structs.replace(measurement, target=target, verdict=verdict)))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (Pattern.IP_PROTO_DROP, "over TCP"),
        (Pattern.VPN_HANDSHAKE_DROP, "in disguise"),
        (Pattern.FLOW_ENTROPY, "inside TLS"),
        (Pattern.VPN_BURNED, "another server"),
        (Pattern.FLOW_FREEZE, "another protocol"),
        (Pattern.TLS_RESET_SNI, "another `sni`"),
    ],
)
def test_a_tunnel_that_is_stopped_is_not_answered_with_a_tunnel(pattern, says):
    for status in (Status.BLOCKED, Status.LIKELY_BLOCKED):
        assert says in tunnel_advice(status, pattern)
        assert "a tunnel" not in tunnel_advice(status, pattern)
    assert tunnel_advice(Status.BLOCKED, Pattern.DNS_INJECTION_BOGON) == advice(
        Status.BLOCKED, Pattern.DNS_INJECTION_BOGON
    )


def test_a_wrong_clock_is_to_be_set():
    said = tunnel_advice(Status.IMPAIRED, Pattern.NET_CLOCK, cause=Cause.LOCAL)
    assert said == "set this host's clock; then run this again."


def test_a_local_cause_is_not_called_unclear():
    verdict = msgspec.structs.replace(make_ok().verdict, status=Status.IMPAIRED, cause=Cause.LOCAL)
    assert build_head(verdict, "x", 1.0).text.startswith("? NOT REACHABLE  x  by something")
    unclear = msgspec.structs.replace(verdict, cause=Cause.UNKNOWN)
    assert build_head(unclear, "x", 1.0).text.startswith("? NOT REACHABLE, CAUSE UNCLEAR  x")


def test_what_one_control_saw_once_is_not_said_of_everybody():
    verdict = msgspec.structs.replace(make_ok().verdict, status=Status.IMPAIRED, cause=Cause.OUTAGE)
    assert "x  perhaps for everybody" in build_head(verdict, "x", 1.0).text
    assert "x  for everybody" in build_head(msgspec.structs.replace(verdict, status=Status.DOWN), "x", 1.0).text


def test_what_works_and_has_no_broken_path_sends_nobody_to_look_for_one():
    def told(cause: Cause, *broken: TCPConnect) -> str:
        run = make_ok()
        verdict = msgspec.structs.replace(run.verdict, status=Status.DEGRADED, cause=cause)
        fine = tuple(one for one in run.observations if one.failure is None)
        return advise(msgspec.structs.replace(run, verdict=verdict, observations=(*fine, *broken)))[0]

    failure = Failure(stage=Stage.CONNECT, code=FailureCode.TIMEOUT)
    endpoint = Endpoint(address="45.90.1.1", port=443)
    assert "✗" in told(Cause.NETWORK, TCPConnect(transaction=99, t0_s=0.0, t_s=1.0, endpoint=endpoint, failure=failure))
    assert "✗" not in told(Cause.NETWORK)
    assert "not in between" in told(Cause.LOCAL)
