"""Hysteria 2: a proxy that looks like HTTP/3, or like noise where Salamander hides it.

Source: the Hysteria 2 protocol specification (v2.hysteria.network/docs/developers/Protocol), "Authentication",
"Proxy requests" (TCP). Less than a client: no UDP relay, no congestion control of its own, no hopping between ports.

Readings: status 233 = accepted; any other page = a wrong password, or only a web site. Under a wrong Salamander
password a server is silent.
"""

import re

from aioquic._buffer import Buffer, BufferReadError
from aioquic.buffer import UINT_VAR_MAX_SIZE, encode_uint_var
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.h3.exceptions import H3Error
from aioquic.quic.events import QuicEvent

from probe.model.depth import Depth
from probe.model.errors import ProtocolError, UserError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Refused, Udp
from probe.protocols.incoming import Reading
from probe.protocols.proxies.quic_proxy import QuicProxy, read_quic_params
from probe.protocols.proxies.salamander import Salamander
from probe.protocols.relayed import Errand, goes_to, plan_errand
from probe.protocols.written.link import NotSpokenError, split_link
from probe.protocols.written.share_link import make_parsed, pick_params

ACCEPTED = 233
_CONNECT = 0x401
_PADDING_BYTES = 64
_HOPS = re.compile(r"(:[0-9]+)[,-][0-9,-]+(?=[/?#]|$)")
_MOST_WORDS_BYTES = 4096


def start(ask: Ask) -> Dialogue:
    """Shake hands, log in, and let an errand be relayed, as far as we are asked to.

    Raises:
        UserError: the relay's destination or the kind of obfuscation is none.
    """
    errand = plan_errand(ask)
    proxy = _open(ask)
    if not (yield from proxy.shake_hands()):
        return None
    if not goes_to(ask, Depth.AUTH):
        return (yield from proxy.leave())
    status = yield from _log_in(ask, proxy)
    if status is None:
        return None
    if status != ACCEPTED:
        yield from proxy.close()
        raise Refused(f"a web server answers (status {status}): a wrong password, or no proxy at all")
    yield Reached(Depth.AUTH)
    connection = proxy.engine.connection
    stream = connection.get_next_available_stream_id()
    connection.send_stream_data(stream, build_request(errand, ask.entropy(_PADDING_BYTES)))
    return (yield from proxy.relay(stream, errand, skip_reply))


def _open(ask: Ask) -> QuicProxy:
    obfs = ask.params.get("obfs", "")
    if not obfs:
        return QuicProxy(ask, alpn=("h3",))
    if obfs != "salamander":
        raise UserError("hysteria2", f"obfs {obfs[:40]!r} is not spoken here", "salamander is")
    veil = Salamander(ask.secrets.get("obfs-password", b""), ask.entropy)
    return QuicProxy(ask, alpn=("h3",), hide=veil.hide, uncover=veil.uncover)


def _log_in(ask: Ask, proxy: QuicProxy) -> Reading[int | None]:
    """Send the password as a request of HTTP/3; return the status, `None` = silence.

    Raises:
        ProtocolError: what answers is not HTTP/3.
        Refused: the connection is closed instead.
    """
    http = H3Connection(proxy.engine.connection)
    stream = proxy.engine.connection.get_next_available_stream_id()
    padding = ask.entropy(_PADDING_BYTES).hex().encode()
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"hysteria"),
        (b":path", b"/auth"),
        (b"hysteria-auth", ask.secrets.get("password", b"")),
        (b"hysteria-cc-rx", b"0"),
        (b"hysteria-padding", padding),
    ]
    http.send_headers(stream, fields, end_stream=True)
    found: list[int] = []

    def has_status() -> bool:
        for event in proxy.take():
            found.extend(_read_status(http, event, stream))
        return bool(found)

    if (yield from proxy.wait(has_status)):
        return found[0]
    proxy.check_end()
    return None


def _read_status(http: H3Connection, event: object, stream: int) -> list[int]:
    if not isinstance(event, QuicEvent):
        return []
    try:
        told = http.handle_event(event)
    except (H3Error, ValueError) as error:
        raise ProtocolError(f"not HTTP/3: {type(error).__name__}") from None
    heads = [one for one in told if isinstance(one, HeadersReceived) and one.stream_id == stream]
    words = [dict(head.headers).get(b":status", b"") for head in heads]
    return [int(word) for word in words if word.isdigit() and not word.startswith(b"1")]


def build_request(errand: Errand, padding: bytes) -> bytes:
    """Return what opens a relay on a stream of its own, the payload behind it."""
    host = f"[{errand.host}]" if ":" in errand.host else errand.host
    address = f"{host}:{errand.port}".encode("idna" if not host.isascii() else "ascii")
    return (
        encode_uint_var(_CONNECT)
        + encode_uint_var(len(address))
        + address
        + encode_uint_var(len(padding))
        + padding
        + errand.data
    )


def skip_reply(data: bytes) -> int | None:
    """Return the bytes that the proxy's own reply takes; `None` = more are needed.

    Raises:
        ProtocolError: it is no such reply.
        Refused: it says that it could not connect.
    """
    if not data:
        return None
    if data[0] > 1:
        raise ProtocolError(f"no reply of Hysteria: {data[:16].hex()}")
    buffer = Buffer(data=data[1:])
    try:
        words = buffer.pull_bytes(_bounded(buffer.pull_uint_var(), data))
        buffer.pull_bytes(_bounded(buffer.pull_uint_var(), data))
    except BufferReadError:
        return None
    if data[0] == 1:
        raise Refused(f"the proxy cannot relay: {words.decode('utf-8', 'replace')[:120]}")
    return 1 + buffer.tell()


def _bounded(size: int, data: bytes) -> int:
    if size > _MOST_WORDS_BYTES:
        raise ProtocolError(f"a field of {size} bytes in a reply of Hysteria: {data[: 1 + UINT_VAR_MAX_SIZE].hex()}")
    return size


def parse(text: str) -> Parsed:
    """Read `hysteria2://password@host:port/?sni=…&obfs=salamander&obfs-password=…&insecure=1&pinSHA256=…#label`.

    Raises:
        ValueError: it is not that; the message says what is wrong.
    """
    # Ports to hop between: the first is as good as any.
    link = split_link(_HOPS.sub(r"\1", text, count=1), 443)
    password = link.user or ""
    if link.password is not None:
        password = f"{password}:{link.password}"
    if not password:
        raise ValueError("there is no password before @")
    params = read_quic_params(link.params) | pick_params(link.params, frozenset({"obfs"}))
    if params.get("obfs") == "none":
        del params["obfs"]
    secrets = {"password": password}
    if params.get("obfs", "salamander") != "salamander":
        raise NotSpokenError("its obfs is not spoken here; salamander is")
    if "obfs" in params:
        secrets["obfs-password"] = link.params.get("obfs-password", "")
        if not secrets["obfs-password"]:
            raise ValueError("salamander wants an obfs-password")
    return make_parsed(link, params, secrets)


SPEC = DialogueSpec(
    name="hysteria2",
    question="Does a Hysteria 2 server relay for us?",
    schemes=("hysteria2", "hy2"),
    default_port=443,
    stack=(Udp(),),
    start=start,
    parse=parse,
    secrets=("password", "obfs-password"),
    proves=Depth.VOLUME,
    open_proves=Depth.PROOF,
)
