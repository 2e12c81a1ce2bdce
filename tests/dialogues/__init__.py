"""Drives a dialogue in a test: from a script of answers, or over a blocking socket to a real server."""

import dataclasses
import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Iterable

import msgspec

from probe.model.verdict import Depth
from probe.protocols.dialogue import Dialogue, Reached, Receive, Send


@dataclasses.dataclass
class Played:
    """What a dialogue did."""

    reply: msgspec.Struct | None = None
    sent: list[Send] = dataclasses.field(default_factory=list)
    reached: list[Depth] = dataclasses.field(default_factory=list)
    waits_s: list[float] = dataclasses.field(default_factory=list)
    flow: list[tuple[bool, bytes]] = dataclasses.field(default_factory=list)
    """All messages in order, ours marked true."""

    @property
    def depth(self) -> Depth:
        return self.reached[-1] if self.reached else Depth.NONE


def fixed_entropy(seed: bytes = b"seed") -> Callable[[int], bytes]:
    """Return a source of the same bytes each time, so that a dialogue replays."""
    count = 0

    def entropy(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(seed + count.to_bytes(4, "big")).digest(size)

    return entropy


def play(dialogue: Dialogue, answers: Iterable[bytes | None] | Callable[[list[Send]], bytes | None]) -> Played:
    """Run a dialogue against answers, or against a function of all that it has sent so far."""
    ask = answers if callable(answers) else None
    script = iter(()) if callable(answers) else iter(answers)
    return _drive(dialogue, lambda _: None, lambda _, played: ask(played.sent) if ask else next(script, None))


def talk(
    dialogue: Dialogue, address: tuple[str, int], *, udp: bool = False, tls: ssl.SSLContext | None = None, sni: str = ""
) -> Played:
    """Run a dialogue over a real socket; errors of the socket rise."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    sock.settimeout(10)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return talk_over(lambda _: dialogue, sock, tls=tls, sni=sni)


def talk_over(
    begin: Callable[[bytes], Dialogue],
    sock: socket.socket,
    *,
    tls: ssl.SSLContext | None = None,
    sni: str = "",
    pause_s: float = 0.0,
) -> Played:
    """Run over a connected socket the dialogue that begins with the server's certificate (DER); close the socket.

    `pause_s` passes before each message is sent, as on a way longer than loopback.
    """
    udp = sock.type == socket.SOCK_DGRAM
    channel = tls.wrap_socket(sock, server_hostname=sni or None) if tls else sock
    certificate = channel.getpeercert(binary_form=True) or b"" if isinstance(channel, ssl.SSLSocket) else b""
    with channel:

        def receive(timeout_s: float, _played: Played) -> bytes | None:
            channel.settimeout(max(timeout_s, 0.001))
            try:
                return channel.recv(65536)
            except TimeoutError:
                return None

        def send(data: bytes) -> None:
            time.sleep(pause_s)
            (channel.send if udp else channel.sendall)(data)

        return _drive(begin(certificate), send, receive)


def _drive(
    dialogue: Dialogue, send: Callable[[bytes], object], receive: Callable[[float, Played], bytes | None]
) -> Played:
    played = Played()
    resume: bytes | None = None
    while True:
        try:
            event = dialogue.send(resume)
        except StopIteration as end:
            played.reply = end.value
            return played
        resume = None
        match event:
            case Send():
                played.sent.append(event)
                played.flow.append((True, event.data))
                send(event.data)
            case Reached():
                played.reached.append(event.depth)
            case Receive():
                played.waits_s.append(event.timeout_s)
                resume = receive(event.timeout_s, played)
                if resume:
                    played.flow.append((False, resume))


def elapsed_since_now() -> Callable[[], float]:
    """Return a stopwatch for `Ask.elapsed_s`."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
