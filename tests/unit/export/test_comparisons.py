"""In which order comparisons are told: what decided first, the surroundings last."""

import msgspec

from probe.export.text.comparisons import build_cells, build_comparisons, cells_of
from probe.model.experiment import Design
from probe.model.pattern import Pattern
from tests.golden.test_golden import RULES
from tests.golden.test_golden import read as read_golden
from tests.unit.web.test_target_page import measure

RULE = "tls.reset.sni.injected"


def designs(measurement):
    return [cell.design for cell in build_cells(measurement)]


def test_what_the_verdict_rests_on_comes_first_and_lookups_and_traces_last():
    found = measure(RULE)
    assert found.verdict.evidence[0].rule_id == RULE
    told = designs(found)
    assert told[0] is Design.SNI
    assert told.index(Design.TRACE) > max(number for number, one in enumerate(told) if one is Design.SNI)
    experiments = tuple(sorted(found.experiments, key=lambda one: one.design is not Design.TRACE))
    assert designs(msgspec.structs.replace(found, experiments=experiments)) == told


def test_where_names_are_forged_lookups_are_no_surroundings():
    asked = (measure(rule) for rule in RULES if rule.startswith("dns."))
    found = next(one for one in asked if {Design.RESOLVERS, Design.REPEAT} <= set(designs(one)))

    def told(pattern: Pattern) -> list[Design]:
        verdict = msgspec.structs.replace(found.verdict, patterns=(pattern,), evidence=())
        return designs(msgspec.structs.replace(found, verdict=verdict))

    assert told(Pattern.DNS_INJECTION) == [cell.design for cell in cells_of(found.experiments, found.observations)]
    assert told(Pattern.TLS_RESET)[-1] in (Design.RESOLVERS, Design.NEUTRAL_LOOKUP)


def test_nothing_is_lost_by_the_order_and_places_with_one_outcome_share_a_row():
    for rule in RULES:
        found = measure(rule)
        cells = build_cells(found)
        rows = build_comparisons(found)
        assert len(rows) == len({(cell.what, cell.counted) for cell in cells})
        more = sum(int(row.rpartition(" more: ")[0].rpartition(" and ")[2]) for row in rows if " more: " in row)
        assert len(rows) + more == len(cells), read_golden(rule, "fires")


def told_of(rule: str) -> str:
    found = measure(rule)
    return "\n".join(f"{cell.what}, {cell.where}" for cell in cells_of(found.experiments, found.observations))


def test_pages_of_one_host_are_told_apart():
    told = told_of("http.reset.keyword.other_page_ok")
    assert "HTTP, this page, same address" in told
    assert "HTTP, another page of the host, same address" in told


def test_a_trace_that_carries_no_name_claims_none():
    told = told_of("ip.drop.located")
    assert "trace by SYN, same address" in told
    assert "trace by SYN to a neighbour, " in told
    assert "trace with" not in told


def test_a_page_over_tls_is_not_counted_as_quic():
    told = told_of("quic.all.anchors_too")
    assert "the same page over TLS" not in told
    assert "the same page over TLS, same address" in told_of("quic.endpoint.anchors_ok")
