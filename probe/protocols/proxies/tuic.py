"""TUIC version 5: a proxy over QUIC that knows its users by the connection's own keys.

Source: the TUIC protocol specification, SPEC.md of version 5 ("Commands": Authenticate, Connect; "Address"); the token
is an RFC 8446 section 7.5 export. Less than a client: no UDP relay, no heartbeats. The server never says yes, so a
relayed byte is the proof; to a wrong password it closes the connection.
"""

import uuid as uuids

from probe.model.depth import Depth
from probe.model.errors import UserError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Udp
from probe.protocols.proxies.quic_proxy import QuicProxy, read_quic_params
from probe.protocols.proxies.socks_address import TUIC, build_host
from probe.protocols.relayed import Errand, goes_to, plan_errand
from probe.protocols.written.link import split_link
from probe.protocols.written.share_link import make_parsed, pick_params

_VERSION, _AUTHENTICATE, _CONNECT = 5, 0, 1
_TOKEN_BYTES = 32


def start(ask: Ask) -> Dialogue:
    """Shake hands, present the token, and let an errand be relayed.

    Raises:
        UserError: the relay's destination or the UUID is none.
    """
    errand = plan_errand(ask)
    try:
        user = uuids.UUID(ask.secrets.get("uuid", b"").decode("ascii", "replace")).bytes
    except ValueError:
        raise UserError("tuic", "the UUID is none", "copy the link again") from None
    proxy = QuicProxy(ask, alpn=tuple(ask.params.get("alpn", "h3").split(",")))
    if not (yield from proxy.shake_hands()):
        return None
    if not goes_to(ask, Depth.AUTH):
        return (yield from proxy.leave())
    engine = proxy.engine
    token = engine.export(user, ask.secrets.get("password", b""), _TOKEN_BYTES)
    login = engine.connection.get_next_available_stream_id(is_unidirectional=True)
    engine.connection.send_stream_data(login, bytes((_VERSION, _AUTHENTICATE)) + user + token, end_stream=True)
    stream = engine.connection.get_next_available_stream_id()
    engine.connection.send_stream_data(stream, build_connect(errand) + errand.data)
    return (yield from proxy.relay(stream, errand, lambda _: 0, proven=(Depth.AUTH,)))


def build_connect(errand: Errand) -> bytes:
    """Return the command that opens a relay on a stream of its own."""
    return bytes((_VERSION, _CONNECT)) + build_host(errand.host, TUIC) + errand.port.to_bytes(2, "big")


def parse(text: str) -> Parsed:
    """Read `tuic://uuid:password@host:port?sni=…&alpn=h3&allow_insecure=1#label`.

    Raises:
        ValueError: it is not that; the message says what is wrong.
    """
    link = split_link(text, 443)
    user, password = link.user or "", link.password
    if password is None and ":" in user:  # some clients encode the colon
        user, _, password = user.partition(":")
    if not user or password is None:
        raise ValueError("there is no uuid:password before @")
    try:
        uuids.UUID(user)
    except ValueError:
        raise ValueError("what stands before the colon is no UUID") from None
    params = read_quic_params(link.params) | pick_params(link.params, frozenset())
    return make_parsed(link, params, {"uuid": user, "password": password})


SPEC = DialogueSpec(
    name="tuic",
    question="Does a TUIC server relay for us?",
    schemes=("tuic",),
    default_port=443,
    stack=(Udp(),),
    start=start,
    parse=parse,
    secrets=("uuid", "password"),
    proves=Depth.VOLUME,
    open_proves=Depth.PROOF,
)
