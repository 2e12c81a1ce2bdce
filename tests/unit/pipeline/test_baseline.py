"""What a look at the vantage says beside its state."""

import dataclasses
from typing import Any

import pytest

from probe.model.dns_lookup import DNSLookup, DNSReply, Resolver, Transport
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.pipeline import baseline
from probe.pipeline.baseline import BaselineRun
from tests.unit.daemon.parts import make_agent

NAME = "neutral.example"
OURS = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="192.0.2.53", port=53), system=True)
PRIVATE = Resolver(transport=Transport.DOT, endpoint=Endpoint(address="198.51.100.53", port=853))


def test_a_resolver_that_does_not_answer_is_not_called_honest() -> None:
    environment = make_agent().environment
    run = BaselineRun(environment, quick=False)
    assert run._details(resolver_answers=False)[0] == "DNS does not answer"
    assert run._details(resolver_answers=True)[0] == "DNS no encrypted resolver to compare with"


@pytest.mark.parametrize(
    ("replies", "addresses", "lies"),
    [
        pytest.param((), (), False, id="silence"),
        pytest.param((DNSReply(t_s=0.1, rcode=3),), (), True, id="denial"),
        pytest.param((DNSReply(t_s=0.1),), ("10.0.0.1",), True, id="an address of this network"),
        pytest.param((DNSReply(t_s=0.1),), ("45.90.41.7",), False, id="an address"),
    ],
)
async def test_only_what_a_resolver_says_can_be_a_lie(
    monkeypatch: pytest.MonkeyPatch, replies: tuple[DNSReply, ...], addresses: tuple[str, ...], lies: bool
) -> None:
    environment = dataclasses.replace(make_agent().environment, neutral_names=(NAME,), resolvers=(PRIVATE,))
    run = BaselineRun(environment, quick=False)

    async def ask_ours(_ctx: Any, name: str) -> tuple[str, ...]:
        silent = Failure(stage=Stage.RESOLVE, code=FailureCode.TIMEOUT)
        failure = None if replies else silent
        seen = DNSLookup(
            transaction=1, t0_s=0.0, t_s=1.0, resolver=OURS, name=name, query_type="A", replies=replies, failure=failure
        )
        run._journal.append(seen)
        return addresses

    async def ask_elsewhere(*_: Any) -> tuple[str, ...]:
        return ("45.90.41.7",)

    monkeypatch.setattr(baseline, "lookup_system", ask_ours)
    monkeypatch.setattr(baseline, "lookup_getaddrinfo", ask_elsewhere)
    monkeypatch.setattr(baseline, "lookup", ask_elsewhere)
    await run._try_honesty()
    assert run._falsified is lies
