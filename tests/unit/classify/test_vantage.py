import hypothesis.strategies as st
import pytest
from hypothesis import given

from probe.classify.vantage import CLOCK_WRONG_S, Sights, judge_vantage
from probe.model.vantage import AnchorResult, LocalFinding, VantageState

ONLINE, DEGRADED, CUT, GATE, OFFLINE = (
    VantageState.ONLINE,
    VantageState.DEGRADED,
    VantageState.FOREIGN_CUT,
    VantageState.PORTAL,
    VantageState.OFFLINE,
)


def anchors(outcomes, group="foreign", family=4, issuer=""):
    """Write anchors as a string: + passed, - failed."""
    return tuple(
        AnchorResult(address=f"https://{group}{n}.example", group=group, ok=mark == "+", family=family, issuer=issuer)
        for n, mark in enumerate(outcomes)
    )


def look(foreign="", domestic="", **fields):
    given_fields = {"families": (4,), "resolvers_ok": 1, "resolvers_total": 1} | fields
    seen = given_fields.pop("anchors", ()) + anchors(foreign) + anchors(domestic, "domestic")
    return judge_vantage(Sights(anchors=seen, **given_fields))


@pytest.mark.parametrize(
    ("foreign", "domestic", "state"),
    [
        ("+++++", "++", ONLINE),
        ("++---", "++", DEGRADED),
        ("+++--", "++", ONLINE),
        ("+----", "++", CUT),
        ("-----", "++", CUT),
        ("-----", "+-", CUT),
        ("-----", "--", OFFLINE),
        ("+----", "--", DEGRADED),
        ("+", "", ONLINE),
        ("-", "", OFFLINE),
        ("", "", OFFLINE),
    ],
)
def test_the_state_follows_from_quorums(foreign, domestic, state):
    assert look(foreign, domestic).state is state


def test_without_domestic_anchors_a_resolver_outside_that_answers_shows_a_way_out():
    assert look("-----", resolver_outside=True).state is CUT
    assert look("-----", resolver_outside=True, resolvers_ok=0).state is OFFLINE
    assert look("-----").state is OFFLINE


def test_a_portal_needs_a_page_and_no_proof():
    assert look("-----", "--", portal_status=302).state is GATE
    assert look("-----", "--", portal_status=204, portal_body_bytes=9).state is GATE
    assert look("-----", "--", portal_status=204).state is OFFLINE
    assert look("+++++", "++", portal_status=302).state is ONLINE
    assert look("-----", "+-", portal_status=200).state is CUT


def test_a_dead_resolver_among_several_degrades():
    assert look("+++++", "++", resolvers_ok=1, resolvers_total=2).state is DEGRADED


def test_ipv6_that_fails_for_all_anchors_is_no_family_of_the_vantage():
    fitness = look("+++++", "++", families=(4, 6), anchors=anchors("-----", family=6))
    assert (fitness.state, fitness.families) == (DEGRADED, (4,))


def test_a_family_that_no_anchor_was_asked_in_counts_by_its_route():
    assert look("+++++", "++", families=(4, 6)).families == (4, 6)


def test_the_same_private_issuer_on_two_neutral_names_is_inspection_and_no_outage():
    fitness = look(anchors=anchors("---", issuer="CN=Corporate"))
    assert fitness.state is ONLINE
    assert LocalFinding.TLS_INSPECTION in fitness.findings


def test_one_odd_issuer_is_not():
    assert LocalFinding.TLS_INSPECTION not in look("++", anchors=anchors("-", "domestic", issuer="CN=Odd")).findings


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ({"tunnel_route": True}, LocalFinding.TUNNEL_ROUTE),
        ({"fake_addresses": True}, LocalFinding.FAKE_IP),
        ({"proxy_environment": True}, LocalFinding.PROXY_ENVIRONMENT),
        ({"neutral_falsified": True}, LocalFinding.RESOLVER_FALSIFIES),
        ({"getaddrinfo_differs": True}, LocalFinding.GETADDRINFO_DIFFERS),
        ({"clock_offset_s": CLOCK_WRONG_S + 1}, LocalFinding.CLOCK_WRONG),
        ({"clock_offset_s": -CLOCK_WRONG_S - 1}, LocalFinding.CLOCK_WRONG),
    ],
)
def test_what_sits_beside_this_machine_is_found(fields, finding):
    assert look("+++++", "++", **fields).findings == (finding,)


def test_a_fake_ip_proxy_is_not_also_a_lying_resolver():
    assert look("+++", fake_addresses=True, neutral_falsified=True).findings == (LocalFinding.FAKE_IP,)


def test_a_clock_that_is_right_or_unknown_is_no_finding():
    assert look("+++++", "++", clock_offset_s=CLOCK_WRONG_S).findings == ()
    assert look("+++++", "++").findings == ()


def test_a_border_is_selective_when_two_looks_agree_on_who_passes():
    before = anchors("+----")
    assert look("+----", "++", previous=before).selective
    assert not look("+----", "++").selective
    assert not look("-----", "++", previous=anchors("-----")).selective


@given(now=st.text("+-", min_size=5, max_size=5), before=st.text("+-", min_size=5, max_size=5))
def test_anchors_that_change_between_looks_show_congestion(now, before):
    fitness = look(now, "++", previous=anchors(before))
    if fitness.selective:
        assert now == before
        assert "+" in now


@given(st.text("+-", max_size=6), st.text("+-", max_size=3), st.one_of(st.none(), st.sampled_from((200, 204, 302))))
def test_a_proven_anchor_is_never_offline_nor_a_portal(foreign, domestic, portal):
    fitness = look(foreign, domestic, portal_status=portal)
    if "+" in foreign or "+" in domestic:
        assert fitness.state not in (OFFLINE, GATE)
