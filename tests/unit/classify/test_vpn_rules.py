"""What is said of conversations with tunnels: a proof is ok, unproven silence is never more than insufficient."""

import pytest

from probe.classify.case import Case
from probe.classify.judge import judge
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import DialogueExchange, TLSHandshake, TLSStage
from probe.model.target import CheckName, Target
from probe.model.vantage import Baseline, Vantage, VantageState
from probe.model.verdict import Cause, Status
from tests.golden.tunnel_proofs import EARLIER, ELSEWHERE, Tunnel
from tests.unit.classify.cases import FIT, OWN
from tests.unit.classify.outside import rounds

PLACE = Endpoint(address="192.0.2.1", port=1194)
THERE = Endpoint(address=OWN, port=1194)


def judged(code: FailureCode | None, depth: Depth = Depth.NONE, *, baseline: bool = True):
    failure = None if code is None else Failure(stage=Stage.DIALOGUE, code=code)
    exchange = DialogueExchange(
        transaction=1, t0_s=0.0, t_s=1.0, endpoint=PLACE, protocol="openvpn", transport="udp", depth=depth,
        failure=failure,
    )  # fmt: skip
    target = Target(
        id="t", check=CheckName.VPN, address="openvpn://192.0.2.1:1194", host="192.0.2.1", port=1194,
        params={"protocol": "openvpn"},
    )  # fmt: skip
    look = Baseline(id="b", quick=False, started_at=0, started_boot_s=0, runtime_s=1, state=VantageState.ONLINE)
    return judge(Case(target=target, vantage=Vantage(), observations=(exchange,), baseline=look if baseline else None))


def test_a_proven_server_is_ok_and_needs_no_look_at_the_vantage():
    verdict = judged(None, Depth.PROOF, baseline=False)
    assert (verdict.status, verdict.depth) == (Status.OK, Depth.PROOF)


@pytest.mark.parametrize(
    "code", [FailureCode.TIMEOUT, FailureCode.EOF, FailureCode.CONNECTION_RESET, FailureCode.UNEXPECTED_ANSWER]
)
def test_what_a_wrong_key_looks_like_is_insufficient_and_never_blocked(code):
    assert judged(code).status is Status.INSUFFICIENT


def test_a_refusal_in_the_protocol_is_the_servers():
    assert judged(FailureCode.REFUSED_BY_PEER, Depth.HELLO).status is Status.SERVER_SIDE


@pytest.mark.parametrize("code", [FailureCode.TOO_SOON, FailureCode.CREDENTIALS_MISSING])
def test_what_was_not_asked_is_no_finding(code):
    verdict = judged(code)
    assert (verdict.status, verdict.rule_id) == (Status.INSUFFICIENT, "vpn.not_asked")


def test_a_late_break_keeps_the_depth_that_was_proven():
    assert judged(FailureCode.TIMEOUT, Depth.HELLO).depth is Depth.HELLO


def test_a_carriers_certificate_is_no_proof_of_what_it_carries():
    """REALITY's TLS is another site's, and Trojan's is anybody's until the password has shown that it knows us."""
    below = TLSHandshake(
        transaction=1, t0_s=0.0, t_s=0.1, endpoint=PLACE, server_name="cover.example", stage=TLSStage.DONE,
        verified=True,
    )  # fmt: skip
    for depth, code in ((Depth.REACH, None), (Depth.NONE, FailureCode.TIMEOUT)):
        exchange = DialogueExchange(
            transaction=2, t0_s=0.1, t_s=1.0, endpoint=PLACE, protocol="vless", transport="tcp+tls", depth=depth,
            failure=None if code is None else Failure(stage=Stage.DIALOGUE, code=code),
        )  # fmt: skip
        target = Target(
            id="t", check=CheckName.VPN, address="vless://192.0.2.1:443", host="192.0.2.1", port=443,
            params={"protocol": "vless"},
        )  # fmt: skip
        assert judge(Case(target=target, vantage=Vantage(), observations=(below, exchange))).depth is Depth.REACH


def silent_twice(transport: str) -> Tunnel:
    story = Tunnel("trojan" if transport == "tcp" else "openvpn", transport)
    if transport == "udp":
        return story.own(FailureCode.TIMEOUT, times=2)
    again = story.experiment(Design.REPEAT, Step.CONVERSE, NameKind.TEST, 1, endpoint=THERE)
    return story.tcp("silent").wait(1.0).tcp("silent", experiment=again)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_what_a_control_cannot_reach_either_accuses_nobody_though_it_worked_elsewhere_a_moment_ago(transport):
    def said(controls=()):
        verdict = judge(silent_twice(transport).case(proofs=ELSEWHERE, baseline=FIT, controls=controls))
        return verdict.status, verdict.cause

    outside = Tunnel("trojan" if transport == "tcp" else "openvpn", transport)
    dead = outside.tcp("silent") if transport == "tcp" else outside.own(FailureCode.TIMEOUT)
    assert said() == (Status.LIKELY_BLOCKED, Cause.NETWORK)
    status, cause = said(rounds(dead, 2))
    assert status not in (Status.BLOCKED, Status.LIKELY_BLOCKED)
    assert cause is not Cause.NETWORK
    assert said(rounds(dead, 1))[1] is not Cause.NETWORK


@pytest.mark.parametrize("greets", [False, True])
def test_a_way_that_loses_first_packets_accuses_nobody(greets):
    def said(lost):
        story = Tunnel().own(FailureCode.TIMEOUT, times=2).sibling("ok", lost=lost)
        outside = rounds(Tunnel().own(None, Depth.HELLO), 2) if greets else ()
        return judge(story.case(proofs=EARLIER if greets else ELSEWHERE, baseline=FIT, controls=outside))

    assert (said(0).status, said(0).cause) == (Status.LIKELY_BLOCKED, Cause.NETWORK)
    assert (said(1).status, said(1).cause) == (Status.IMPAIRED, Cause.UNKNOWN)
