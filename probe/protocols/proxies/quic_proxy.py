"""The QUIC connection under a proxy, as pieces of a dialogue: shake hands, then read what a stream says.

Source: RFC 9000, RFC 9001; aioquic does the protocol and brings its own random bytes, so a replay is not byte for byte.
Parts that proxies' links share: `sni`, `alpn`, `insecure` (also spelt allow_insecure and allowInsecure), `pinSHA256`.
"""

import hashlib
from collections.abc import Callable, Mapping

import msgspec
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived, StreamReset

from probe.model.depth import Depth
from probe.model.endpoint import is_literal
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask, Reached, Receive, Refused, Send
from probe.protocols.engines.quic import QUICEngine
from probe.protocols.engines.roots import distrust, load_roots
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.relayed import Errand, Relayed, read_answer
from probe.protocols.written.link import tidy_hello
from probe.protocols.written.share_link import is_true

WAIT_S = 10.0
"""How long each answer is waited for."""
PARAMS = frozenset({"sni", "alpn", "insecure", "pin"})
_MOST_TURNS = 512
_MOST_KEPT_BYTES = 65536
_ANY_ROOT = 1
_INTERNAL = 1
"""RFC 9000 section 20.1; with it aioquic ends a connection of its own accord when nothing came for a long time."""
_SPELLINGS = {
    "allow_insecure": "insecure", "allowInsecure": "insecure", "skip-cert-verify": "insecure", "pinSHA256": "pin",
    "peer": "sni",
}  # fmt: skip


def read_quic_params(given: Mapping[str, str]) -> dict[str, str]:
    """Return the connection's part of a link's params under the names we use.

    Raises:
        ValueError: a pin is no SHA-256.
    """
    params = {_SPELLINGS.get(key, key): value for key, value in given.items() if value}
    found = tidy_hello({key: params[key] for key in sorted(PARAMS & params.keys())})
    if "insecure" in found and not is_true(found.pop("insecure")):
        return _with_pin(found)
    if "insecure" in params:
        found["insecure"] = "1"
    return _with_pin(found)


def _with_pin(params: dict[str, str]) -> dict[str, str]:
    if "pin" in params:
        pin = params["pin"].replace(":", "").lower()
        if len(pin) != 64 or not set(pin) <= set("0123456789abcdef"):
            raise ValueError("pinSHA256 is no SHA-256 in hexadecimal")
        params["pin"] = pin
    return params


class Secured(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that was not asked to relay."""

    version: str
    cipher: str
    alpn: str


class QuicProxy:
    """One connection; `hide` and `uncover` are what datagrams go through on their way."""

    def __init__(
        self,
        ask: Ask,
        *,
        alpn: tuple[str, ...],
        hide: Callable[[bytes], bytes] = bytes,
        uncover: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._ask = ask
        self._hide, self._uncover = hide, uncover
        name = ask.params.get("sni") or ask.host
        self._pin = ask.params.get("pin", "")
        checked = not self._pin and not is_true(ask.params.get("insecure", ""))
        self.engine = QUICEngine(
            (ask.address or "192.0.2.1", ask.port),
            server_name="" if is_literal(name) else name,
            meant=name,
            alpn=alpn,
            roots=load_roots(ask.roots) if checked else None,
        )
        self.streams: dict[int, bytes] = {}
        """What came on each stream that the reader of events does not take."""
        self.finished: set[int] = set()

    def shake_hands(self) -> Reading[bool]:
        """Complete the handshake and say how far it proves the server; false = silence.

        Raises:
            ProtocolError: what answers is no QUIC server of ours.
            SSLCertVerificationError: its certificate does not prove it.
        """
        engine = self.engine
        engine.start(self._ask.elapsed_s())
        if not (yield from self.wait(lambda: engine.done)):
            if engine.versions:
                raise ProtocolError("the QUIC server speaks no version of ours")
            if engine.farewell is not None and (engine.closed_by_peer or engine.farewell.code != _INTERNAL):
                raise ProtocolError(f"the QUIC handshake ends: {self._farewell()}")
            return False
        yield Reached(Depth.HELLO)
        if engine.verify_code:
            yield from self.flush()
            raise distrust(engine.verify_code, engine.verify_message)
        if self._pin:
            if hashlib.sha256(engine.chain[0]).hexdigest() != self._pin:
                yield from self.close()
                raise distrust(_ANY_ROOT, "the certificate is not the one that is pinned")
            yield Reached(Depth.PROOF)
        elif engine.trusted:
            yield Reached(Depth.PROOF)
        return True

    def wait(self, is_done: Callable[[], bool]) -> Reading[bool]:
        """Go on until something is so; false = not in time, or the connection ended."""
        ask, engine = self._ask, self.engine
        until_s = ask.elapsed_s() + WAIT_S
        for _ in range(_MOST_TURNS):
            yield from self.flush()
            now_s = ask.elapsed_s()
            if is_done():
                return True
            if engine.farewell is not None or now_s >= until_s:
                return False
            due_s = engine.timer()
            datagram = yield Receive(max(0.001, min(until_s, until_s if due_s is None else due_s) - now_s))
            if datagram is not None:
                engine.feed(self._uncover(datagram), ask.elapsed_s())
            elif due_s is None or ask.elapsed_s() >= until_s:
                return is_done()
            else:
                engine.fire(max(due_s, ask.elapsed_s()))
        return False

    def flush(self) -> Reading[None]:
        """Send what is to be sent now."""
        for datagram in self.engine.flush(self._ask.elapsed_s()):
            yield Send(self._hide(datagram))

    def close(self) -> Reading[None]:
        """Say farewell."""
        self.engine.close(0)
        yield from self.flush()

    def leave(self) -> Reading[Secured]:
        """Say farewell before any login."""
        yield from self.close()
        engine = self.engine
        return Secured(version=f"{engine.version:08x}", cipher=engine.cipher, alpn=engine.alpn)

    def take(self, mine: frozenset[int] = frozenset()) -> list[object]:
        """Sort what happened: data of the streams that are `mine` is kept, other events are returned."""
        others: list[object] = []
        for event in self.engine.take_events():
            if isinstance(event, StreamDataReceived) and event.stream_id in mine:
                kept = self.streams.get(event.stream_id, b"")
                self.streams[event.stream_id] = (kept + event.data)[:_MOST_KEPT_BYTES]
                if event.end_stream:
                    self.finished.add(event.stream_id)
            elif isinstance(event, StreamReset) and event.stream_id in mine:
                self.finished.add(event.stream_id)
            elif not isinstance(event, ConnectionTerminated):
                others.append(event)
        return others

    def relay(
        self,
        stream: int,
        errand: Errand,
        skip: Callable[[bytes], int | None],
        *,
        proven: tuple[Depth, ...] = (),
    ) -> Reading[Relayed | None]:
        """Read what the errand's destination says on a stream, and carry a volume over it where we are asked to.

        `skip` tells how many bytes the proxy puts before. `proven` are the stages that a relayed byte proves, where
        the proxy itself says nothing.

        Raises:
            ProtocolError: this is not what a destination answers.
            Refused: the proxy ends the stream or the connection instead.
        """
        inside = _Inside(self, stream, skip)
        relayed = yield from read_answer(inside, errand, proven=proven, wrap=inside.send)
        if relayed is None and not inside.began:
            self.check_end()
        yield from self.close()
        if relayed is None and inside.ended and not inside.began:
            raise Refused("the stream is closed before anything was relayed")
        return relayed

    def check_end(self) -> None:
        """Say how a connection ended that ended early; an end for want of any answer is silence, and no word of it.

        Raises:
            Refused: the server closed it.
            ProtocolError: we had to, for what the server sent.
        """
        farewell = self.engine.farewell
        if self.engine.closed_by_peer:
            raise Refused(f"the connection is closed: {self._farewell()}")
        if farewell is not None and farewell.code != _INTERNAL:
            raise ProtocolError(f"the connection breaks: {self._farewell()}")

    def _farewell(self) -> str:
        farewell = self.engine.farewell
        return "" if farewell is None else f"code {farewell.code:#x} {farewell.reason}".strip()


class _Inside(Incoming):
    """What comes on a relay's stream behind what the proxy puts before."""

    def __init__(self, proxy: QuicProxy, number: int, skip: Callable[[bytes], int | None]) -> None:
        super().__init__(WAIT_S)
        self._proxy = proxy
        self._number = number
        self._skip = skip
        self.began = False
        """Something was relayed."""

    def more(self) -> Reading[bool]:
        """Wait for more of the stream; false if none came in time, or it ended.

        Raises:
            ProtocolError: what stands before is not the proxy's.
            Refused: the proxy does not relay.
        """
        proxy, mine, number = self._proxy, frozenset({self._number}), self._number

        def has_more() -> bool:
            proxy.take(mine)
            data = proxy.streams.get(number, b"")
            before = 0 if self.began else self._skip(data)
            return number in proxy.finished or (before is not None and len(data) > before)

        yield from proxy.wait(has_more)
        data = proxy.streams.get(number, b"")
        before = 0 if self.began else self._skip(data)
        if before is None or len(data) <= before:
            self.ended = number in proxy.finished
            return False
        proxy.streams[number] = b""
        self.began = True
        self.pending += data[before:]
        return True

    def send(self, data: bytes) -> Reading[None]:
        """Put bytes into the relay."""
        self._proxy.engine.connection.send_stream_data(self._number, data)
        yield from self._proxy.flush()
