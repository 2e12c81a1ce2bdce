"""A conversation as a ladder of stages: what the peer proved, and how the first stage that it did not prove failed."""

from probe.export.text.failure_words import say_failure
from probe.model.depth import Depth
from probe.model.failure import FailureCode
from probe.model.observation import DialogueExchange

_LADDER = (Depth.REACH, Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA, Depth.VOLUME)
_AT_ONCE_S = 1.0
"""A peer that hangs up sooner than this did so because of what it was sent."""
_ONLY = {
    "cover site": "the cover site alone; the tunnel is not tried",
    "control connection": "the control connection alone; its tunnel is not tried",
}
"""What a stage does not mean, by what the reply says that answered."""


def write_stages(exchange: DialogueExchange) -> str:
    """Return `hello ✓ 54 ms, proof ✓ 80 ms, auth ✗ no reply`."""
    rungs = [f"{s.depth.value} ✓ {(s.t_s - exchange.t0_s) * 1000:.0f} ms" for s in exchange.stages]
    only = _ONLY.get(exchange.reply.get("answer", ""))
    if only and rungs:
        rungs[-1] += f" ({only})"
    if exchange.failure is not None:
        rungs.append(f"{failed_stage(exchange).value} ✗ {_how(exchange)}")
    return ", ".join(rungs)


def failed_stage(exchange: DialogueExchange) -> Depth:
    """Return the first stage that the peer did not prove."""
    reached = max(exchange.depth.rank, Depth.REACH.rank)
    return next((depth for depth in _LADDER if depth.rank > reached), Depth.VOLUME)


def _how(exchange: DialogueExchange) -> str:
    failure = exchange.failure
    if failure is None:
        return "ok"
    if failure.icmp is not None:
        return say_failure(failure)
    match failure.code:
        case FailureCode.TIMEOUT:
            lost = "nothing more came" if exchange.answered else "no reply"
            return lost if exchange.transport != "udp" or exchange.answered else f"{lost}, no ICMP"
        case FailureCode.EOF:
            last_s = exchange.messages[-1].t_s if exchange.messages else exchange.t0_s
            return "closed at once" if exchange.t_s - last_s < _AT_ONCE_S else "closed"
        case FailureCode.TOO_SOON | FailureCode.CREDENTIALS_MISSING if failure.detail:
            return f"{'no further' if exchange.stages else 'not asked'}: {failure.detail}"
        case FailureCode.REFUSED_BY_PEER:
            return f"refused: {exchange.refused}" if exchange.refused else "refused"
        case FailureCode.CREDENTIALS_EXPIRED if failure.detail:
            return failure.detail
        case _:
            return say_failure(failure)
