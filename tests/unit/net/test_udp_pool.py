"""The pool of sockets: rotated, bounded in flight, and never giving one question another's answer."""

import asyncio
import random

from probe.model.observation import DNSLookup
from probe.net.clock import SystemClock
from probe.net.context import Context
from probe.net.dns_pool import DnsSockets
from probe.net.lookup import lookup
from tests.fakes import make_context
from tests.unit.net.fake_resolver import PUBLIC, Reply, answer_plainly, build_reply, open_stack, run_resolver


async def test_sockets_are_several_and_replaced_after_their_share() -> None:
    pool = DnsSockets(SystemClock(), sockets_per_family=2, questions_per_socket=5)
    async with run_resolver(answer_plainly) as fake:
        stack = open_stack(dns=pool)
        for _ in range(40):
            await lookup(make_context(stack, hold_s=0.0), fake.resolver, "www.example.com")
        assert 7 <= len(fake.sources) <= 9
        assert pool.opened == len(fake.sources)
        assert len(pool._retired) <= 1
        await stack.close()


async def test_a_retired_socket_still_hears_late_replies() -> None:
    def twice(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, ("A", "8.7.198.46"))), Reply(build_reply(query, ("A", PUBLIC)), after_s=0.05)]

    pool = DnsSockets(SystemClock(), sockets_per_family=1, questions_per_socket=1)
    async with run_resolver(twice) as fake:
        stack = open_stack(dns=pool)
        contexts = [make_context(stack, hold_s=30.0) for _ in range(3)]
        heard = asyncio.Event()
        for ctx in contexts:
            ctx.journal.on_append = heard.set
            await lookup(ctx, fake.resolver, "www.example.com")
        async with asyncio.timeout(20):
            while not all(len(the_lookup(ctx).replies) == 2 for ctx in contexts):
                heard.clear()
                await heard.wait()
        assert pool.opened == 3
        await stack.close()


def the_lookup(ctx: Context) -> DNSLookup:
    (seen,) = ctx.journal.observations
    assert isinstance(seen, DNSLookup)
    return seen


async def test_more_questions_than_room_wait_and_say_how_long() -> None:
    def slowly(query: bytes) -> list[Reply]:
        return [Reply(reply.data, after_s=0.2) for reply in answer_plainly(query)]

    pool = DnsSockets(SystemClock(), sockets_per_family=1, in_flight_per_socket=2)
    async with run_resolver(slowly) as fake:
        stack = open_stack(dns=pool)
        contexts = [make_context(stack) for _ in range(6)]
        await asyncio.gather(*(lookup(ctx, fake.resolver, "www.example.com") for ctx in contexts))
        seen = [the_lookup(ctx) for ctx in contexts]
        waits = sorted(one.queued_s for one in seen)
        assert waits[:2] == [0.0, 0.0]
        assert waits[-1] >= 0.35  # two rounds of others
        assert all(one.t0_s >= one.queued_s for one in seen), "what was waited is not counted as the answer's time"
        await stack.close()


async def test_a_question_that_gives_up_waiting_passes_its_room_on() -> None:
    def slowly(query: bytes) -> list[Reply]:
        return [Reply(reply.data, after_s=0.1) for reply in answer_plainly(query)]

    pool = DnsSockets(SystemClock(), sockets_per_family=1, in_flight_per_socket=1)
    async with run_resolver(slowly) as fake:
        stack = open_stack(dns=pool)
        contexts = [make_context(stack) for _ in range(3)]
        first, second, third = (asyncio.create_task(lookup(ctx, fake.resolver, "www.example.com")) for ctx in contexts)
        await asyncio.sleep(0.02)
        second.cancel()
        assert await first == await third == (PUBLIC,)
        await stack.close()


async def test_hundreds_of_questions_at_once_each_get_their_own_answer() -> None:
    """Replies come shuffled and doubled, and every name has an address of its own."""
    rng = random.Random(7)

    def shuffled(query: bytes) -> list[Reply]:
        number = int(query[13 : 13 + query[12]].decode().removeprefix("t"))
        reply = build_reply(query, ("A", f"93.184.{number >> 8}.{number & 255}"))
        return [Reply(reply, after_s=rng.random() * 0.05), Reply(reply, after_s=rng.random() * 0.05)]

    async with run_resolver(shuffled) as fake:
        stack = open_stack()

        async def ask(number: int) -> None:
            ctx = make_context(stack, hold_s=0.5, timeout_s=5.0)
            answer = await lookup(ctx, fake.resolver, f"t{number}.example.com")
            assert answer == (f"93.184.{number >> 8}.{number & 255}",)

        for start in range(0, 600, 150):  # a socket buffers a few hundred datagrams
            await asyncio.gather(*(ask(number) for number in range(start, start + 150)))
        await asyncio.sleep(0.1)
        assert stack.dns.strays == 0
        await stack.close()


async def test_closing_twice_and_closing_with_questions_open_is_harmless() -> None:
    async with run_resolver(lambda query: []) as fake:
        stack = open_stack()
        question = asyncio.create_task(lookup(make_context(stack, timeout_s=0.2), fake.resolver, "www.example.com"))
        await asyncio.sleep(0.01)
        question.cancel()
        await asyncio.gather(question, return_exceptions=True)
        await stack.close()
        await stack.close()
