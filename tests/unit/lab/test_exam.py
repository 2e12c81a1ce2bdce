import pytest

from probe.lab.exam.sitting import LONGEST_RTT_S, SHORTEST_RTT_S, draw_line
from probe.lab.scenarios import build_scenarios
from probe.lab.world.atlas import build_world

SCENARIOS = build_scenarios(build_world(0))


def rtt_s(line):
    return 2 * (line.access_delay_s + line.transit_delay_s)


def test_delays_are_drawn_between_ten_and_three_hundred_milliseconds():
    drawn = [rtt_s(draw_line(SCENARIOS["clean"], seed)) for seed in range(300)]
    assert all(SHORTEST_RTT_S <= each <= LONGEST_RTT_S for each in drawn)
    assert min(drawn) < 0.012
    assert max(drawn) > 0.25


def test_the_same_seed_draws_the_same_delays_and_other_scenarios_get_others():
    clean, blackhole = SCENARIOS["clean"], SCENARIOS["blackhole"]
    assert draw_line(clean, 5) == draw_line(clean, 5)
    assert draw_line(clean, 5) != draw_line(blackhole, 5)
    assert draw_line(clean, 5) != draw_line(clean, 6)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_what_else_a_line_does_stays(scenario):
    line, usual = draw_line(scenario, 9), scenario.line
    assert (line.loss_ratio, line.bytes_per_s, line.is_cut) == (usual.loss_ratio, usual.bytes_per_s, usual.is_cut)
    assert (line.lost_above_bytes, line.loses_ipv6, line.queue_s) == (
        usual.lost_above_bytes,
        usual.loses_ipv6,
        usual.queue_s,
    )
