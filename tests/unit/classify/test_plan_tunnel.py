"""What is tried about a tunnel that fails: never its own protocol again before a minute is over."""

import msgspec
import pytest

from probe.classify.facts.path_facts import build_table
from probe.classify.judge import judge
from probe.classify.plans.plan import count_echoes, plan
from probe.classify.plans.tunnel import STUN
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import FailureCode
from probe.model.observation import DialogueExchange
from probe.model.proof import Proof, ProofSource
from probe.model.target import CheckName, Exposure, Target
from probe.model.verdict import Cause
from tests.golden.tunnel_flows import EARLIER as CARRIED
from tests.golden.tunnel_flows import FROZEN, SLOW, TARDY, Flowing, at_echo_ports, now_and_then
from tests.golden.tunnel_proofs import EARLIER, REFERENCE, SILENT, UNGREETED, Tunnel
from tests.unit.classify.cases import FIT, OWN


def reference(over: str = "udp", protocol: str = "openvpn", host: str = REFERENCE) -> Target:
    return Target(
        id="ref", check=CheckName.VPN, address=f"{protocol}://{host}:1194", host=host, port=1194,
        params={"protocol": protocol, "over": over}, exposure=Exposure.PUBLIC,
    )  # fmt: skip


def planned(story: Tunnel, **fields):
    fields = {"references": (reference(),), "proofs": EARLIER} | fields
    case = story.case(**fields)
    assert build_table(case)
    return plan(case)


def test_a_silent_tunnel_gets_a_sibling_and_harmless_questions_first():
    now = planned(Tunnel().own(SILENT)).now
    assert {e.design for e in now} == {Design.SERVICE, Design.REFERENCE}
    service = next(e for e in now if e.design is Design.SERVICE)
    assert (service.step, str(service.endpoint)) == (Step.CONNECT, f"{OWN}:443")
    asked = [e for e in now if e.design is Design.REFERENCE]
    assert {(e.step, e.name, e.name_kind) for e in asked} == {(Step.CONVERSE, STUN, NameKind.NEUTRAL)}


def test_the_protocol_itself_is_tried_with_the_reference_once_all_harmless_ones_passed():
    now = planned(Tunnel().own(SILENT).harmless()).now
    beginnings = [e for e in now if e.design is Design.REFERENCE]
    assert [(e.name, e.name_kind) for e in beginnings] == [("ref", NameKind.TEST)] * 5
    assert not [e for e in planned(Tunnel().own(SILENT).harmless(times=4)).now if e.name_kind is NameKind.TEST]


def test_a_private_tunnel_whose_connection_or_tls_breaks_is_tried_once_more_as_a_whole_and_in_no_other_way():
    for story in (Tunnel("trojan", "tcp").tcp("silent"), Tunnel("trojan", "tcp").tcp().tls("reset")):
        story.target = msgspec.structs.replace(story.target, exposure=Exposure.PRIVATE)
        result = planned(story)
        (pending,) = result.later
        (again,) = pending.experiments
        assert (again.design, again.step, str(again.endpoint)) == (Design.REPEAT, Step.CONVERSE, f"{OWN}:1194")
        assert not [e for e in result.now if e.endpoint is not None and str(e.endpoint) == f"{OWN}:1194"]
        assert planned(story, proofs=()).later == ()


def test_where_no_datagram_is_answered_connections_are_tried():
    now = planned(Tunnel().own(SILENT).harmless(SILENT)).now
    assert {(e.step, e.name_kind) for e in now if e.design is Design.REFERENCE} == {(Step.CONNECT, NameKind.NONE)}
    met = {e.id for e in now}
    again = planned(Tunnel().own(SILENT).harmless(SILENT).opens()).now
    asked = [e.name_kind for e in again if e.design is Design.REFERENCE and e.id not in met]
    assert asked == [NameKind.NEUTRAL] * 2 + [NameKind.NONE] * 2
    assert {e.id for e in planned(Tunnel().own(SILENT).harmless(SILENT).opens("silent")).now} <= met


def test_over_a_stream_the_harmless_one_is_a_page():
    story = Tunnel(transport="tcp").own(FailureCode.CONNECTION_RESET)
    asked = [e for e in planned(story, references=(reference("tcp"),)).now if e.design is Design.REFERENCE]
    assert {(e.step, e.secure) for e in asked} == {(Step.FETCH, False)}


def test_a_reference_of_another_kind_or_the_target_itself_is_none():
    for other in (reference("tcp"), reference(protocol="wireguard"), reference(host=OWN)):
        now = planned(Tunnel().own(SILENT), references=(other,)).now
        assert {e.design for e in now} == {Design.SERVICE}


def test_the_endpoints_own_protocol_is_tried_again_only_later_and_only_with_proven_credentials():
    result = planned(Tunnel().own(SILENT))
    assert not [e for e in result.now if e.step is Step.CONVERSE and e.endpoint.address == OWN]
    (pending,) = result.later
    assert pending.due_in_s > 60
    assert [(e.design, str(e.endpoint)) for e in pending.experiments] == [(Design.REPEAT, f"{OWN}:1194")]
    assert planned(Tunnel().own(SILENT), proofs=()).later == ()


def test_a_reference_is_met_once_while_the_tunnel_works():
    met = [e for e in planned(Tunnel().own(None), deep=True, proofs=()).now if e.design is Design.REFERENCE]
    assert [(e.name, e.name_kind) for e in met] == [(STUN, NameKind.NEUTRAL), ("ref", NameKind.TEST)]
    assert not planned(Tunnel().own(None), deep=True, proofs=EARLIER).now, "it is known already"
    again = planned(Tunnel().own(None), deep=True, proofs=UNGREETED).now
    assert [(e.name, e.name_kind) for e in again] == [(STUN, NameKind.NEUTRAL)]
    stream = planned(Tunnel(transport="tcp").own(None), deep=True, proofs=(), references=(reference("tcp"),)).now
    assert [e.name_kind for e in stream] == [NameKind.TEST], "a port of connections is asked for a page when it matters"
    assert not planned(Tunnel().own(None), deep=False, proofs=()).now


def test_a_refused_port_is_tried_again_too():
    assert planned(Tunnel().own(FailureCode.CONNECTION_REFUSED)).later


def test_datagrams_are_lost_only_where_a_reference_was_seen_to_answer_them_and_still_takes_connections():
    def cause(proofs, harmless=7, opens=4, opened="ok"):
        story = Tunnel().own(SILENT).harmless(SILENT, times=harmless).opens(opened, times=opens)
        return judge(story.known(proofs)).cause

    assert cause((EARLIER[0], *UNGREETED)) is Cause.NETWORK
    assert cause(UNGREETED) is Cause.UNKNOWN
    assert cause(EARLIER, opened="silent") is Cause.UNKNOWN
    assert cause(EARLIER, harmless=5, opens=2) is Cause.UNKNOWN, "the line may have been away for a while"


def test_proof_that_is_old_proves_nothing():
    old = (msgspec.structs.replace(EARLIER[0], age_s=40 * 86400.0),)
    case = Tunnel().own(SILENT, times=2).harmless().reference(SILENT).known(old)
    assert Proof(source=ProofSource.HISTORY, age_s=0.0) not in case.proofs
    from probe.model.verdict import Status

    assert judge(case).status is Status.INSUFFICIENT


def silent_shadowsocks(**params):
    return Tunnel("shadowsocks", "tcp", method="aes-256-gcm", **params).own(SILENT)


PORTS = tuple(Endpoint(address="45.90.9.10", port=port) for port in (20001, 20002))


def sent(story, **fields):
    return [e for e in planned(story, echoes=PORTS, references=(), **fields).now if e.design is Design.ENTROPY]


def test_exempt_bytes_go_to_each_echo_port_first_by_one_exemption_or_the_other():
    wanted = sent(silent_shadowsocks())
    assert [(e.step, e.name, e.name_kind, e.endpoint) for e in wanted] == [
        (Step.SINK, "few bits", NameKind.NEUTRAL, PORTS[0]),
        (Step.SINK, "letters", NameKind.NEUTRAL, PORTS[1]),
    ]


def test_opaque_bytes_follow_at_a_port_where_exempt_ones_passed():
    story = silent_shadowsocks()
    case = story.case(references=(), proofs=EARLIER, echoes=PORTS)
    first = next(e for e in plan(case).now if e.design is Design.ENTROPY)
    story.experiments.append(first)
    story.observations.append(
        DialogueExchange(**story._base(first, 0), endpoint=PORTS[0], protocol="sink", transport="tcp")
    )
    opaque = [e for e in sent(story) if e.name_kind is NameKind.TEST]
    assert [(e.name, e.endpoint) for e in opaque] == [("opaque", PORTS[0])]


MANY = tuple(Endpoint(address="45.90.9.10", port=20000 + number) for number in range(1, 31))


def later_bytes(story, echoes=MANY, proofs=EARLIER):
    pendings = plan(story.case(references=(), proofs=proofs, echoes=echoes)).later
    return [p for p in pendings if any(e.design is Design.ENTROPY for e in p.experiments)]


def test_where_five_ports_decide_nothing_many_more_are_tried_later_in_waves_that_begin_with_exempt_bytes():
    (pending,) = later_bytes(now_and_then(5, ports=5))
    waves = [pending.experiments[at : at + 5] for at in range(0, 75, 5)]
    assert len(pending.experiments) == len({e.id for e in pending.experiments}) == 75
    assert [{e.name for e in wave} for wave in waves] == [{"letters"}, {"few bits"}, {"opaque"}] * 5
    assert {len({e.cell for e in wave}) for wave in waves} == {1}
    assert {e.endpoint for e in pending.experiments} == set(MANY[5:]), "each port once"
    assert [len({e.endpoint for e in wave}) for wave in waves] == [5] * 15


def test_they_are_not_where_all_were_stopped_or_an_exempt_one_was_or_nothing_could_come_of_it():
    assert not later_bytes(at_echo_ports(SILENT)), "that is decided"
    assert not later_bytes(now_and_then(5, ports=5, exempt_lost=1))
    assert not later_bytes(now_and_then(5, ports=5), proofs=())
    assert not later_bytes(now_and_then(5, ports=5), echoes=MANY[:5])
    assert not later_bytes(now_and_then(5, ports=4))


@pytest.mark.parametrize(
    ("story", "is_shown"),
    [
        (now_and_then(5), True),
        (now_and_then(10), True),
        (now_and_then(0), False),
        (now_and_then(5, ports=20), False),
        (now_and_then(5, FailureCode.CONNECTION_RESET), False),
        (now_and_then(10, exempt_lost=2), False),
    ],
)
def test_a_share_is_one_that_chance_and_the_line_do_not_explain_and_that_ends_as_the_tunnel_does(story, is_shown):
    rules = {evidence.rule_id for evidence in judge(story.case(proofs=EARLIER)).evidence}
    assert ("flow.entropy.sometimes" in rules) is is_shown


def test_more_ports_are_kept_where_a_share_could_be_shown():
    silent = silent_shadowsocks()
    assert count_echoes(silent.case(proofs=EARLIER)) == 30
    assert count_echoes(silent.case(proofs=())) == 5
    assert count_echoes(Tunnel("trojan", "tcp").own(SILENT).case(proofs=EARLIER)) == 5


def test_what_does_not_look_like_nothing_or_was_answered_gets_no_such_bytes():
    assert not sent(silent_shadowsocks(prefix="160301"))
    assert not sent(silent_shadowsocks(obfs="http"))
    assert not sent(silent_shadowsocks(proto="udp"))
    assert not sent(Tunnel("trojan", "tcp+tls").own(SILENT))
    assert not sent(Tunnel("shadowsocks", "tcp").own(None))


def test_a_tunnel_that_froze_is_held_against_the_line_and_then_a_reference_run_by_run():
    story = Flowing().runs(16_400, end=FROZEN)
    now = planned(story, neutral_names=("one.example", "two.example")).now
    assert [(e.design, e.step, e.name) for e in now] == [(Design.VOLUME, Step.NEUTRAL_PAGE, "one.example")]
    story.line(times=2)
    (page,) = planned(story, neutral_names=("one.example", "two.example")).now
    assert (page.step, page.path, str(page.endpoint)) == (Step.FETCH, "/flow/262144/8388608", f"{REFERENCE}:1194")
    story.pairs(16_400, end=FROZEN, times=1)
    (page,) = planned(story, neutral_names=("one.example", "two.example")).now
    assert (page.step, page.cell) == (Step.FETCH, 2)


def test_a_reference_that_carries_its_volume_ends_the_comparison():
    story = Flowing().runs(16_400, end=FROZEN).line(times=2).pairs(70_000, times=1)
    assert not planned(story, neutral_names=("one.example", "two.example")).now


def test_two_more_runs_are_left_for_later_as_far_apart_as_handshakes_are():
    story = Flowing().runs(16_400, end=FROZEN)
    (pending,) = planned(story, proofs=()).later
    assert pending.due_in_s == 61.0
    assert [(e.design, e.step, e.delay_s >= 61.0) for e in pending.experiments] == [
        (Design.REPEAT, Step.CONVERSE, False),
        (Design.REPEAT, Step.CONVERSE, True),
    ]


def test_a_good_run_of_volume_meets_the_reference_with_its_volume_once():
    story = Flowing().runs(70_000)
    greeted, met = planned(story, deep=True, proofs=()).now
    assert (greeted.design, greeted.name) == (Design.REFERENCE, STUN)
    assert (met.design, met.step, met.name_kind) == (Design.VOLUME, Step.CONVERSE, NameKind.TEST)
    carried = (msgspec.structs.replace(CARRIED[0], greeted=CARRIED[0].carriers),)
    assert not planned(story, deep=True, proofs=carried).now


def test_a_run_that_falls_silent_where_others_go_on_is_slowed_down_and_not_frozen():
    def said(*ends: tuple[int, str]) -> str:
        story = Flowing().runs(30_000, rate=SLOW, end=TARDY).line()
        for number, (size, end) in enumerate(ends, 1):
            story.pair(number, size, SLOW, end)
        return judge(story.case(proofs=CARRIED, baseline=FIT)).rule_id

    slow = ((30_000, TARDY),) * 3
    assert said(*slow, *slow[:2]) == "flow.throttle.reference_too"
    assert said(*slow, (24_000, FROZEN), (12_000, FROZEN)) == "flow.throttle.reference_too"
    assert said(*slow, slow[0], (31_000, FROZEN)) != "flow.throttle.reference_too", "none went so far"
    assert said(*slow[:2], *((12_000, FROZEN),) * 3) != "flow.throttle.reference_too", "most of them froze"
