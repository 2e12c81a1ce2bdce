"""Does a QUIC server answer at all, before any name is said? Source: RFC 8999 section 6, RFC 9000 section 6.

A packet of a version that nobody has: a server names its own, and a filter finds no ClientHello in it. Where this is
answered and `h3://` is not, the name is what is filtered, or the server refuses it.
"""

import msgspec

from probe.model.depth import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Receive, Send, Udp
from probe.protocols.quic_ping import ID_BYTES, build_ping, parse_versions

_RETRIES_S = (1.0, 2.0, 4.0)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the server offers."""

    versions: str
    """Hexadecimal, those of the pattern 0x?a?a?a?a left out, which only keep clients flexible."""


def start(ask: Ask) -> Dialogue:
    """Ask up to three times; silence is `None`."""
    destination, source = ask.entropy(ID_BYTES), ask.entropy(ID_BYTES)
    for timeout_s in _RETRIES_S:
        yield Send(build_ping(destination, source))
        answer = yield Receive(timeout_s)
        if answer is not None:
            versions = parse_versions(answer, destination, source)
            yield Reached(Depth.HELLO)
            return Reply(versions=" ".join(f"{one:08x}" for one in versions if one & 0x0F0F0F0F != 0x0A0A0A0A))
    return None


SPEC = DialogueSpec(
    name="quic",
    question="Does a QUIC server answer, before any name is said?",
    schemes=("quic",),
    default_port=443,
    stack=(Udp(),),
    start=start,
    trigger=False,
)
