"""Who asks, and that the time it takes to say no tells nothing."""

import asyncio
import base64
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.web.auth import Authenticator, dummy_hash, parse_basic


def header(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def hash_of(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


@pytest.fixture(scope="module")
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


class Counting:
    """Compares for real, and keeps what each comparison cost."""

    def __init__(self) -> None:
        self.work: list[int] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.work.append(2 ** int(hashed[4:6]))
        try:
            return bcrypt.checkpw(password, hashed)
        finally:
            with self._lock:
                self.at_once -= 1


async def test_the_right_password_is_admitted_and_nothing_else(thread):
    users = Authenticator({"ann": hash_of("pä:ss")}, thread)
    assert await users.admits(header("ann", "pä:ss"))
    assert await users.admits(header("ann", "pä:ss").replace("Basic", "bAsIc "))
    for wrong in (header("ann", "pass"), header("ann", ""), header("bob", "pä:ss"), header("", ""), "", "Bearer x"):
        assert not await users.admits(wrong), wrong


async def test_a_password_longer_than_bcrypt_reads_is_cut_as_everywhere(thread):
    users = Authenticator({"ann": hash_of("x" * 72)}, thread)
    assert await users.admits(header("ann", "x" * 100))


async def test_the_hash_for_unknown_users_admits_nobody(thread):
    users = Authenticator({}, thread, compare=lambda _password, _hashed: True)
    assert not await users.admits(header("ann", "any"))
    assert not bcrypt.checkpw(b"any", dummy_hash(4))


async def test_every_refusal_costs_the_same_whoever_is_named(thread):
    users = {"cheap": hash_of("a", 4), "middle": hash_of("b", 5), "dear": hash_of("c", 7)}
    spent = {}
    for name in ("cheap", "middle", "dear", "nobody", ""):
        compare = Counting()
        assert not await Authenticator(users, thread, compare).admits(header(name, "wrong"))
        spent[name] = sum(compare.work)
    assert set(spent.values()) == {2**7}


async def test_the_time_of_a_refusal_does_not_tell_a_user_from_nobody(thread):
    """CPU time of the comparing thread: the wall clock of a busy machine would prove nothing."""
    users = Authenticator({"cheap": hash_of("a", 4), "dear": hash_of("c", 9)}, thread)
    seconds: dict[str, list[float]] = {"cheap": [], "dear": [], "nobody": []}
    for attempt in range(7):
        for name, taken in seconds.items():
            before = thread.submit(time.thread_time).result()
            assert not await users.admits(header(name, f"wrong {attempt}"))
            taken.append(thread.submit(time.thread_time).result() - before)
    medians = [statistics.median(taken) for taken in seconds.values()]
    assert max(medians) < 1.5 * min(medians), medians


async def test_outcomes_are_remembered_and_a_flood_of_wrong_ones_keeps_the_right_ones(thread):
    compare = Counting()
    users = Authenticator({"ann": hash_of("right")}, thread, compare)
    assert await users.admits(header("ann", "right"))
    for number in range(150):
        assert not await users.admits(header("eve", str(number)))
    count = len(compare.work)
    assert await users.admits(header("ann", "right"))
    assert not await users.admits(header("eve", "149"))
    assert len(compare.work) == count


async def test_one_comparison_runs_at_a_time_and_the_loop_goes_on_meanwhile(thread):
    compare = Counting()
    users = Authenticator({"ann": hash_of("right", 8)}, thread, compare)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    answers = await asyncio.gather(*(users.admits(header("ann", f"wrong {number}")) for number in range(6)))
    ticking.cancel()
    assert not any(answers)
    assert compare.most_at_once == 1
    assert ticks > 10


async def test_no_password_is_kept_as_it_is(thread):
    users = Authenticator({"ann": hash_of("planted-secret")}, thread)
    await users.admits(header("ann", "planted-secret"))
    assert b"planted-secret" not in repr(vars(users)).encode()


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda data: "Basic " + base64.b64encode(data).decode()))
def test_any_header_is_read_or_refused(text):
    found = parse_basic(text)
    assert found is None or isinstance(found[1], bytes)
