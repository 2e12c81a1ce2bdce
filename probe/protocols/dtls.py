"""DTLS, from the cookie to the certificate: TURN servers, WebRTC gateways, the fast leg of some VPNs.

Source: RFC 6347 sections 4.2.1 (a server asks for its cookie back, without keeping anything) and 4.2.4 (timers).
The ClientHello is OpenSSL's: filters have told clients apart by it, so an answer here says little of other clients.
"""

import msgspec

from probe.model.depth import Depth
from probe.model.endpoint import is_literal
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Receive, Send, Udp
from probe.protocols.engines.dtls import DTLSEngine, is_hello
from probe.protocols.engines.roots import distrust, load_roots
from probe.protocols.relayed import goes_to
from probe.protocols.written.link import split_link
from probe.protocols.written.share_link import is_true, make_parsed

_MOST_TIMEOUTS = 4
_MOST_DATAGRAMS = 64
_WAIT_S = 1.0
_PARAMS = frozenset({"sni", "insecure"})


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the server proved."""

    version: str = ""
    cipher: str = ""


def start(ask: Ask) -> Dialogue:
    """Shake hands; the certificate must name the server unless `insecure` says that it need not.

    Raises:
        SSLCertVerificationError: it does not.
    """
    name = ask.params.get("sni") or ask.host
    engine = DTLSEngine("" if is_literal(name) else name)
    greeted = False
    timeouts = 0
    for _ in range(_MOST_DATAGRAMS):
        for datagram in engine.flush():
            yield Send(datagram)
        if engine.done:
            break
        due_s = engine.timer()
        answer = yield Receive(_WAIT_S if due_s is None else max(due_s, 0.01))
        if answer is None:
            timeouts += 1
            if timeouts > _MOST_TIMEOUTS:
                return None
            engine.fire()
            continue
        if is_hello(answer) and not greeted:
            greeted = True
            yield Reached(Depth.HELLO)
        if greeted and not goes_to(ask, Depth.PROOF):
            return Reply()
        engine.feed(answer)
    if not engine.done:
        raise ProtocolError("the DTLS handshake does not end")
    if not is_true(ask.params.get("insecure", "")):
        code, message = load_roots(ask.roots).judge(engine.read_chain(), name)
        if code:
            raise distrust(code, message)
        yield Reached(Depth.PROOF)
    return Reply(version=engine.version, cipher=engine.cipher)


def parse(text: str) -> Parsed:
    """Read `dtls://host:port?sni=…&insecure=1`.

    Raises:
        ValueError: it is not that.
    """
    link = split_link(text, 5349)
    unknown = link.params.keys() - _PARAMS
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; there are {', '.join(sorted(_PARAMS))}")
    return make_parsed(link, link.params, {})


SPEC = DialogueSpec(
    name="dtls",
    question="Does a DTLS server answer, and prove its name?",
    schemes=("dtls",),
    default_port=5349,
    stack=(Udp(),),
    start=start,
    parse=parse,
    proves=Depth.PROOF,
    open_proves=Depth.PROOF,
)
