"""One resolver asked over UDP: every reply kept, on both loops."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from probe.model.endpoint import Endpoint
from probe.model.failure import FailureCode, Stage
from probe.model.observation import DNSLookup, ReplyFit, Resolver, Transport
from probe.net.context import Context
from probe.net.lookup import lookup
from tests.fakes import OpenGate, make_context
from tests.unit.net.fake_resolver import (
    PUBLIC,
    Reply,
    Script,
    always,
    answer_plainly,
    build_reply,
    open_stack,
    run_resolver,
    stay_silent,
)

NAME = "www.example.com"
HOLD_S = 0.15


@contextlib.asynccontextmanager
async def asking(**fields: object) -> AsyncIterator[Context]:
    """A context on a stack of its own, closed afterwards."""
    stack = open_stack()
    try:
        yield make_context(stack, **({"hold_s": HOLD_S, "timeout_s": 1.0} | fields))
    finally:
        await stack.close()


async def ask(script: Script, query_type: str = "A", *, hold: bool = False, **fields: object) -> DNSLookup:
    """Ask a fake once and return the only observation."""
    async with run_resolver(script) as fake, asking(**fields) as ctx:
        await lookup(ctx, fake.resolver, NAME, query_type, hold=hold)
        (observation,) = ctx.journal.observations
        assert isinstance(observation, DNSLookup)
        return observation


async def until(condition: Callable[[], object]) -> None:
    """Wait for what comes by itself, however busy the machine is."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came")


def fits(observation: DNSLookup) -> list[ReplyFit]:
    return [reply.fit for reply in observation.replies]


async def test_a_clean_first_reply_ends_the_question_and_keeps_no_bytes() -> None:
    seen = await ask(answer_plainly, hold_s=5.0)
    assert (seen.failure, seen.addresses, seen.sends, seen.held_s) == (None, (PUBLIC,), 1, 0.0)
    assert seen.replies[0].raw == b""
    assert seen.t0_s <= seen.replies[0].t_s == seen.t_s < 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="IP_RECVTTL")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_the_ttl_of_a_reply_is_noted_in_both_families(address: str) -> None:
    async with run_resolver(answer_plainly, address=address) as fake, asking() as ctx:
        assert await lookup(ctx, fake.resolver, NAME) == (PUBLIC,)
        assert ctx.journal.observations[0].replies[0].ip_ttl == 64


async def test_records_of_every_type_can_be_asked_for() -> None:
    seen = await ask(always(("HTTPS", '1 . alpn="h3"')), "HTTPS")
    assert (seen.failure, seen.addresses) == (None, ())
    assert [(answer.type, answer.value) for answer in seen.replies[0].answers] == [("HTTPS", '1 . alpn="h3"')]


async def test_a_private_address_makes_it_listen_on_and_keeps_a_second_reply() -> None:
    def race(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, ("A", "10.10.34.34"))), Reply(build_reply(query, ("A", PUBLIC)), after_s=0.05)]

    seen = await ask(race)
    assert [reply.answers[0].value for reply in seen.replies] == ["10.10.34.34", PUBLIC]
    assert seen.addresses == ("10.10.34.34",)
    assert seen.held_s >= HOLD_S * 0.9
    assert all(reply.raw for reply in seen.replies)


async def test_a_late_contradiction_amends_the_observation_of_a_clean_reply() -> None:
    def inject(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, ("A", "8.7.198.46"))), Reply(build_reply(query, ("A", PUBLIC)), after_s=0.05)]

    async with run_resolver(inject) as fake, asking(hold_s=20.0) as ctx:
        appended: list[int] = []
        assert await lookup(ctx, fake.resolver, NAME) == ("8.7.198.46",)
        ctx.journal.on_append = lambda: appended.append(len(ctx.journal.observations))
        await until(lambda: appended)
        (seen,) = ctx.journal.observations
        assert isinstance(seen, DNSLookup)
        assert [reply.answers[0].value for reply in seen.replies] == ["8.7.198.46", PUBLIC]
        assert all(reply.raw for reply in seen.replies)
        assert (appended, seen.failure, seen.addresses) == ([1], None, ("8.7.198.46",))


async def test_a_second_reply_that_is_already_there_starts_the_hold() -> None:
    def burst(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, ("A", address))) for address in ("8.7.198.46", "59.24.3.174")]

    seen = await ask(burst)
    assert len(seen.replies) == 2
    assert seen.held_s >= HOLD_S * 0.9


async def test_after_the_reservation_a_reply_is_nobodys() -> None:
    def late(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, ("A", PUBLIC))), Reply(build_reply(query, ("A", "1.2.3.4")), after_s=0.5)]

    async with run_resolver(late) as fake, asking(hold_s=0.02) as ctx:
        await lookup(ctx, fake.resolver, NAME)
        await until(lambda: ctx.stack.dns.strays)
        assert len(ctx.journal.observations[0].replies) == 1
        assert ctx.stack.dns.strays == 1


async def test_a_wrong_id_is_kept_and_not_used() -> None:
    def forge(query: bytes) -> list[Reply]:
        good = build_reply(query, ("A", PUBLIC))
        return [Reply(bytes((good[0] ^ 1, good[1])) + good[2:]), Reply(good, after_s=0.03)]

    seen = await ask(forge)
    assert fits(seen) == [ReplyFit.WRONG_ID, ReplyFit.OURS]
    assert (seen.failure, seen.addresses) == (None, (PUBLIC,))
    assert seen.held_s > 0


async def test_the_answer_to_another_question_is_kept_and_not_used() -> None:
    def mislead(query: bytes) -> list[Reply]:
        other = build_reply(query, ("A", "1.2.3.4")).replace(b"example", b"exbmple")
        return [Reply(other), Reply(build_reply(query, ("A", PUBLIC)), after_s=0.03)]

    seen = await ask(mislead)
    assert fits(seen) == [ReplyFit.WRONG_QUESTION, ReplyFit.OURS]
    assert seen.addresses == (PUBLIC,)


async def test_a_reply_from_another_address_names_it_and_is_not_used() -> None:
    def elsewhere(query: bytes) -> list[Reply]:
        reply = build_reply(query, ("A", "1.2.3.4"))
        return [Reply(reply, from_elsewhere=True), Reply(build_reply(query, ("A", PUBLIC)), after_s=0.03)]

    seen = await ask(elsewhere)
    assert fits(seen) == [ReplyFit.WRONG_SENDER, ReplyFit.OURS]
    assert seen.replies[0].sender == "127.0.0.2"
    assert seen.addresses == (PUBLIC,)


@pytest.mark.parametrize("garbage", [b"", b"\0", b"garbage that is no DNS message", bytes(4000)])
async def test_garbage_is_kept_and_nothing_else_happens(garbage: bytes) -> None:
    seen = await ask(lambda _: [Reply(garbage)], timeout_s=0.2)
    assert fits(seen) == [ReplyFit.MALFORMED]
    assert seen.failure is not None
    assert (seen.failure.stage, seen.failure.code) == (Stage.RESOLVE, FailureCode.DNS_MISBEHAVING)
    assert seen.replies[0].raw == garbage


async def test_a_flood_of_replies_is_cut() -> None:
    def flood(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, ("A", "10.0.0.1")))] * 200

    seen = await ask(flood)
    assert len(seen.replies) == 32


async def test_silence_is_told_once_sent_again_and_becomes_a_timeout() -> None:
    async with run_resolver(stay_silent) as fake, asking(timeout_s=1.2) as ctx:
        assert await lookup(ctx, fake.resolver, NAME) == ()
        (seen,) = ctx.journal.observations
        assert isinstance(seen, DNSLookup)
        assert seen.failure is not None
        assert (seen.failure.code, seen.sends, len(fake.queries)) == (FailureCode.TIMEOUT, 2, 2)
        assert fake.queries[0] == fake.queries[1]
        assert len(fake.sources) == 1
        assert 1.2 <= seen.t_s - seen.t0_s < 1.5
        (silence,) = ctx.journal.silences
        assert (silence.transaction, silence.layer, silence.name) == (seen.transaction, "dns", NAME)
        assert silence.endpoint == fake.endpoint


async def test_a_lost_first_datagram_costs_one_retransmission() -> None:
    heard: list[bytes] = []

    def deaf_once(query: bytes) -> list[Reply]:
        heard.append(query)
        return [] if len(heard) == 1 else list(answer_plainly(query))

    seen = await ask(deaf_once, timeout_s=2.0)
    assert (seen.failure, seen.sends, seen.addresses) == (None, 2, (PUBLIC,))


@pytest.mark.parametrize(
    ("rcode", "code"),
    [(2, FailureCode.DNS_SERVFAIL), (3, FailureCode.DNS_NXDOMAIN), (5, FailureCode.DNS_REFUSED)],
)
async def test_an_error_is_a_failure_held_for_a_second_opinion(rcode: int, code: FailureCode) -> None:
    seen = await ask(always(rcode=rcode))
    assert seen.failure is not None
    assert seen.failure.code is code
    assert seen.replies[0].rcode == rcode
    assert seen.replies[0].raw
    assert seen.held_s >= HOLD_S * 0.9


async def test_an_empty_answer_is_no_answer() -> None:
    seen = await ask(always())
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.DNS_NO_ANSWER


async def test_leaked_memory_behind_a_reply_is_counted_and_kept() -> None:
    seen = await ask(lambda query: [Reply(build_reply(query, ("A", PUBLIC)) + b"leak")])
    assert (seen.replies[0].trailing_bytes, seen.failure, seen.addresses) == (4, None, (PUBLIC,))
    assert seen.replies[0].raw.endswith(b"leak")
    assert seen.held_s > 0


async def test_a_reply_hastier_than_the_resolver_can_be_is_held() -> None:
    async with run_resolver(answer_plainly) as fake, asking() as ctx:
        ctx.stack.dns.peer(fake.endpoint).rtt_floor_s = 0.5
        await lookup(ctx, fake.resolver, NAME)
        assert ctx.journal.observations[0].held_s >= HOLD_S * 0.9


async def test_a_question_may_insist_on_listening() -> None:
    seen = await ask(answer_plainly, hold=True)
    assert (seen.failure, seen.addresses) == (None, (PUBLIC,))
    assert seen.held_s >= HOLD_S * 0.9
    assert seen.replies[0].raw


@pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_refusal_by_icmp_names_its_sender_and_ends_after_the_hold(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        closed = Endpoint(address=address, port=sock.getsockname()[1])
    async with asking(timeout_s=5.0) as ctx:
        await lookup(ctx, Resolver(transport=Transport.UDP, endpoint=closed), NAME, hold=True)
        (seen,) = ctx.journal.observations
        assert seen.failure is not None
        assert seen.failure.code is FailureCode.CONNECTION_REFUSED
        assert seen.failure.icmp is not None
        assert seen.failure.icmp.offender == address
        assert seen.t_s < 1.0


@pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's")
async def test_data_after_an_icmp_error_is_still_heard() -> None:
    """uvloop stops a handle on POLLERR: whoever drained the error queue must re-arm the reader."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    async with asking(timeout_s=5.0, hold_s=1.0) as ctx:
        resolver = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="127.0.0.1", port=port))
        question = asyncio.create_task(lookup(ctx, resolver, NAME, hold=True))
        await until(lambda: [i for own in ctx.stack.dns._own for i in own._inquiries.values() if i._icmp is not None])
        (own,) = ctx.stack.dns._own
        (inquiry,) = own._inquiries.values()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            late.bind(("127.0.0.1", port))
            late.sendto(build_reply(inquiry.query, ("A", PUBLIC)), ("127.0.0.1", own._sock.getsockname()[1]))
            assert await question == (PUBLIC,)
        (seen,) = ctx.journal.observations
        assert (seen.failure, fits(seen)) == (None, [ReplyFit.OURS])


async def test_shared_sockets_do_not_hear_of_icmp_errors() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        closed = Endpoint(address="127.0.0.1", port=sock.getsockname()[1])
    async with asking(timeout_s=0.2) as ctx:
        await lookup(ctx, Resolver(transport=Transport.UDP, endpoint=closed), NAME)
        assert ctx.journal.observations[0].failure.code is FailureCode.TIMEOUT


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..b", "bücher.example"])
@pytest.mark.parametrize("query_type", ["A", "TXT"])
@pytest.mark.parametrize("hold", [False, True])
async def test_a_name_that_dns_cannot_carry_is_a_failure_and_sends_nothing(
    name: str, query_type: str, hold: bool
) -> None:
    async with run_resolver(answer_plainly) as fake, asking() as ctx:
        await lookup(ctx, fake.resolver, name, query_type, hold=hold)
        (seen,) = ctx.journal.observations
        assert seen.failure.code is FailureCode.DNS_NON_RECOVERABLE
        assert (seen.sends, fake.queries) == (0, [])
        assert seen.t0_s <= seen.t_s
        assert not ctx.stack.dns._own


@pytest.mark.parametrize("address", ["not an address", "fe80::1%nosuchinterface"])
async def test_a_resolver_that_cannot_be_reached_from_here_is_a_failure(address: str) -> None:
    async with asking() as ctx:
        resolver = Resolver(transport=Transport.UDP, endpoint=Endpoint(address=address, port=53))
        assert await lookup(ctx, resolver, NAME) == ()
        assert ctx.journal.observations[0].failure is not None


async def test_each_question_has_one_grant_and_gives_it_back() -> None:
    async with run_resolver(answer_plainly) as fake, asking() as ctx:
        await lookup(ctx, fake.resolver, NAME)
        gate = ctx.gate
        assert isinstance(gate, OpenGate)
        assert gate.asked == gate.released
        assert gate.asked[0].endpoint == fake.endpoint


async def test_a_cancelled_question_frees_its_id_and_its_room() -> None:
    async with run_resolver(stay_silent) as fake, asking() as ctx:
        for hold in (False, True):
            question = asyncio.create_task(lookup(ctx, fake.resolver, NAME, hold=hold))
            await asyncio.sleep(0.02)
            question.cancel()
            with pytest.raises(asyncio.CancelledError):
                await question
        dns = ctx.stack.dns
        assert [(s.unanswered, s._inquiries) for group in dns._shared.values() for s in group] == [(0, {})]
        assert not dns._own
        assert ctx.gate.asked == ctx.gate.released


async def test_the_as_of_each_address_is_noted() -> None:
    numbers = {PUBLIC: 15133}
    seen = await ask(answer_plainly, asn_of=lambda address: numbers.get(address, 0))
    assert seen.asns == (15133,)


async def test_a_reply_after_the_timeout_is_kept_but_changes_nothing() -> None:
    def late(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, ("A", PUBLIC)), after_s=0.6)]

    async with run_resolver(late) as fake, asking(timeout_s=0.1, hold_s=20.0) as ctx:
        assert await lookup(ctx, fake.resolver, NAME) == ()
        await until(lambda: ctx.journal.observations[0].replies)
        (seen,) = ctx.journal.observations
        assert fits(seen) == [ReplyFit.OURS]
        assert seen.failure.code is FailureCode.TIMEOUT
        assert seen.t_s < seen.replies[0].t_s
