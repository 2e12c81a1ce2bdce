"""REALITY, as far as it can be seen without speaking it: the cover site answers at this address.

A REALITY server hands every handshake that does not carry its secret on to the site it hides behind, so that a TLS
handshake with that site's certificate proves that packets with this name pass to this address and back: `reach`, never
a working tunnel. To prove more takes a TLS 1.3 client that hides a key exchange in its session id; no server of it is
in any registry that tests may use, so nothing of that is claimed here.
Source: github.com/XTLS/REALITY (README).
"""

import msgspec

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Tcp, Tls


class CoverSite(msgspec.Struct, frozen=True, kw_only=True):
    """What answered."""

    answer: str = "cover site"
    name: str
    """The name that was asked for."""


def start(ask: Ask) -> Dialogue:
    """Say that the cover site was reached: the layers below have shaken hands with it."""
    yield Reached(Depth.REACH)
    return CoverSite(name=ask.params.get("sni") or ask.host)


SPEC = DialogueSpec(
    name="reality",
    question="Does the cover site of a REALITY server answer at its address?",
    schemes=("reality",),
    default_port=443,
    stack=(Tcp(), Tls(alpn=("h2", "http/1.1"))),
    start=start,
    proves=Depth.REACH,
    open_proves=Depth.REACH,
)
