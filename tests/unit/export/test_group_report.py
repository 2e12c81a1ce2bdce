"""A group as a person reads it: CONTRACT section 8, the second example."""

import msgspec

from probe.classify.group import fold_group
from probe.export.text.group_report import SAME_KEYS, build_group_report, name_members
from probe.export.text.report import build_report
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Citation, Measurement
from probe.model.observation import DialogueExchange, Message, Role, TCPConnect
from probe.model.target import CheckName, GroupMode, SecretRef, Target
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Confidence, Status, Verdict


def run(proto: str, port: int, *observations, status=Status.INSUFFICIENT, summary="No answer."):
    target = Target(
        id=f"openvpn~{port}", check=CheckName.VPN, address=f"openvpn://vpn.office.example:{port}?proto={proto}",
        host="vpn.office.example", port=port, params={"proto": proto, "protocol": "openvpn"},
    )  # fmt: skip
    verdict = Verdict(status=status, cause=Cause.UNKNOWN, confidence=Confidence.C0, summary=summary)
    return Measurement(
        id=f"ID{port}", target=target, vantage=Vantage(), started_at=0.0, runtime_s=20.0, observations=observations,
        verdict=verdict,
    )  # fmt: skip


def exchange(transport: str, port: int, code: FailureCode | None):
    failure = None if code is None else Failure(stage=Stage.DIALOGUE, code=code)
    return DialogueExchange(
        transaction=2, t0_s=0.05, t_s=0.06, endpoint=Endpoint(address="192.0.2.1", port=port), protocol="openvpn",
        transport=transport, failure=failure, messages=(Message(sent=True, t_s=0.05, length=54, data=b""),),
        depth=Depth.NONE,
    )  # fmt: skip


def test_each_endpoint_has_its_ladder_and_each_meaning_stands_once():
    silent = run("udp", 1194, exchange("udp", 1194, FailureCode.TIMEOUT))
    reached = TCPConnect(transaction=1, t0_s=0.0, t_s=0.048, endpoint=Endpoint(address="192.0.2.1", port=443))
    closed = run("tcp", 443, reached, exchange("tcp", 443, FailureCode.EOF), summary="Closed.")
    again = run("udp", 1195, exchange("udp", 1195, FailureCode.TIMEOUT))
    members = [silent, closed, again]
    verdict = fold_group(GroupMode.ANY, {member.target.place: member.verdict for member in members})
    lines = [line.text for line in build_group_report("office.ovpn", verdict, members)]
    assert lines[0] == "? CANNOT TELL YET  office.ovpn   3 endpoints, none answered  (C0, 20.0 s)"
    assert lines[1] == "  vpn.office.example:1194/udp  hello ✗ no reply, no ICMP"
    assert lines[2] == "  vpn.office.example:443/tcp  reach ✓ 48 ms, hello ✗ closed at once"
    assert lines[4:6] == ["  No answer.", "  Closed."]
    assert lines[-1].startswith("  more: wallprobe explain ID1194 ID443")


def test_a_group_that_works_gives_no_advice():
    members = [run("udp", 1194, exchange("udp", 1194, None), status=Status.OK, summary="It works.")]
    verdict = fold_group(GroupMode.ANY, {member.target.place: member.verdict for member in members})
    lines = [line.text for line in build_group_report("office.ovpn", verdict, members)]
    assert lines[0].startswith("✓ OK  office.ovpn   the one endpoint answers")
    assert not any("Next" in line or "It works" in line for line in lines)


def test_two_endpoints_at_one_place_stay_two():
    members = [run("tcp", 443), run("tcp", 443), run("udp", 443)]
    assert list(name_members(members)) == [
        "vpn.office.example:443/tcp", "vpn.office.example:443/tcp (2)", "vpn.office.example:443/udp",
    ]  # fmt: skip


def test_two_users_of_one_server_are_told_apart_in_their_lines_too():
    members = [run("tcp", 443, exchange("tcp", 443, FailureCode.EOF)) for _ in "12"]
    verdict = fold_group(GroupMode.ANY, name_members(members))
    lines = [line.text for line in build_group_report("links.txt", verdict, members)]
    assert [line.split("  ")[1] for line in lines[1:3]] == [
        "vpn.office.example:443/tcp", "vpn.office.example:443/tcp (2)",
    ]  # fmt: skip


def test_a_late_round_is_shown_with_the_steps_that_it_goes_on_from():
    first = run("tcp", 443, TCPConnect(
        transaction=1, t0_s=0.0, t_s=3.0, endpoint=Endpoint(address="192.0.2.1", port=443),
        failure=Failure(stage=Stage.CONNECT, code=FailureCode.TIMEOUT),
    ))  # fmt: skip
    tried = msgspec.structs.replace(first.observations[0], role=Role.EXPERIMENT, experiment="ports.none.own.1")
    late = msgspec.structs.replace(
        first, id="LATE", continues=first.id, observations=(tried,),
        cites=(Citation(measurement=first.id, age_s=200.0, observations=first.observations),),
    )  # fmt: skip
    for last in (first, late):
        verdict = fold_group(GroupMode.ALL, name_members([last]))
        lines = [line.text for line in build_group_report("office.ovpn", verdict, [last])]
        assert lines[1] == "  vpn.office.example:443/tcp  reach ✗ no answer", lines
        report = "\n".join(line.text for line in build_report(last))
        assert "192.0.2.1:443   TCP ✗ no answer" in report
        assert "generic_timeout_error" not in report


def with_keys(member: Measurement, tag: str, **verdict) -> Measurement:
    target = msgspec.structs.replace(member.target, key_tag=tag)
    return msgspec.structs.replace(member, target=target, verdict=msgspec.structs.replace(member.verdict, **verdict))


def test_keys_that_other_endpoints_take_are_not_called_unproven():
    works = with_keys(run("udp", 1194, exchange("udp", 1194, None), status=Status.OK), "same", depth=Depth.PROOF)
    silent = run("udp", 1195, exchange("udp", 1195, FailureCode.TIMEOUT), summary="These keys are not proven.")
    for tag, says in (("same", SAME_KEYS), ("other", "These keys are not proven."), ("", "These keys are not proven.")):
        members = [works, with_keys(silent, tag, rule_id="vpn.silent.unproven")]
        verdict = fold_group(GroupMode.ANY, name_members(members))
        lines = [line.text for line in build_group_report("office.ovpn", verdict, members)]
        assert f"  {says}" in lines
    greeted = [with_keys(works, "same", depth=Depth.HELLO), with_keys(silent, "same", rule_id="vpn.silent.unproven")]
    lines = [line.text for line in build_group_report("x", fold_group(GroupMode.ANY, name_members(greeted)), greeted)]
    assert "  These keys are not proven." in lines


def test_endpoints_that_were_not_asked_are_not_said_to_be_silent():
    too_soon = [with_keys(run("udp", port), "", cause=Cause.INSTRUMENT) for port in (1194, 1195)]
    works = run("tcp", 443, exchange("tcp", 443, None), status=Status.OK)
    for members, says in (
        (too_soon, "2 endpoints, none was asked"),
        (too_soon[:1], "the one endpoint was not asked"),
        ([*too_soon, works], "3 endpoints, 1 answered, 2 not asked"),
    ):
        verdict = fold_group(GroupMode.ANY, name_members(members))
        assert verdict.summary == says


def test_a_group_says_what_was_not_tried_once():
    held = {"login": SecretRef(source="entry:office.ovpn#0.login"), "ca": SecretRef(source="entry:office.ovpn#0.ca")}
    members = [
        with_keys(run("udp", port, exchange("udp", port, None), status=Status.OK), "", depth=Depth.PROOF)
        for port in (1194, 1195)
    ]
    members = [
        msgspec.structs.replace(one, target=msgspec.structs.replace(one.target, secrets=held)) for one in members
    ]
    verdict = fold_group(GroupMode.ANY, name_members(members))
    lines = [line.text for line in build_group_report("office.ovpn", verdict, members)]
    assert lines.count("  Not tried: the login; --login sends the password, once.") == 1
