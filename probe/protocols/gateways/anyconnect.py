"""AnyConnect and its free server ocserv: the form, the login, the tunnel inside TLS, and a sign of life through it.

Source: draft-mavrogiannopoulos-openconnect-04 sections 2.1 (authentication), 2.2 (CONNECT), 2.3 (CSTP frames).
Anybody gets the form, which makes it a `hello`; a certificate that is valid for the name, or pinned, is the `proof`.
A password is sent only where the target goes beyond `proof`, and never again once it was refused. `data` is the answer
to a dead peer question inside the tunnel, after which the session is closed as a client closes it.
A certificate of ours (`cert=FILE`, and `key=FILE` where the key is not in it) is shown on the same terms.
Less than the protocol: no second factor and no single sign-on, which want a person and end as a user's error; a gateway
that hangs up between the form and the login is not called again. No DTLS leg: its key comes from an exporter of the TLS
connection, and goes into DTLS as a pre-shared key, and Python's libraries have neither; a tunnel works without it.
"""

import dataclasses
import struct
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Refused, Send, Stack, Tls
from probe.protocols.gateways.config_auth import FormField, Question, build_init, build_reply, parse_question
from probe.protocols.gateways.tls_gateway import authority, choose_stack, not_ours, parse_gateway, prove
from probe.protocols.http.http1 import ResponseReader
from probe.protocols.http.turn import build_head, hide_in, take_turn
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.relayed import WAIT_S, goes_to

_AGENT = "AnyConnect Linux_64 4.10.08029"
_MOST_TURNS = 4
_FRAME = b"STF\x01"
_DPD_REQUEST, _DPD_RESPONSE, _DISCONNECT, _TERMINATED = 3, 4, 5, 9
_BYE = b"\xb0Client disconnect"
_MOST_FRAMES = 32
_NO_CERTIFICATE = "No certificate"
"""What ocserv says to a stranger where certificates alone are a login."""
_FILES = MappingProxyType({"cert": "cert", "key": "cert_key"})
"""Params of a link that name files, by the secrets that are in them."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """What answered."""

    server: str
    """The version that it gives itself."""
    message: str = ""
    asks_for: str = ""
    """Names of the form's fields."""
    tunnel: str = ""
    """`answers`, where the inside was reached."""


class _Visit:
    """One connection to the gateway with its cookies."""

    def __init__(self, ask: Ask, incoming: Incoming) -> None:
        self.ask = ask
        self.incoming = incoming
        self.cookies: dict[str, str] = {}

    def _headers(self) -> list[tuple[str, str]]:
        headers = [("Host", authority(self.ask)), ("User-Agent", _AGENT)]
        if self.cookies:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        return headers

    def post(self, path: str, body: bytes, *secrets: bytes) -> Reading[ResponseReader | None]:
        """Send a document and read the answer; cookies are kept."""
        headers = [
            *self._headers(),
            ("X-Transcend-Version", "1"),
            ("X-Aggregate-Auth", "1"),
            ("Accept", "*/*"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(body))),
        ]
        request = hide_in(build_head(f"POST {path} HTTP/1.1", headers, body), secrets)
        response = yield from take_turn(self.incoming, request)
        if response is not None:
            self._keep_cookies(response)
        return response

    def connect(self) -> Reading[ResponseReader | None]:
        """Ask for the tunnel; what follows the head is it."""
        headers = [
            *self._headers(),
            ("X-CSTP-Version", "1"),
            ("X-CSTP-Hostname", "localhost"),
            ("X-CSTP-Base-MTU", "1406"),
            ("X-CSTP-Address-Type", "IPv4"),
        ]
        return (
            yield from take_turn(
                self.incoming, build_head("CONNECT /CSCOSSLC/tunnel HTTP/1.1", headers), head_only=True
            )
        )

    def _keep_cookies(self, response: ResponseReader) -> None:
        for key, value in response.headers:
            if key.lower() != "set-cookie":
                continue
            name, _, word = value.partition(";")[0].strip().partition("=")
            if name and word:
                self.cookies[name] = word
            else:
                self.cookies.pop(name, None)


def start(ask: Ask) -> Dialogue:
    """Ask for the form; log in and look through the tunnel where that is wanted and possible."""
    visit = _Visit(ask, Incoming(WAIT_S))
    response = yield from visit.post("/", build_init(f"https://{authority(ask)}/"))
    if response is None:
        return None
    if response.status == 401 and response.reason == _NO_CERTIFICATE:
        yield Reached(Depth.HELLO)
        yield from prove(ask)
        if goes_to(ask, Depth.AUTH):
            raise _not_here("a certificate of ours", response.reason)
        return Gateway(server="", message=response.reason, asks_for="certificate")
    if response.status != 200 or b"<config-auth" not in response.body:
        raise not_ours("AnyConnect gateway", response)
    question = parse_question(response.body)
    yield Reached(Depth.HELLO)
    yield from prove(ask)
    reply = Gateway(
        server=question.server,
        message=question.message,
        asks_for=" ".join(field.name for field in question.fields),
    )
    if not goes_to(ask, Depth.AUTH) or not (ask.secrets.get("password") or ask.secrets.get("cert")):
        return reply
    # From here on answers hold cookies that open the tunnel.
    visit.incoming.secret = True
    if not (yield from _log_in(visit, question)):
        return None
    yield Reached(Depth.AUTH)
    if not goes_to(ask, Depth.DATA):
        return reply
    if not (yield from _look_through(visit)):
        return None
    yield Reached(Depth.DATA)
    return msgspec.structs.replace(reply, tunnel="answers")


def _log_in(visit: _Visit, question: Question) -> Reading[bool]:
    """Fill in forms until the gateway is content; false if it falls silent.

    Raises:
        Refused: it is not content with what we have.
        UserError: it asks for what we have not.
    """
    password = visit.ask.secrets.get("password", b"")
    known = {"username": visit.ask.params.get("user", "")}
    if password:
        known["password"] = password.decode("utf-8", "replace")
    given: set[str] = set()
    for _ in range(_MOST_TURNS):
        if question.complete:
            return True
        said = question.error or question.message
        if question.wants:
            raise _not_here(question.wants, said)
        if question.error or given & {field.name for field in question.fields if field.kind == "password"}:
            raise Refused(f"the gateway refuses the login: {said}")
        filled = _fill_in(question, known, said)
        given |= filled.keys()
        body = build_reply(question, filled)
        path = question.action if question.action.startswith("/") else "/"
        response = yield from visit.post(path, body, *_as_written(password))
        if response is None:
            return False
        if response.status != 200:
            raise Refused(f"the gateway refuses the login: {response.status} {response.reason[:40]}")
        question = parse_question(response.body)
    raise Refused("the gateway asks and asks, and lets nobody in")


def _fill_in(question: Question, known: Mapping[str, str], said: str) -> dict[str, str]:
    """Return the answers to a form.

    Raises:
        UserError: it asks for something that we have not.
    """
    filled: dict[str, str] = {}
    for field in question.fields:
        if field.name in known:
            filled[field.name] = known[field.name]
        elif field.kind in ("hidden", "select"):
            filled[field.name] = field.value
        elif _is_asked(field):
            raise _not_here(field.name[:40], said)
    if not filled:
        raise _not_here("nothing that we have", said)
    return filled


def _not_here(what: str, said: str) -> UserError:
    """Return what to raise about a login that is not tried: the gateway is there, and is not to blame."""
    remedy = "log in with a client of the gateway's own; what it showed before the login is known"
    return UserError("anyconnect", f"the gateway asks for {what}, and no login was tried ({said})", remedy)


def _is_asked(field: FormField) -> bool:
    return field.kind in ("text", "password", "tel", "number")


def _as_written(password: bytes) -> tuple[bytes, ...]:
    """Return the forms that a password takes inside XML."""
    escaped = password.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    ascii_only = escaped.decode("utf-8", "replace").encode("ascii", "xmlcharrefreplace")
    return (password, escaped, ascii_only)


def build_frame(kind: int, payload: bytes = b"") -> bytes:
    """Return one CSTP frame."""
    return _FRAME + struct.pack("!HBB", len(payload), kind, 0) + payload


def split_frame(data: bytes) -> tuple[tuple[int, bytes], int] | None:
    """Take a frame from the front: its kind and payload; `None` = need more.

    Raises:
        ProtocolError: there is none.
    """
    if not data.startswith(_FRAME[: len(data)]):
        raise ProtocolError(f"not a CSTP frame: {data[:16].hex()}")
    if len(data) < 8:
        return None
    end = 8 + int.from_bytes(data[4:6], "big")
    return None if len(data) < end else ((data[6], data[8:end]), end)


def _look_through(visit: _Visit) -> Reading[bool]:
    """Open the tunnel, ask the peer inside for a sign of life, and leave; false if it is silent.

    Raises:
        Refused: the tunnel is not opened, or closed again.
    """
    response = yield from visit.connect()
    if response is None:
        return False
    if response.status != 200:
        raise Refused(f"the gateway opens no tunnel: {response.status} {response.header('x-reason')[:80]}".strip())
    yield Send(build_frame(_DPD_REQUEST))
    for _ in range(_MOST_FRAMES):
        frame = yield from visit.incoming.take_message(split_frame)
        if frame is None:
            return False
        kind, payload = frame
        if kind == _DPD_RESPONSE:
            yield Send(build_frame(_DISCONNECT, _BYE))
            return True
        if kind in (_DISCONNECT, _TERMINATED):
            raise Refused(f"the gateway ends the session: {payload[1:80].decode('utf-8', 'replace')}")
    raise ProtocolError("frames and frames, and no answer to ours")


def parse(text: str) -> Parsed:
    """Read `anyconnect://[user:password@]host[:port][?cert=FILE&key=FILE]`.

    Raises:
        ValueError: it is not such a link.
    """
    parsed = parse_gateway(text, login=True, params=frozenset(_FILES))
    files = {name: parsed.params[param] for param, name in _FILES.items() if parsed.params.get(param)}
    if "cert_key" in files and "cert" not in files:
        raise ValueError("a key stands without its cert")
    public = {key: value for key, value in parsed.params.items() if key not in _FILES}
    return dataclasses.replace(parsed, params=MappingProxyType(public), files=MappingProxyType(files))


def _choose_stack(params: Mapping[str, str]) -> Stack:
    tcp, tls = choose_stack(params)
    return (tcp, dataclasses.replace(tls, client_pair=("cert", "cert_key"))) if isinstance(tls, Tls) else (tcp, tls)


SPEC = DialogueSpec(
    name="anyconnect",
    question="Does an AnyConnect gateway (Cisco, ocserv) answer, and let us in?",
    schemes=("anyconnect", "openconnect"),
    default_port=443,
    stack=_choose_stack,
    start=start,
    parse=parse,
    secrets=("password", "cert", "cert_key"),
    proves=Depth.DATA,
    open_proves=Depth.PROOF,
)
