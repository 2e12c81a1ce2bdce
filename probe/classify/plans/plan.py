"""Which experiments would change the verdict: `now`, and `later` for those that must wait for a cold endpoint.

A pure function run after every append. It returns only what is not planned yet, so calling it twice asks nothing twice.
Limits (CONTRACT section 4): at most 10 connections for each address and design, at most 6 at once.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.path_facts import build_table
from probe.classify.facts.symptom import find_symptom, inherits
from probe.classify.plans.answer import plan_deep_answer
from probe.classify.plans.cross import calls_for_crossing, plan_cold_crossing
from probe.classify.plans.ech import plan_ech
from probe.classify.plans.entropy import count_ports, entropy_later, find_stopped
from probe.classify.plans.flow import plan_flow, wants_flow_echoes
from probe.classify.plans.keyword import is_told, plan_keyword
from probe.classify.plans.name import plan_name, plan_question
from probe.classify.plans.page import page_later, plan_page
from probe.classify.plans.path import chain_later, plan_path, repeat_again
from probe.classify.plans.quic import plan_http3, plan_quic
from probe.classify.plans.quic_cold import plan_quic_crossing, quic_later, wants_quic_echoes
from probe.classify.plans.resend import plan_resend
from probe.classify.plans.shape import plan_deep_hello, plan_shapes
from probe.classify.plans.share import plan_share
from probe.classify.plans.trace import plan_trace
from probe.classify.plans.trouble import find_troubles, first_troubled_hop
from probe.classify.plans.tunnel import plan_tunnel, tunnel_later
from probe.model.experiment import Design, Experiment, Pending, Step, Traffic
from probe.model.target import CheckName, Exposure

AT_ONCE = 6
"""Connections of follow-ups that are open at once (CONTRACT section 4)."""
CALM = frozenset(
    {
        Design.HTTP3, Design.SOURCE_PORT, Design.INITIAL, Design.HELLO, Design.RESOLVERS, Design.REFERENCE, Design.ECH,
    }
)  # fmt: skip
"""What a deep run of a good target does by itself: no sign of trouble, so no look at the vantage goes with it."""


def is_calm_alone(experiment: Experiment) -> bool:
    """Tell whether a follow-up is no sign of trouble; the first volume through a reference is none either."""
    meets = experiment.design is Design.VOLUME and experiment.step is Step.CONVERSE and experiment.cell == 1
    return experiment.design in CALM or meets


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to try next, and what to try when the place is cold again."""

    now: tuple[Experiment, ...] = ()
    later: tuple[Pending, ...] = ()
    wants_echoes: tuple[Traffic, ...] = ()
    """A control's echo ports for this would tell more."""


def calls_for_echoes(case: Case) -> bool:
    """Tell whether ports that take connections would tell more, beside what a control says: for names, or for noise."""
    return calls_for_crossing(case) or find_stopped(case, build_table(case)) is not None


def count_echoes(case: Case) -> int:
    """Return how many such ports are wanted."""
    return count_ports(case, build_table(case))


def is_calm(case: Case, wanted: tuple[Experiment, ...]) -> bool:
    """Tell whether nothing of this is a sign of trouble: over HTTP/3 a target of its own is asked only after one."""
    return case.target.check is not CheckName.H3 and all(map(is_calm_alone, wanted))


def plan(case: Case) -> Plan:
    """Return the experiments that the case calls for and that were not planned yet."""
    if _inherited(case):
        return Plan()
    table = build_table(case)
    hop = first_troubled_hop(case, table)
    found = find_troubles(case, table, hop) if hop is not None else ()
    deep: tuple[Experiment, ...] = ()
    if case.deep and not found:
        deep = (
            *plan_deep_hello(case, table),
            *plan_ech(case, table),
            *plan_page(case, table),
            *plan_http3(case, table),
            *plan_deep_answer(case, table),
        )
    deep = (*deep, *plan_quic_crossing(case, table), *plan_flow(case, table), *plan_share(case, table))
    deep = (*deep, *plan_resend(case, table))
    tunnel = plan_tunnel(case, table)
    again = (*tunnel_later(case, table), *entropy_later(case, table), *quic_later(case, table))
    asked = ((wants_quic_echoes, Traffic.DATAGRAM), (wants_flow_echoes, Traffic.CONNECT))
    echoes = tuple(traffic for wants, traffic in asked if wants(case, table))
    if hop is None:
        return Plan(now=_limit(case, (*deep, *tunnel)), later=again, wants_echoes=echoes)
    if case.target.check is CheckName.VPN and case.target.exposure is Exposure.PRIVATE:
        # No variants, traces or repeats at an endpoint that probing may burn: its name, one connection, references.
        named = plan_name(case, table, hop, ())
        return Plan(now=_limit(case, (*named, *deep, *tunnel)), later=again)
    troubles = tuple(trouble for trouble in found if not trouble.over_quic)
    wanted = (
        *plan_quic(case, table, hop, found),
        *plan_name(case, table, hop, troubles),
        *plan_path(case, table, troubles),
        *plan_cold_crossing(case, table, troubles),
        *plan_keyword(case, table, troubles),
        *plan_shapes(case, table, troubles),
        *plan_trace(case, table, troubles),
        *tunnel,
        *plan_page(case, table),
        *plan_question(case, table, hop),
        *deep,
    )
    open_ones = tuple(trouble for trouble in troubles if not is_told(case, table, trouble))
    later = (*chain_later(case, table, open_ones), *page_later(case, table), *again)
    return Plan(now=_limit(case, wanted), later=later, wants_echoes=echoes)


def plan_second_round(case: Case) -> tuple[Experiment, ...]:
    """Return our own half of a control's second round: what failed here, tried again at the same moment."""
    table = build_table(case)
    hop = first_troubled_hop(case, table)
    return () if hop is None else repeat_again(case, find_troubles(case, table, hop))


def _inherited(case: Case) -> bool:
    """Tell whether an earlier run's experiments still speak of this symptom, so that none is made again.

    Source: CONTRACT section 4.
    """
    if not case.cites or not case.cites[0].experiments:
        return False
    earlier = case.cites[0].observations
    # A day has passed: what an earlier deep run found without any symptom is looked for anew.
    anew = case.deep and not find_symptom(earlier)
    return not anew and inherits(case.observations, earlier)


def _limit(case: Case, wanted: tuple[Experiment, ...]) -> tuple[Experiment, ...]:
    """Drop what is planned already, and hold back connections beyond the six that may be open at once."""
    known = {experiment.id for experiment in case.experiments}
    running = set(case.running)
    open_now = sum(_connections(e) for e in case.experiments if e.id in running)
    chosen: list[Experiment] = []
    for experiment in wanted:
        if experiment.id in known:
            continue
        known.add(experiment.id)
        opens = _connections(experiment)
        if opens and open_now + opens > AT_ONCE:
            continue
        open_now += opens
        chosen.append(experiment)
    return tuple(chosen)


def _connections(experiment: Experiment) -> int:
    """Return how many connections a follow-up has open at once.

    A trace and its control open six of their own at one address, one round after the other.
    """
    return 0 if experiment.step is Step.LOOKUP or experiment.design is Design.TRACE else 1
