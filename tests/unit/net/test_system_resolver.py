"""The operating system's own resolver function, in threads of ours."""

import asyncio
import socket
import threading
import time

import pytest

from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, Transport
from probe.net.lookup import lookup, lookup_getaddrinfo
from probe.net.system_resolver import SystemResolver, ask_getaddrinfo
from probe.protocols.written.resolver_uri import SYSTEM
from tests.fakes import make_context
from tests.unit.net.fake_resolver import open_stack


def names_with(ask: object) -> SystemResolver:
    return SystemResolver("/dev/null", ask=ask)  # type: ignore[arg-type]


async def test_this_hosts_own_name_is_found() -> None:
    names = SystemResolver("/dev/null")
    assert "127.0.0.1" in await names.getaddrinfo("localhost", socket.AF_INET, 5.0)
    names.close()


def test_each_address_comes_once() -> None:
    assert ask_getaddrinfo("127.0.0.1", socket.AF_UNSPEC) == ("127.0.0.1",)


async def test_at_most_eight_threads_wait_however_many_ask() -> None:
    gate = threading.Event()
    running: list[str] = []

    def stuck(name: str, _family: int) -> tuple[str, ...]:
        running.append(name)
        gate.wait(10)
        return (name,)

    names = names_with(stuck)
    questions = [asyncio.create_task(names.getaddrinfo(str(n), 0, 5.0)) for n in range(20)]
    await asyncio.sleep(0.1)
    assert (names.threads, len(running)) == (8, 8)
    gate.set()
    assert sorted(await asyncio.gather(*questions)) == sorted((str(n),) for n in range(20))
    names.close()


async def test_a_thread_that_is_free_is_used_again() -> None:
    names = names_with(lambda name, _: (name,))
    for n in range(20):
        assert await names.getaddrinfo(str(n), 0, 5.0) == (str(n),)
        await asyncio.sleep(0.002)
    assert names.threads <= 2
    names.close()


async def test_an_answer_that_comes_too_late_is_dropped() -> None:
    def slow(name: str, _family: int) -> tuple[str, ...]:
        time.sleep(0.15)
        return (name,)

    names = names_with(slow)
    with pytest.raises(TimeoutError):
        await names.getaddrinfo("late", 0, 0.02)
    assert await names.getaddrinfo("next", 0, 5.0) == ("next",)
    names.close()


def test_an_answer_after_the_loop_has_closed_is_dropped() -> None:
    done = threading.Event()

    def slow(name: str, _family: int) -> tuple[str, ...]:
        time.sleep(0.1)
        done.set()
        return (name,)

    names = names_with(slow)

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await names.getaddrinfo("x", 0, 0.01)

    asyncio.run(ask())
    assert done.wait(5)
    names.close()


async def observe(ask: object, families: tuple[int, ...] = (4, 6), timeout_s: float = 2.0) -> DNSLookup:
    stack = open_stack()
    stack.names = names_with(ask)
    ctx = make_context(stack, families=families, timeout_s=timeout_s)
    addresses = await lookup_getaddrinfo(ctx, "www.example.com")
    (seen,) = ctx.journal.observations
    assert isinstance(seen, DNSLookup)
    assert seen.addresses == addresses
    assert ctx.gate.asked == ctx.gate.released
    await stack.close()
    return seen


async def test_its_answer_is_one_observation() -> None:
    seen = await observe(lambda name, family: ("93.184.216.34", "2606:2800::1"))
    assert (seen.resolver.transport, seen.resolver.system, seen.failure) == (Transport.GETADDRINFO, True, None)
    assert [(answer.type, answer.value) for answer in seen.replies[0].answers] == [
        ("A", "93.184.216.34"),
        ("AAAA", "2606:2800::1"),
    ]


@pytest.mark.parametrize(
    ("families", "family"), [((4,), socket.AF_INET), ((6,), socket.AF_INET6), ((4, 6), socket.AF_UNSPEC)]
)
async def test_only_the_families_of_the_vantage_are_asked_for(families: tuple[int, ...], family: int) -> None:
    asked: list[int] = []

    def note(_name: str, family: int) -> tuple[str, ...]:
        asked.append(family)
        return ("93.184.216.34",)

    seen = await observe(note, families)
    assert asked == [family]
    assert seen.query_type == ("AAAA" if families == (6,) else "A")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), FailureCode.DNS_NXDOMAIN),
        (socket.gaierror(socket.EAI_AGAIN, "again"), FailureCode.DNS_TEMPORARY),
        (socket.gaierror(socket.EAI_FAIL, "fail"), FailureCode.DNS_NON_RECOVERABLE),
        (socket.gaierror(-5, "no data"), FailureCode.DNS_NO_ANSWER),
        (UnicodeError("label too long"), FailureCode.DNS_NON_RECOVERABLE),
        (OSError(24, "too many"), FailureCode.OUT_OF_DESCRIPTORS),
    ],
)
async def test_each_of_its_errors_is_a_failure(error: Exception, code: FailureCode) -> None:
    def fail(_name: str, _family: int) -> tuple[str, ...]:
        raise error

    seen = await observe(fail)
    assert seen.failure is not None
    assert (seen.failure.code, seen.replies) == (code, ())


async def test_its_silence_is_a_timeout() -> None:
    def slow(_name: str, _family: int) -> tuple[str, ...]:
        time.sleep(0.2)
        return ()

    seen = await observe(slow, timeout_s=0.05)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TIMEOUT


async def test_the_resolver_called_system_is_this_function() -> None:
    stack = open_stack()
    stack.names = names_with(lambda name, family: ("93.184.216.34",))
    ctx = make_context(stack)
    assert await lookup(ctx, SYSTEM, "www.example.com") == ("93.184.216.34",)
    await stack.close()
