"""A tunnel that worked from here and whose port fell silent: burned, unless its own firewall may have shut us out."""

from probe.classify.judge import judge
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.path_trace import HopAnswer, TraceKind
from probe.model.verdict import Cause, Status, Verdict
from tests.golden.controls import rounds
from tests.golden.traces import trace
from tests.golden.tunnel_proofs import EARLIER, Tunnel
from tests.unit.classify.cases import FIT, OWN


def _said_of_a_silent_port(routers: int) -> Verdict:
    """Judge it with a handshake of ours remembered, a control that connects, and so many routers that let us pass."""
    silent = Tunnel(transport="tcp")
    silent.tcp("silent")
    here = Endpoint(address=OWN, port=1194)
    again = silent.experiment(Design.REPEAT, Step.CONNECT, NameKind.TEST, 1, endpoint=here)
    silent.wait(1.0).tcp("silent", experiment=again)
    ttls = (*range(1, routers + 1), 9, 12)
    for kind in (NameKind.TEST, NameKind.NEUTRAL):
        trace(silent, kind, TraceKind.SYN, HopAnswer.SILENT, ttls=ttls, ends_at=routers + 1)
    outside = rounds(Tunnel(transport="tcp").tcp(), 2)
    return judge(silent.case(proofs=EARLIER, baseline=FIT, controls=outside))


def test_a_port_that_died_for_us_alone_is_burned():
    verdict = _said_of_a_silent_port(2)
    assert (verdict.status, verdict.rule_id) == (Status.LIKELY_BLOCKED, "vpn.burned.control_ok")


def test_packets_that_pass_every_router_accuse_no_network_of_it():
    verdict = _said_of_a_silent_port(6)
    assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)
    assert verdict.rule_id == "ip.silent.routers_passed.control_ok"
