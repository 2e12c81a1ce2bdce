"""The check's own steps, path by path: what was tried and what came back."""

from typing import assert_never

from probe.export.text.failure_words import say_failure
from probe.export.text.own_steps import own_steps
from probe.export.text.stages import write_stages
from probe.export.text.trace import write_trace
from probe.model.measurement import Measurement
from probe.model.observation import (
    DialogueExchange,
    DNSLookup,
    HTTPExchange,
    ICMPEcho,
    Observation,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)
from probe.model.path_trace import PathTrace

_PATHS_SHOWN = 6


def build_ladder(measurement: Measurement) -> tuple[str, ...]:
    """Return one line for the lookups of each redirect hop, and one for each path."""
    lines: list[str] = []
    own = own_steps(measurement)
    for hop in sorted({o.hop for o in own}):
        here = [o for o in own if o.hop == hop]
        prefix = f"redirect {hop}: " if hop else ""
        lookups = [o for o in here if isinstance(o, DNSLookup)]
        if lookups:
            lines.append(prefix + _lookup_line(lookups))
        paths: dict[str, list[Observation]] = {}
        for observation in here:
            if not isinstance(observation, DNSLookup):
                paths.setdefault(_spot(observation), []).append(observation)
        for spot, steps in list(paths.items())[:_PATHS_SHOWN]:
            lines.append(f"{prefix}{spot}   " + "   ".join(step_text(step) for step in steps))
        if len(paths) > _PATHS_SHOWN:
            lines.append(f"{prefix}… and {len(paths) - _PATHS_SHOWN} more addresses")
    return tuple(lines)


def _spot(observation: Observation) -> str:
    match observation:
        case HTTPExchange(over_quic=True) | QUICHandshake():
            return f"{observation.endpoint}/udp"
        case TCPConnect() | TLSHandshake() | HTTPExchange():
            return str(observation.endpoint)
        case PathTrace():
            return str(observation.endpoint)
        case DialogueExchange():
            return str(observation.endpoint)
        case ICMPEcho():
            return observation.address
        case DNSLookup():
            return str(observation.resolver)
        case _:
            assert_never(observation)


def _lookup_line(lookups: list[DNSLookup]) -> str:
    texts = []
    for lookup in lookups:
        took = _ms(lookup)
        if lookup.failure is not None:
            texts.append(f"{lookup.query_type} ✗ {say_failure(lookup.failure)} {took}")
        else:
            replies = f" ({len(lookup.replies)} replies)" if len(lookup.replies) > 1 else ""
            addresses = ", ".join(lookup.addresses[:3]) or "no address"
            texts.append(f"{lookup.query_type} {addresses} {took}{replies}")
    names = {lookup.name for lookup in lookups}
    resolvers = {str(lookup.resolver) for lookup in lookups}
    return f"DNS {'/'.join(sorted(names))} at {', '.join(sorted(resolvers))}: " + "; ".join(texts)


def _ms(observation: Observation) -> str:
    return f"{(observation.t_s - observation.t0_s) * 1000:.0f} ms"


def step_text(observation: Observation) -> str:
    """Return one step in few words: `TCP ok 52 ms`, `TLS ✗ reset after ClientHello`."""
    match observation:
        case TCPConnect():
            return _tcp_text(observation)
        case TLSHandshake():
            return _tls_text(observation)
        case HTTPExchange():
            return _http_text(observation)
        case QUICHandshake():
            return _quic_text(observation)
        case ICMPEcho():
            return f"echo ok {_ms(observation)}" if observation.failure is None else "echo ✗ " + _code(observation)
        case DialogueExchange():
            over = f"/{observation.transport}" if observation.transport else ""
            return f"{observation.protocol}{over} {write_stages(observation)}"
        case DNSLookup():
            return _lookup_line([observation])
        case PathTrace():
            return write_trace(observation)
        case _:
            assert_never(observation)


def _code(observation: Observation) -> str:
    return say_failure(observation.failure) if observation.failure is not None else "ok"


def _tcp_text(observation: TCPConnect) -> str:
    if observation.failure is not None:
        return f"TCP ✗ {_code(observation)} {_ms(observation)}"
    if observation.held_s:
        ending = f"ended by {observation.held_ending.value}" if observation.held_ending else "stayed open"
        return f"TCP ok, left idle: {ending}"
    return f"TCP ok {_ms(observation)}"


def _tls_text(observation: TLSHandshake) -> str:
    if observation.failure is None:
        return f"TLS ok {_ms(observation)}"
    alert = f" {'' if _code(observation) == 'alert' else 'alert '}{observation.alert[1]}" if observation.alert else ""
    return f"TLS ✗ {_code(observation)}{alert}, {observation.stage.value.replace('_', ' ')} {_ms(observation)}"


def _quic_text(observation: QUICHandshake) -> str:
    what = "QUIC versions" if observation.ping else "QUIC"
    if observation.failure is None:
        return f"{what} ok {_ms(observation)}"
    closed = f" {observation.close_code:#x}" if observation.close_code is not None else ""
    return f"{what} ✗ {_code(observation)}{closed}, {observation.stage.value.replace('_', ' ')} {_ms(observation)}"


def _http_text(observation: HTTPExchange) -> str:
    if observation.failure is not None:
        got = f" after status {observation.status}" if observation.status else ""
        return f"{'HTTP/3' if observation.over_quic else 'HTTP'} ✗ {_code(observation)}{got} {_ms(observation)}"
    title = f" “{observation.title[:60]}”" if observation.title else ""
    return f"{'HTTP/3' if observation.over_quic else 'HTTP'} {observation.status}{title} {_ms(observation)}"
