"""SSH: does a server answer, is it the one with this host key, does it take our login, and connect for us?

Source: RFC 4253 section 4.2 (identification), 7 and 8 (key exchange); the parts are in the modules beside this one.
The host key proves who answers only when its fingerprint is given (`hostkey=SHA256:…`); without it the exchange stops
at both sides' offers. A login needs the host key given: a password goes to nobody else.

Less than the RFCs: one exchange, one cipher, no new keys later: a dialogue lasts seconds.
"""

from types import MappingProxyType

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Send, Tcp
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.relayed import Relayed, goes_to, open_incoming, plan_errand, read_answer, split_relay
from probe.protocols.ssh.exchange import (
    ECDH_INIT,
    IDENTIFICATION,
    NEWKEYS,
    Exchanged,
    agrees,
    build_kexinit,
    guessed_wrong,
    parse_kexinit,
    read_reply,
)
from probe.protocols.ssh.packets import Wire, put_string
from probe.protocols.ssh.session import Key, log_in, open_channel
from probe.protocols.written.link import check_depth, parse_login_link

_MOST_LINES = 50
_MOST_LINE_BYTES = 255


class SshReply(msgspec.Struct, frozen=True, kw_only=True):
    """How far the server was understood."""

    software: str
    """The identification, without `SSH-2.0-`."""
    kex: tuple[str, ...] = ()
    host_keys: tuple[str, ...] = ()
    """Kinds of host keys that it has."""
    host_key: str = ""
    """Fingerprint of the one it signed with, where an exchange took place."""


def take_identification(incoming: Incoming) -> Reading[bytes | None]:
    """Read up to the server's identification; lines before it are passed over (RFC 4253 section 4.2).

    Raises:
        ProtocolError: no such line comes.
    """
    for _ in range(_MOST_LINES):
        line = yield from incoming.take_line()
        if line is None:
            return None
        if line.startswith(b"SSH-"):
            if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")) or len(line) > _MOST_LINE_BYTES:
                raise ProtocolError(f"not SSH 2: {line[:64].hex()}")
            return line
    raise ProtocolError(f"no SSH identification in {_MOST_LINES} lines")


def start(ask: Ask) -> Dialogue:
    """Exchange identifications and offers; with a host key's fingerprint go on to the exchange and behind it."""
    incoming = open_incoming()
    wire = Wire(incoming, ask.entropy)
    yield Send(IDENTIFICATION + b"\r\n")
    theirs = yield from take_identification(incoming)
    if theirs is None:
        return None
    ours_init = build_kexinit(ask.entropy(16))
    yield wire.pack(ours_init)
    theirs_init = yield from wire.take_payload()
    if theirs_init is None:
        return None
    offer = parse_kexinit(theirs_init)
    yield Reached(Depth.HELLO)
    software = theirs.split(b"-", 2)[2].decode("ascii", "replace")
    reply = SshReply(software=software, kex=offer.kex, host_keys=offer.host_keys)
    if not ask.params.get("hostkey") or not goes_to(ask, Depth.PROOF) or not agrees(offer):
        yield wire.disconnect()
        return reply
    if guessed_wrong(offer) and (yield from wire.take_payload()) is None:
        return None
    exchanged = yield from _exchange(ask, wire, (IDENTIFICATION, theirs, ours_init, theirs_init))
    if exchanged is None:
        return None
    yield Reached(Depth.PROOF)
    reply = msgspec.structs.replace(reply, host_key=exchanged.host_key)
    relayed = yield from _go_on(ask, wire, exchanged)
    yield wire.disconnect()
    return relayed or reply


def _exchange(ask: Ask, wire: Wire, spoken: tuple[bytes, bytes, bytes, bytes]) -> Reading[Exchanged | None]:
    """Exchange keys with the server whose host key we know.

    Raises:
        ProtocolError: it has another host key.
    """
    private = ask.entropy(32)
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    yield wire.pack(bytes((ECDH_INIT,)) + put_string(public))
    payload = yield from wire.take_payload()
    if payload is None:
        return None
    exchanged = read_reply(payload, private, spoken)
    if exchanged.host_key != ask.params["hostkey"]:
        raise ProtocolError(f"another host key than the one given: {exchanged.host_key}")
    done = yield from wire.take_payload()
    if done is None:
        return None
    if done != bytes((NEWKEYS,)):
        raise ProtocolError(f"not the end of SSH's key exchange: {done[:32].hex()}")
    yield wire.pack(bytes((NEWKEYS,)))
    wire.protect(exchanged.secret, exchanged.hash)
    return exchanged


def _go_on(ask: Ask, wire: Wire, exchanged: Exchanged) -> Reading[Relayed | None]:
    """Log in and have the errand relayed, as far as the credentials and the ask go."""
    key, password = ask.secrets.get("key"), ask.secrets.get("password")
    if (key is None and password is None) or not goes_to(ask, Depth.AUTH):
        return None
    user = ask.params.get("user", "").encode()
    if not (yield from log_in(wire, exchanged.hash, user, Key(key) if key else None, password)):
        return None
    yield Reached(Depth.AUTH)
    if not goes_to(ask, Depth.DATA):
        return None
    errand = plan_errand(ask)
    channel = yield from open_channel(wire, errand.host, errand.port)
    if channel is None:
        return None
    yield from channel.send(errand.data)
    return (yield from read_answer(channel, errand, wrap=channel.send))


def parse(text: str) -> Parsed:
    """Read `ssh://[user[:password]@]host[:port][?hostkey=SHA256:…&key=…&relay=host:port&depth=…]`.

    Raises:
        ValueError: it is not such a link.
    """
    parsed = parse_login_link(
        text,
        default_port=22,
        params=frozenset({"hostkey", "relay", "payload", "depth"}),
        secrets=frozenset({"password", "key"}),
    )
    params = dict(parsed.params)
    check_depth(params.get("depth", ""))
    if "hostkey" in params:
        params["hostkey"] = params["hostkey"].replace(" ", "+").rstrip("=")
        if not params["hostkey"].startswith("SHA256:") or len(params["hostkey"]) != 50:
            raise ValueError("hostkey is a fingerprint as ssh-keygen -l prints it: SHA256:…")
    elif parsed.secrets:
        raise ValueError("a login needs hostkey=SHA256:…, so that it goes to nobody else")
    if "relay" in params:
        split_relay(params["relay"])
    return Parsed(
        host=parsed.host,
        port=parsed.port,
        params=MappingProxyType(params),
        secrets=parsed.secrets,
        label=parsed.label,
    )


SPEC = DialogueSpec(
    name="ssh",
    question="Does an SSH server answer, and connect for us?",
    schemes=("ssh",),
    default_port=22,
    stack=(Tcp(),),
    start=start,
    parse=parse,
    secrets=("password", "key"),
    proves=Depth.VOLUME,
    open_proves=Depth.PROOF,
)
