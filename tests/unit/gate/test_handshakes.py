"""Spacing of handshakes and numbers that are never given twice, also over restarts and over the gate's socket."""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from probe.gate import Gate, wire
from probe.gate.handshakes import Handshakes
from probe.gate.remote import RemoteGate
from probe.gate.server import GateServer
from probe.model.ledger import LedgerState
from probe.model.settings import Limits, StoreSettings
from probe.net.clock import SystemClock
from probe.net.context import TooSoon
from probe.store.store import Store
from tests.fakes import FakeClock

WIDE = Limits(connections_per_s=1e6, dns_per_s=1e6, sockets=5)


class MemoryLedger:
    def __init__(self) -> None:
        self.state = LedgerState()
        self.commits = 0
        self.works = True

    def load(self) -> LedgerState:
        return self.state

    def save(self, state: LedgerState) -> None:
        self.state = state

    async def commit(self) -> bool:
        self.commits += 1
        return self.works


async def test_a_second_handshake_within_the_spacing_is_too_soon_and_says_for_how_long():
    clock = FakeClock()
    gate = Gate(WIDE, clock, None)
    await gate.claim_handshake("openvpn 192.0.2.1:1194", 60, 0)
    clock.advance(20)
    with pytest.raises(TooSoon) as caught:
        await gate.claim_handshake("openvpn 192.0.2.1:1194", 60, 0)
    assert caught.value.wait_s == pytest.approx(40)
    await gate.claim_handshake("openvpn 192.0.2.2:1194", 60, 0)
    clock.advance(40)
    await gate.claim_handshake("openvpn 192.0.2.1:1194", 60, 0)


async def test_who_has_patience_waits_for_the_spacing():
    gate = Gate(WIDE, SystemClock(), None)
    await gate.claim_handshake("x", 0.05, 0)
    await gate.claim_handshake("x", 0.05, 1)


async def test_the_spacing_holds_over_a_restart_and_a_clock_set_back_costs_one_spacing_at_most():
    clock, ledger = FakeClock(), MemoryLedger()
    gate = Gate(WIDE, clock, ledger)
    await gate.claim_handshake("x", 60, 0)
    gate.close()
    clock.step_wall(-5000)
    again = Gate(WIDE, clock, ledger)
    with pytest.raises(TooSoon) as caught:
        await again.claim_handshake("x", 60, 0)
    assert caught.value.wait_s == 60


async def test_numbers_grow_and_are_on_disk_before_they_are_given():
    clock, ledger = FakeClock(), MemoryLedger()
    gate = Gate(WIDE, clock, ledger, ledger.commit)
    assert await gate.reserve("tai64n", 100, 1) == 100
    assert ledger.state.counters["tai64n"] > 100
    assert ledger.commits == 1
    assert await gate.reserve("tai64n", 50, 3) == 101
    assert ledger.commits == 1, "the reserve lasts for a while"
    assert await gate.reserve("tai64n", 50, 1) == 104
    again = Gate(WIDE, clock, ledger, ledger.commit)
    assert await again.reserve("tai64n", 0, 1) > 104


async def test_a_number_that_could_not_be_written_is_not_given():
    ledger = MemoryLedger()
    ledger.works = False
    with pytest.raises(OSError, match="could not be written"):
        await Gate(WIDE, FakeClock(), ledger, ledger.commit).reserve("tai64n", 1, 1)


async def test_a_failed_write_is_tried_again_by_the_next_who_asks():
    ledger = MemoryLedger()
    gate = Gate(WIDE, FakeClock(), ledger, ledger.commit)
    for works in (False, True):
        ledger.works = works
        with contextlib.nullcontext() if works else pytest.raises(OSError, match="could not be written"):
            await gate.reserve("tai64n", 100, 16)
    assert ledger.commits == 2
    assert await Gate(WIDE, FakeClock(), ledger, ledger.commit).reserve("tai64n", 0, 1) >= 132


async def test_nobody_leaves_with_numbers_while_they_are_being_written():
    ledger = MemoryLedger()
    written = asyncio.Event()

    async def commit() -> bool:
        await written.wait()
        return True

    gate = Gate(WIDE, FakeClock(), ledger, commit)
    both = [asyncio.ensure_future(gate.reserve("tai64n", 100, 16)) for _ in range(2)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(one.done() for one in both)
    written.set()
    assert await asyncio.gather(*both) == [100, 116]


async def test_what_was_given_is_in_the_database_already_and_a_process_killed_then_repeats_nothing(tmp_path):
    settings = StoreSettings(path=str(tmp_path / "killed.db"))
    with Store.open(settings, SystemClock()) as store:
        gate = Gate(WIDE, SystemClock(), store.ledger, store.flush)
        number = await gate.reserve("tai64n", 1_790_000_000_000_000_000, 16)
        # Nothing was closed: another process reads what this one would leave behind if it died here.
        with Store.open(settings, SystemClock(), read_only=True) as other:
            assert other.ledger.load().counters["tai64n"] >= number + 16


def test_handshakes_of_yesterday_are_forgotten():
    clock = FakeClock()
    memory = Handshakes(clock, LedgerState(handshakes={"old": clock.wall_s() - 90000, "new": clock.wall_s()}))
    assert set(memory.snapshot()[0]) == {"new"}


async def test_spacing_and_numbers_are_shared_over_the_socket():
    folder = Path(tempfile.mkdtemp(prefix="wp-gate-"))  # pytest's own folders are too long for a unix socket
    gate = Gate(WIDE, SystemClock(), None)
    server = GateServer(gate, folder / wire.SOCKET_NAME)
    await server.start()
    try:
        remote = await RemoteGate.connect(folder / wire.SOCKET_NAME)
        await gate.claim_handshake("x", 60, 0)
        with pytest.raises(TooSoon):
            await remote.claim_handshake("x", 60, 0)
        await remote.claim_handshake("y", 60, 0)
        assert await gate.reserve("c", 5, 1) == 5
        assert await remote.reserve("c", 5, 1) == 6
        await remote.close()
    finally:
        await server.close()
        shutil.rmtree(folder)
