"""WireGuard and AmneziaWG: does the server answer our key, and does the tunnel carry a packet?

Source: the WireGuard paper, sections 5.4 (messages) and 6.1 (timers: five seconds from try to try, each with a fresh
ephemeral key). A server answers only keys that it was told of, so an answer is proof of both sides at once. The key
must be one that nobody else uses: a handshake from here draws the session of its user to us.

Readings: silence = an unknown key, a wrong server key, a timestamp not above the last one, or a filter: they look the
same. A cookie reply = the server is there and under load. A response that does not open = another preshared key.
"""

import msgspec

from probe.model.depth import Depth
from probe.model.errors import ProtocolError, UserError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Receive, Send, Udp
from probe.protocols.incoming import Reading
from probe.protocols.inner_echo import ECHO_REPLY, Inner, build_echo, carry_volume, name_packet
from probe.protocols.relayed import goes_to
from probe.protocols.wireguard import config, shape
from probe.protocols.wireguard.noise import Initiation, Keys, Transport, open_cookie
from probe.protocols.wireguard.tunnel import Tunnel, choose_inner

TRIES_S = (5.0, 5.0, 5.0)
"""How long each initiation is waited for: REKEY_TIMEOUT."""
_ECHOES_S = (1.0, 2.0, 8.0)
"""Longer than the ten seconds after which a server that has nothing to say gives a sign of life."""
_MOST_USELESS = 64
_EARLIEST_NS = 1 << 60
"""A timestamp from before 2006 is no clock's; it would burn the key's order without being of use."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the server proved."""

    answer: str
    """`response`, or `cookie` where it is under load."""
    inner: str = ""
    """What came through the tunnel: `echo reply`, `keepalive` or another packet."""
    carried_bytes: int = 0
    """Each way, where the volume was tried."""


class _Waiting:
    """The initiations that are on their way, and what came that was no answer to them."""

    def __init__(self, keys: Keys, look: shape.Shape) -> None:
        self.keys = keys
        self.look = look
        self.cookie = b""
        self.greeted = False
        self.loaded = False
        """A cookie reply came."""
        self.sent: dict[bytes, Initiation] = {}
        self.fault: ProtocolError | None = None
        self.useless = 0

    def take(self, datagram: bytes) -> Transport | None:
        """Read a datagram; return the transport where it completes a handshake."""
        kind, packet = self.look.undress(datagram)
        # The index of our initiation: behind the sender's own in a response, first in a cookie reply.
        mine = self.sent.get(packet[8:12] if kind == shape.RESPONSE else packet[4:8])
        try:
            if mine is not None and kind == shape.RESPONSE:
                self.greeted = True
                return mine.open_response(packet)
            if mine is not None and kind == shape.COOKIE:
                self.cookie = open_cookie(packet, self.keys, mine.mac1) or b""
                self.greeted = self.loaded = True
                self.useless += 1
                return None
            raise ProtocolError(f"no answer of WireGuard to us: {datagram[:16].hex()}")
        except ProtocolError as error:
            # Anybody can send a datagram in the server's name: the right one may still come.
            self.fault = self.fault or error
            self.useless += 1
            return None


def start(ask: Ask) -> Dialogue:
    """Send up to three initiations; where we are asked to, an echo through the tunnel.

    Raises:
        UserError: a key or a setting cannot be used.
    """
    waiting = _Waiting(*_read(ask))
    try:
        inner = choose_inner(ask.params.get("address", ""), ask.params.get("ping", ""))
    except ValueError:
        raise UserError(
            "wireguard", "address or ping is no IP address", "write it as in Address = 10.0.0.2/32"
        ) from None
    transport = yield from _shake_hands(ask, waiting)
    if transport is None:
        if waiting.fault is not None and not waiting.loaded:
            raise waiting.fault
        return Reply(answer="cookie") if waiting.loaded else None
    yield Reached(Depth.PROOF)
    yield Reached(Depth.AUTH)
    if inner is None or not goes_to(ask, Depth.DATA):
        return Reply(answer="response")
    return (yield from _pass_data(ask, waiting, Tunnel(transport, waiting.look.word(shape.DATA, ask.entropy)), inner))


def _pass_data(ask: Ask, waiting: _Waiting, tunnel: Tunnel, inner: tuple[Inner, Inner]) -> Reading[Reply | None]:
    """Send an echo through the tunnel until something comes; then as much as we are asked to."""
    identifier = int.from_bytes(ask.entropy(2), "big")

    def send(packet: bytes) -> Send:
        return Send(waiting.look.dress(shape.DATA, tunnel.seal(packet), ask.entropy))

    def take(wait_s: float) -> Reading[bytes | None]:
        return _take_data(ask, waiting, tunnel, wait_s)

    for sequence, wait_s in enumerate(_ECHOES_S, 1):
        yield send(build_echo(*inner, identifier, sequence))
        came = yield from take(wait_s)
        if came is not None:
            break
    else:
        return None
    # A server sends nothing under new keys until our first packet under them has arrived.
    yield Reached(Depth.DATA)
    said = name_packet(came, identifier)
    if said != ECHO_REPLY or not goes_to(ask, Depth.VOLUME):
        return Reply(answer="response", inner=said)
    carried = yield from carry_volume(ask, inner, identifier, send, take)
    if carried is None:
        return None
    yield Reached(Depth.VOLUME)
    return Reply(answer="response", inner=said, carried_bytes=carried)


def _shake_hands(ask: Ask, waiting: _Waiting) -> Reading[Transport | None]:
    """Send initiations, each with a fresh ephemeral key and a later timestamp, until one is answered."""
    look = waiting.look
    for turn, wait_s in enumerate(TRIES_S):
        initiation = Initiation(
            waiting.keys,
            ephemeral=ask.entropy(32),
            index=ask.entropy(4),
            stamp_ns=ask.stamps + turn,
            kind=look.word(shape.INITIATION, ask.entropy),
        )
        waiting.sent[initiation.index] = initiation
        for packet in (*_make_decoys(ask), *look.make_junk(ask.entropy)):
            yield Send(packet)
        yield Send(look.dress(shape.INITIATION, initiation.build(waiting.cookie), ask.entropy))
        until_s = ask.elapsed_s() + wait_s
        while (left_s := until_s - ask.elapsed_s()) > 0:
            datagram = yield Receive(left_s)
            if datagram is None:
                break
            known = waiting.greeted
            transport = waiting.take(datagram)
            if waiting.greeted and not known:
                yield Reached(Depth.HELLO)
            if transport is not None:
                return transport
            if waiting.useless >= _MOST_USELESS:
                return None
    return None


def _make_decoys(ask: Ask) -> list[bytes]:
    """Return the packets that go first.

    Raises:
        UserError: one of them is no recipe.
    """
    recipes = (ask.secrets[name].decode("ascii", "replace") for name in shape.DECOYS if name in ask.secrets)
    try:
        return [shape.make_decoy(recipe, ask.entropy, ask.wall_s) for recipe in recipes]
    except ValueError as error:
        raise UserError("wireguard", str(error), "take the file as its owner handed it out") from None


def _take_data(ask: Ask, waiting: _Waiting, tunnel: Tunnel, wait_s: float) -> Reading[bytes | None]:
    """Return the first packet that comes through the tunnel in time."""
    until_s = ask.elapsed_s() + wait_s
    while (left_s := until_s - ask.elapsed_s()) > 0:
        datagram = yield Receive(left_s)
        if datagram is None:
            return None
        kind, packet = waiting.look.undress(datagram)
        if kind == shape.DATA and packet[4:8] in waiting.sent:
            return tunnel.open(packet)
        waiting.useless += 1
        if waiting.useless >= _MOST_USELESS:
            raise ProtocolError(f"nothing but strange packets: {datagram[:16].hex()}")
    return None


def _read(ask: Ask) -> tuple[Keys, shape.Shape]:
    """Read keys and settings.

    Raises:
        UserError: one cannot be used; no key is quoted.
    """
    if ask.stamps < _EARLIEST_NS:
        raise UserError("wireguard", "this host's clock is decades slow", "set it: servers skip timestamps of the past")
    try:
        if "private_key" not in ask.secrets:
            raise ValueError("there is no private key, and servers are silent without")
        texts = (ask.secrets["private_key"], ask.secrets.get("preshared_key", b""))
        private, preshared = (text.decode("ascii", "replace") for text in texts)
        keys = Keys(
            config.decode_key(private),
            config.decode_key(ask.params.get("public_key", "")),
            config.decode_key(preshared) if preshared.strip() else bytes(32),
        )
        return keys, shape.read_shape(ask.params)
    except ValueError as error:
        raise UserError("wireguard", str(error), "give the .conf file of a peer made for this probe") from None


SPEC = DialogueSpec(
    name="wireguard",
    question="Does a WireGuard server answer our key?",
    schemes=("wireguard", "wg"),
    default_port=config.DEFAULT_PORT,
    stack=(Udp(),),
    start=start,
    parse=config.parse_link,
    secrets=("private_key", "preshared_key", *shape.DECOYS),
    proves=Depth.VOLUME,
    open_proves=Depth.REACH,
    recognise=config.is_config,
    read_file=config.parse_config,
    counter="tai64n",
    takes_over=True,
)
