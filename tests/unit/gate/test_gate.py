import asyncio
import random
import time

import pytest

from probe.gate import Gate
from probe.gate.line import MIN_BURST
from probe.model.endpoint import Endpoint
from probe.model.experiment import Traffic
from probe.model.ledger import HotEndpoint, LedgerState
from probe.model.settings import Limits
from probe.net.clock import SystemClock
from tests.fakes import FakeClock

HERE = Endpoint(address="192.0.2.1", port=443)
THERE = Endpoint(address="192.0.2.2", port=443)
WIDE = Limits(connections_per_s=1e6, dns_per_s=1e6, sockets=10_000)


class MemoryLedger:
    def __init__(self, state: LedgerState | None = None) -> None:
        self.state = state or LedgerState()
        self.saves = 0

    def load(self) -> LedgerState:
        return self.state

    def save(self, state: LedgerState) -> None:
        self.state = state
        self.saves += 1


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def numbered(number: int) -> Endpoint:
    return Endpoint(address=f"198.51.100.{number % 250}", port=1000 + number // 250)


async def test_with_budget_at_hand_an_ask_does_not_let_another_task_run():
    gate = Gate(WIDE, SystemClock(), None)
    ran = []
    other = asyncio.create_task(asyncio.sleep(0, ran.append(1)))
    asyncio.get_running_loop().call_soon(ran.append, "switched")
    for number in range(100):
        gate.release(await gate.ask(Traffic.CONNECT, numbered(number), "m"))
    assert "switched" not in ran
    await other


async def test_a_first_burst_of_thirty_is_not_delayed_on_the_default_profile():
    gate = Gate(Limits(), FakeClock(), None)
    async with asyncio.timeout(1):
        grants = [await gate.ask(Traffic.DNS, HERE, "m") for _ in range(30)]
    assert all(grant.queued_s == 0 for grant in grants)


async def test_over_the_budget_an_ask_waits_and_says_for_how_long():
    gate = Gate(Limits(connections_per_s=1), SystemClock(), None)
    for number in range(int(MIN_BURST)):
        await gate.ask(Traffic.CONNECT, numbered(number), "m")
    started = time.perf_counter()
    grant = await gate.ask(Traffic.CONNECT, HERE, "m")
    waited = time.perf_counter() - started
    assert 0 < grant.queued_s <= waited + 0.001


@pytest.mark.parametrize("traffic", [Traffic.DNS, Traffic.CONNECT, Traffic.ECHO])
async def test_in_the_long_run_no_more_is_granted_than_the_rate(traffic):
    gate = Gate(Limits(connections_per_s=200, dns_per_s=200), SystemClock(), None)
    started = time.perf_counter()
    for number in range(300):
        gate.release(await gate.ask(traffic, numbered(number), "m"))
    elapsed = time.perf_counter() - started
    assert elapsed >= 100 / 200 * 0.98
    assert elapsed < 3


async def test_budgets_of_dns_and_connections_are_separate():
    gate = Gate(Limits(connections_per_s=30, dns_per_s=0.001), FakeClock(), None)
    for _ in range(30):
        await gate.ask(Traffic.DNS, HERE, "m")
    waiting = asyncio.create_task(gate.ask(Traffic.DNS, HERE, "m"))
    async with asyncio.timeout(1):
        await gate.ask(Traffic.CONNECT, HERE, "m")
    assert not waiting.done()
    waiting.cancel()


async def test_no_more_sockets_are_in_flight_than_the_limit_and_waiters_are_served_in_order():
    gate = Gate(Limits(connections_per_s=1e6, sockets=2), SystemClock(), None)
    held = [await gate.ask(Traffic.CONNECT, numbered(n), "m") for n in range(2)]
    served = []

    async def one(number: int) -> None:
        grant = await gate.ask(Traffic.CONNECT, numbered(number), f"m{number}")
        served.append(number)
        await asyncio.sleep(0)
        gate.release(grant)

    async with asyncio.TaskGroup() as group:
        for number in range(10, 30):
            group.create_task(one(number))
        await settle()
        assert not served
        assert gate.stats().waiting_for_connections == 20
        for grant in held:
            gate.release(grant)
    assert served == list(range(10, 30))
    assert gate.stats().sockets_in_flight == 0


async def test_dns_questions_need_no_socket():
    gate = Gate(Limits(dns_per_s=1e6, sockets=1), FakeClock(), None)
    async with asyncio.timeout(1):
        for _ in range(10):
            await gate.ask(Traffic.DNS, HERE, "m")


async def test_a_holder_may_open_several_and_others_wait_until_the_last_is_released():
    gate = Gate(WIDE, SystemClock(), None)
    first = await gate.ask(Traffic.CONNECT, HERE, "a")
    other = asyncio.create_task(gate.ask(Traffic.CONNECT, HERE, "b"))
    await settle()
    second = await gate.ask(Traffic.CONNECT, HERE, "a")
    gate.release(first)
    await settle()
    assert not other.done()
    assert gate.stats().waiting_for_endpoint == 1
    gate.release(second)
    grant = await other
    assert grant.queued_s > 0
    gate.release(grant)


async def test_another_port_is_another_place():
    gate = Gate(WIDE, SystemClock(), None)
    await gate.ask(Traffic.CONNECT, HERE, "a")
    async with asyncio.timeout(1):
        await gate.ask(Traffic.CONNECT, Endpoint(address=HERE.address, port=80), "b")


async def test_holders_get_a_place_in_the_order_in_which_they_came_and_nobody_starves():
    gate = Gate(WIDE, SystemClock(), None)
    first = await gate.ask(Traffic.CONNECT, HERE, "first")
    order = []

    async def measure(holder: str) -> None:
        for _ in range(5):
            grant = await gate.ask(Traffic.CONNECT, HERE, holder)
            order.append(holder)
            await asyncio.sleep(0)
            gate.release(grant)

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(measure(f"m{number}"))
        await settle()
        gate.release(first)
    rounds = [order[n : n + 4] for n in range(0, 20, 4)]
    assert all(sorted(each) == ["m0", "m1", "m2", "m3"] for each in rounds)


async def test_holders_that_want_each_others_places_do_not_deadlock():
    gate = Gate(Limits(connections_per_s=1e6, sockets=3), SystemClock(), None)

    async def open_one(endpoint: Endpoint, holder: str) -> None:
        grant = await gate.ask(Traffic.CONNECT, endpoint, holder)
        await asyncio.sleep(0.0005)
        gate.release(grant)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(200):
            for endpoint in (HERE, THERE, numbered(number % 3)):
                group.create_task(open_one(endpoint, f"m{number % 17}"))
    stats = gate.stats()
    assert (stats.in_flight, stats.queued, stats.sockets_in_flight) == (0, 0, 0)


async def test_a_second_release_changes_nothing():
    gate = Gate(WIDE, SystemClock(), None)
    grant = await gate.ask(Traffic.CONNECT, HERE, "a")
    gate.release(grant, bytes_sent=5)
    gate.release(grant, bytes_sent=5)
    assert gate.stats().bytes_sent_total == 5
    assert gate.stats().sockets_in_flight == 0


async def test_cancelling_a_waiter_leaves_its_place_to_the_next():
    gate = Gate(WIDE, SystemClock(), None)
    first = await gate.ask(Traffic.CONNECT, HERE, "a")
    cancelled = asyncio.create_task(gate.ask(Traffic.CONNECT, HERE, "b"))
    await settle()
    heir = asyncio.create_task(gate.ask(Traffic.CONNECT, HERE, "c"))
    await settle()
    gate.release(first)  # the seat is b's now, whose task has not run yet
    cancelled.cancel()
    grant = await asyncio.wait_for(heir, 1)
    assert grant.endpoint == HERE
    assert cancelled.cancelled()


async def test_cancelling_one_who_was_just_served_gives_token_and_socket_back():
    gate = Gate(Limits(connections_per_s=1e6, sockets=1), SystemClock(), None)
    first = await gate.ask(Traffic.CONNECT, HERE, "a")
    served = asyncio.create_task(gate.ask(Traffic.CONNECT, THERE, "b"))
    await settle()
    gate.release(first)
    served.cancel()
    await settle()
    async with asyncio.timeout(1):
        await gate.ask(Traffic.CONNECT, THERE, "c")


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm_of_cancellations_loses_no_token_no_socket_and_no_place(seed):
    dice = random.Random(seed)
    gate = Gate(Limits(connections_per_s=20_000, dns_per_s=20_000, sockets=7), SystemClock(), None)

    async def one(number: int) -> None:
        traffic = dice.choice([Traffic.CONNECT, Traffic.CONNECT, Traffic.DNS, Traffic.ECHO])
        grant = await gate.ask(traffic, numbered(dice.randrange(12)), f"m{number % 9}")
        try:
            await asyncio.sleep(dice.random() * 0.002)
        finally:
            gate.release(grant)

    tasks = [asyncio.create_task(one(number)) for number in range(2000)]
    for _ in range(40):
        await asyncio.sleep(dice.random() * 0.003)
        for task in dice.sample(tasks, 40):
            task.cancel()
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    stats = gate.stats()
    assert (stats.in_flight, stats.queued, stats.sockets_in_flight) == (0, 0, 0)
    async with asyncio.timeout(5):
        for number in range(12):
            gate.release(await gate.ask(Traffic.CONNECT, numbered(number), "after"))


async def test_ten_thousand_waiters_are_cancelled_in_linear_time():
    gate = Gate(Limits(connections_per_s=1e6, sockets=1), SystemClock(), None)
    await gate.ask(Traffic.CONNECT, HERE, "a")
    tasks = [asyncio.create_task(gate.ask(Traffic.CONNECT, numbered(n), "b")) for n in range(10_000)]
    await settle()
    started = time.perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert time.perf_counter() - started < 3
    assert gate.stats().queued == 0


async def test_a_trigger_is_hot_for_later_holders_and_not_for_its_own():
    clock = FakeClock()
    gate = Gate(WIDE, clock, None)
    own = await gate.ask(Traffic.CONNECT, HERE, "a")
    gate.triggered(HERE)
    assert not (await gate.ask(Traffic.CONNECT, HERE, "a")).hot
    gate.release(own)
    gate = Gate(WIDE, clock, None)
    own = await gate.ask(Traffic.CONNECT, HERE, "a")
    gate.triggered(HERE)
    gate.release(own)
    later = await gate.ask(Traffic.CONNECT, HERE, "b")
    assert later.hot
    assert not (await gate.ask(Traffic.CONNECT, THERE, "b")).hot
    gate.triggered(HERE)
    gate.release(later)
    clock.advance(1)
    assert (await gate.ask(Traffic.CONNECT, HERE, "b")).hot, "a's heat is not over because b added its own"


async def test_a_place_cools_down_after_the_configured_time_whatever_the_wall_clock_does():
    clock = FakeClock()
    gate = Gate(WIDE, clock, None)
    gate.triggered(HERE)
    assert gate.hot_until(HERE) == clock.boot_s() + 200
    clock.step_wall(86400)
    clock.advance(199)
    assert gate.stats().hot == 1
    clock.advance(1)
    assert gate.hot_until(HERE) is None
    assert gate.stats().hot == 0


async def test_what_quic_triggers_is_hot_by_udp_alone_also_after_a_restart():
    clock, ledger = FakeClock(), MemoryLedger()
    gate = Gate(Limits(), clock, ledger)
    gate.release(await gate.ask(Traffic.DATAGRAM, HERE, "a"))
    gate.triggered(HERE, over_udp=True)
    gate.close()
    for one in (gate, Gate(Limits(), clock, ledger)):
        assert not (await one.ask(Traffic.CONNECT, HERE, "b")).hot
        assert (await one.ask(Traffic.DATAGRAM, HERE, "b")).hot
        assert one.hot_until(HERE) is None
        assert one.hot_until(HERE, over_udp=True) == clock.boot_s() + 200


async def test_hot_places_survive_a_restart():
    clock = FakeClock()
    ledger = MemoryLedger(LedgerState(handshakes={"x": clock.wall_s() - 5.0}, counters={"tai64n": 7}))
    gate = Gate(WIDE, clock, ledger)
    gate.triggered(HERE)
    gate.close()
    clock.advance(50)
    again = Gate(WIDE, clock, ledger)
    assert again.hot_until(HERE) == pytest.approx(clock.boot_s() + 150)
    assert (await again.ask(Traffic.CONNECT, HERE, "m")).hot
    assert ledger.state.handshakes == {"x": clock.wall_s() - 55.0}
    assert ledger.state.counters == {"tai64n": 7}


async def test_saved_wall_times_follow_a_step_of_the_clock():
    clock = FakeClock()
    ledger = MemoryLedger()
    gate = Gate(WIDE, clock, ledger)
    gate.triggered(HERE)
    clock.step_wall(-5000)
    gate.save()
    assert ledger.state.hot[0].until_wall_s == pytest.approx(clock.wall_s() + 200)


async def test_nothing_restored_is_hot_for_longer_than_a_cool_down():
    clock = FakeClock()
    saved = HotEndpoint(endpoint=HERE, until_wall_s=9e9, until_boot_s=9e9)
    over = HotEndpoint(endpoint=THERE, until_wall_s=0, until_boot_s=clock.boot_s() - 1)
    gate = Gate(WIDE, clock, MemoryLedger(LedgerState(hot=(saved, over))))
    assert gate.hot_until(HERE) == clock.boot_s() + 200
    assert gate.hot_until(THERE) is None


async def test_many_triggers_are_saved_together():
    ledger = MemoryLedger()
    gate = Gate(WIDE, SystemClock(), ledger)
    for number in range(1000):
        gate.triggered(numbered(number))
    assert ledger.saves == 1
    gate.close()
    assert ledger.saves == 2
    assert len(ledger.state.hot) == 1000


async def test_over_the_bytes_of_a_day_deep_runs_stop_until_the_day_has_passed():
    clock = FakeClock(boot_s=0)
    gate = Gate(Limits(bytes_per_day=1000), clock, None)
    gate.release(await gate.ask(Traffic.CONNECT, HERE, "m"), bytes_sent=400, bytes_received=599)
    assert gate.deep_allowed
    gate.release(await gate.ask(Traffic.CONNECT, HERE, "m"), bytes_sent=1)
    assert not gate.deep_allowed
    assert gate.stats().bytes_today == 1000
    clock.step_wall(86400 * 3)
    clock.advance(23 * 3600)
    assert not gate.deep_allowed
    clock.advance(3600)
    assert gate.deep_allowed
    assert gate.stats().bytes_received_total == 599


async def test_the_storm_guard_lets_follow_ups_cost_what_clean_operation_costs():
    clock = FakeClock()
    gate = Gate(WIDE, clock, None)
    assert all(gate.may_follow_up(100) for _ in range(100)), "open while nothing is known"
    gate.expect(10.0)
    allowed = 0
    for _ in range(3600):
        clock.advance(1)
        allowed += sum(10 for _ in range(20) if gate.may_follow_up(10))
    assert 3600 * 10 * 0.75 < allowed <= 3600 * 10 * 0.8 + 600, "a minute at once, four fifths after it"
    assert gate.stats().follow_ups_deferred_total > 0


async def test_new_limits_are_adopted_while_asks_wait():
    gate = Gate(Limits(connections_per_s=1e6, sockets=1), SystemClock(), None)
    await gate.ask(Traffic.CONNECT, HERE, "a")
    waiting = asyncio.create_task(gate.ask(Traffic.CONNECT, THERE, "b"))
    await settle()
    gate.adopt(Limits(connections_per_s=1e6, sockets=2))
    await asyncio.wait_for(waiting, 1)


async def test_ask_and_release_take_a_few_microseconds():
    gate = Gate(WIDE, SystemClock(), None)
    places = [numbered(number) for number in range(1000)]
    best = 1.0
    for _ in range(10):
        started = time.perf_counter()
        for place in places:
            gate.release(await gate.ask(Traffic.CONNECT, place, "m"), bytes_sent=100, bytes_received=900)
        best = min(best, (time.perf_counter() - started) / len(places))
    assert best < 20e-6, "5 µs on a quiet machine; four times that on a busy one"
