"""OpenVPN, from the first reset to the server's certificate under the file's own CA, and, if asked, into the tunnel.

Source: OpenVPN's wire format as servers 2.6 speak it; openvpn-manual for files. Less than a client: keys are not
renewed, and nothing is compressed, though the framing of compression is kept. What a file or a server asks for that is
not spoken here ends a conversation as a user's error (`limits`), so that it is nobody's fault. Unless we are asked for
more, the handshake stops before our certificate is sent: a login replaces the session of the user whose certificate it
is. After a login the server is told that we leave.
"""

import dataclasses
import hashlib
from collections.abc import Mapping

import msgspec

from probe.model.depth import Depth
from probe.model.errors import ProtocolError, UserError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Lapsed, Reached, Refused, Stack, Tcp, Udp
from probe.protocols.engines.pinned_tls import open_engine, open_records
from probe.protocols.engines.roots import distrust
from probe.protocols.engines.tls import TLSEngine
from probe.protocols.incoming import Reading
from probe.protocols.openvpn.config import is_config, parse_config
from probe.protocols.openvpn.control import ControlChannel
from probe.protocols.openvpn.data import is_spoken, open_channel
from probe.protocols.openvpn.framing import Framing, choose_framing
from probe.protocols.openvpn.identity import read_end, unpack_identity
from probe.protocols.openvpn.keys import StaticKey, parse_client_key, parse_static_key
from probe.protocols.openvpn.limits import CHALLENGED, Part, find_lack, stop_at
from probe.protocols.openvpn.login import (
    MATERIAL_BYTES,
    PUSH_REQUEST,
    Push,
    build_login,
    join_pushes,
    make_material,
    parse_login_reply,
    parse_push,
    read_login,
)
from probe.protocols.openvpn.prf import derive_key
from probe.protocols.openvpn.session import Packets, Session
from probe.protocols.openvpn.tunnel import Tunnel
from probe.protocols.openvpn.wrapping import Plain, TlsAuth, TlsCrypt, TlsCryptV2, Wrapping
from probe.protocols.relayed import goes_to

_UNTRUSTED = 20
"""X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY."""
_MOST_MESSAGES = 32
_ANSWER_WAITS_S = (2.0, 6.0)
_PUSH_WAITS_S, _PUSH_TRIES = (2.0, 3.0), 4
_CHALLENGES = (b"AUTH_FAILED,CRV1", b"AUTH_PENDING", b"INFO_PRE", b"INFO,")
"""A second factor, or a login in a browser (openvpn's management-notes.txt, "Challenge/Response Protocol")."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the server proved."""

    wrapping: str
    tls_version: str = ""
    cipher: str = ""
    data_cipher: str = ""
    inner: str = ""
    """What came through the tunnel: `echo reply`, `ping` or another packet."""
    carried_bytes: int = 0
    """Each way, where the volume was tried."""


def start(ask: Ask) -> Dialogue:
    """Reset, wait for the server's, shake hands by TLS where a CA says whom to trust; log in where we are asked to.

    Raises:
        UserError: a key, a certificate or the login cannot be used.
    """
    stop_at(ask, Part.HELLO)
    ask = dataclasses.replace(ask, secrets=unpack_identity(ask.secrets))
    stream = ask.params.get("proto", "udp") == "tcp"
    session = Session(ControlChannel(_choose_wrapping(ask), ask.entropy(8)), Packets(stream=stream))
    wrapping = ask.params.get("wrap", "none")
    pins = frozenset(ask.params.get("peer_fingerprint", "").split(",")) - {""}
    hello_only = not (pins or "ca" in ask.secrets) or not goes_to(ask, Depth.PROOF)
    if not (yield from session.greet(hello_only=hello_only)):
        return None
    yield Reached(Depth.HELLO)
    if hello_only:
        return Reply(wrapping=wrapping)
    lack = find_lack(ask, Part.LOGIN)
    wants_in = goes_to(ask, Depth.AUTH) and (bool(lack) or not {"cert", "login"}.isdisjoint(ask.secrets))
    # Where a pin takes the place of a CA it is held against the chain too late for a login.
    logs_in = wants_in and not pins and not lack
    engine = _open_engine(ask, logs_in=logs_in)
    if not (yield from session.shake_hands(engine, to_the_end=logs_in)):
        if logs_in and engine.read_chain():
            _blame_own(ask)
        return None
    if pins and hashlib.sha256(engine.read_chain()[0]).hexdigest() not in pins:
        raise distrust(_UNTRUSTED, "the certificate is none of those that the file names")
    yield Reached(Depth.PROOF)
    reply = Reply(wrapping=wrapping, tls_version=engine.version, cipher=engine.cipher)
    if wants_in and not pins:
        stop_at(ask, Part.LOGIN)
    if not logs_in:
        return reply
    joined = yield from _log_in(ask, session, engine)
    if joined is None:
        _blame_own(ask)
        return None
    yield Reached(Depth.AUTH)
    push, key = joined
    reply = msgspec.structs.replace(reply, data_cipher=push.cipher or ask.params.get("cipher", ""))
    tunnel = _open_tunnel(ask, session, push, key)
    if tunnel is None:
        return reply
    passed: tuple[str, int] | None = ("", 0)
    if goes_to(ask, Depth.DATA):
        passed = yield from tunnel.pass_data(push, ethernet=ask.params.get("dev") == "tap")
    yield tunnel.leave()
    return None if passed is None else msgspec.structs.replace(reply, inner=passed[0], carried_bytes=passed[1])


def _log_in(ask: Ask, session: Session, engine: TLSEngine) -> Reading[tuple[Push, StaticKey] | None]:
    """Exchange key material and ask for the settings; return them and the data channel's keys, `None` = silence.

    Raises:
        ProtocolError: the server does not keep to the protocol.
        Refused: it does not let us in.
        UserError: it wants more of whoever logs in than we have.
    """
    material = make_material(ask.entropy(MATERIAL_BYTES))
    login = _read_login(ask)
    message = build_login(
        material,
        stream=session.packets.stream,
        login=login,
        ciphers=tuple(filter(None, ask.params.get("ciphers", "").split(":"))),
        framed="compress" in ask.params,
    )
    yield from session.send(engine.seal(message))
    records: list[bytes] = []
    first = yield from _next_record(session, engine, records)
    if first is None:
        return None
    material = parse_login_reply(first, material)
    push = yield from _ask_for_push(session, engine, records)
    if push is None:
        return None
    return push, derive_key(material, session.channel.session, session.channel.peer_session)


def _ask_for_push(session: Session, engine: TLSEngine, records: list[bytes]) -> Reading[Push | None]:
    """Ask for the settings every few seconds, as clients do: a server that is still asking who we are says nothing.

    Raises:
        ProtocolError: the server says much else.
        Refused: it does not let us in.
        UserError: it wants more of whoever logs in than we have.
    """
    push = Push()
    for _ in range(_PUSH_TRIES):
        yield from session.send(engine.seal(PUSH_REQUEST))
        for _ in range(_MOST_MESSAGES):
            record = yield from _next_record(session, engine, records, _PUSH_WAITS_S)
            if record is None:
                break
            text = record.rstrip(b"\0").decode("utf-8", "replace")
            if text.partition(",")[0] == "PUSH_REPLY":
                push = join_pushes(push, parse_push(text))
                if not push.more:
                    return push
        else:
            raise ProtocolError("the server says much and pushes no settings")
        if session.packets.ended:
            return None
    return None


def _next_record(
    session: Session, engine: TLSEngine, records: list[bytes], waits_s: tuple[float, ...] = _ANSWER_WAITS_S
) -> Reading[bytes | None]:
    """Return what the server says next inside TLS; `None` = silence.

    Raises:
        Refused: it says that we may not in.
        UserError: it wants somebody to answer it.
    """
    while not records:
        taken = yield from session.take_patiently(waits_s)
        if taken is None:
            return None
        records += open_records(engine, taken)
        yield from session.send(engine.take_unsent())
    record = records.pop(0)
    if record.startswith(_CHALLENGES):
        raise UserError("openvpn", CHALLENGED, "log in with OpenVPN's own client")
    if record.startswith((b"AUTH_FAILED", b"HALT", b"RESTART")):
        said = record.rstrip(b"\0").decode("utf-8", "replace")
        raise Refused(f"the server says {said[:120]}")
    return record


def _open_tunnel(ask: Ask, session: Session, push: Push, key: StaticKey) -> Tunnel | None:
    """Return our end of the data channel; `None` = it is not spoken here, and we were not asked to go so far.

    Raises:
        UserError: we were.
    """
    stop_at(ask, Part.DATA)
    cipher, digest = push.cipher or ask.params.get("cipher", ""), ask.params.get("auth", "sha1")
    framing: Framing | None = Framing(ask.params.get("compress", ""))
    if push.compression:
        framing = choose_framing(*push.compression.split(" ", 1))
    if framing is None or not is_spoken(cipher, digest):
        what = f"cipher {cipher[:20]}" if cipher else "cipher, which nobody names,"
        what = push.compression[:40] if framing is None else what
        stop_at(ask, Part.DATA, f"its data channel's {what} is not supported here")
        return None
    channel = open_channel(cipher, digest, key, push.peer_id, ask.entropy)
    return Tunnel(ask, session, channel, framing, fragmented="fragment" in ask.params)


def _blame_own(ask: Ask) -> None:
    """Say why nothing more came where our certificate was shown, if it is over: servers then hang up or fall silent.

    Raises:
        Lapsed: it is.
    """
    end = read_end(ask.secrets.get("cert", b""), ask.wall_s) if ask.wall_s else ""
    if end:
        raise Lapsed(f"nothing more comes once our certificate is shown, which was good until {end}")


def _read_login(ask: Ask) -> tuple[str, str] | None:
    if "login" not in ask.secrets:
        return None
    try:
        return read_login(ask.secrets["login"])
    except ValueError as error:
        raise UserError("openvpn", str(error), "write them into the file of auth-user-pass") from None


def _open_engine(ask: Ask, *, logs_in: bool) -> TLSEngine:
    pair = (ask.secrets.get("cert", b""), ask.secrets.get("cert_key", b"")) if logs_in else (b"", b"")
    try:
        return open_engine(ask.secrets.get("ca", b""), *pair)
    except ValueError as error:
        raise UserError("openvpn", str(error), "take the file as its owner handed it out") from None


def _choose_wrapping(ask: Ask) -> Wrapping:
    try:
        return _build_wrapping(ask)
    except (ValueError, LookupError) as error:
        what = "the key of its tls-auth or tls-crypt is missing" if isinstance(error, LookupError) else str(error)
        raise UserError("openvpn", what, "take the file as its owner handed it out") from None


def _build_wrapping(ask: Ask) -> Wrapping:
    def wall_s() -> float:
        return ask.wall_s + ask.elapsed_s()

    kind = ask.params.get("wrap", "none")
    if kind == "none":
        return Plain()
    text = ask.secrets["key"].decode("ascii", "replace")
    if kind == "tls-crypt-v2":
        return TlsCryptV2(parse_client_key(text), wall_s)
    if kind == "tls-crypt":
        return TlsCrypt(parse_static_key(text), wall_s)
    direction = ask.params.get("direction", "")
    digest = ask.params.get("auth", "sha1")
    return TlsAuth(parse_static_key(text), int(direction) if direction else None, digest, wall_s)


def _stack(params: Mapping[str, str]) -> Stack:
    return (Tcp(),) if params.get("proto") == "tcp" else (Udp(),)


SPEC = DialogueSpec(
    name="openvpn",
    question="Does an OpenVPN server answer, and is it the one whose CA the file names?",
    schemes=("openvpn",),
    default_port=1194,
    stack=_stack,
    start=start,
    secrets=("ca", "key", "cert", "cert_key", "login", "pkcs12"),
    proves=Depth.VOLUME,
    suffixes=(".ovpn",),
    recognise=is_config,
    read_file=parse_config,
)
