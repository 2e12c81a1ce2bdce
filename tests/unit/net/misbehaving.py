"""Servers that misbehave on purpose, each connection in a thread of its own, so no loop under test serves itself."""

import contextlib
import functools
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from probe.model.endpoint import Endpoint
from probe.net.stack import Stack

NAME = "site.test"
Behaviour = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(behaviour: Behaviour, address: str = "127.0.0.1", backlog: int = 16) -> Iterator[Endpoint]:
    """Run `behaviour` on every connection; the connection closes when it returns."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 0))
    listener.listen(backlog)
    closing = threading.Event()

    def serve_one(peer: socket.socket) -> None:
        peer.settimeout(10)
        with peer, contextlib.suppress(OSError):
            behaviour(peer)

    def accept() -> None:
        while not closing.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield Endpoint(address=address, port=listener.getsockname()[1])
    finally:
        closing.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def closed_port() -> Endpoint:
    """Return an endpoint that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return Endpoint(address="127.0.0.1", port=sock.getsockname()[1])


def reset(peer: socket.socket) -> None:
    """Close with a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def finish(peer: socket.socket) -> None:
    """Send FIN and wait for the other side, so that no reset follows it."""
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(65536):
        pass


def stay_silent(peer: socket.socket) -> None:
    """Read and say nothing until the client leaves."""
    while peer.recv(65536):
        pass


def read_hello(peer: socket.socket) -> bytes:
    """Return the client's first record."""
    data = b""
    while len(data) < 5 or len(data) < 5 + int.from_bytes(data[3:5], "big"):
        chunk = peer.recv(65536)
        if not chunk:
            break
        data += chunk
    return data


def after_hello(*answers: bytes, then: Behaviour = finish, pause_s: float = 0.0) -> Behaviour:
    """Read the hello, send `answers` one by one, then do `then`."""

    def behave(peer: socket.socket) -> None:
        read_hello(peer)
        for answer in answers:
            peer.sendall(answer)
            time.sleep(pause_s)
        then(peer)

    return behave


@functools.cache
def authority() -> trustme.CA:
    """Return the throw-away root that the stack of these tests trusts."""
    return trustme.CA()


@functools.cache
def root_file() -> str:
    """Return the file with that root."""
    path = Path(tempfile.mkdtemp(prefix="wallprobe-test-")) / "root.pem"
    authority().cert_pem.write_to_path(str(path))
    return str(path)


def open_stack() -> Stack:
    """Return a stack that trusts the throw-away root."""
    return Stack.open(ca_file=root_file())


def tls_context(*names: str, ca: trustme.CA | None = None, not_after: datetime | None = None) -> ssl.SSLContext:
    """Return a server's context with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = (ca or authority()).issue_cert(
        *(names or (NAME,)),
        not_before=datetime.now(UTC) - timedelta(days=9) if not_after else None,
        not_after=not_after,
    )
    leaf.configure_cert(context)
    return context


def tls_server(context: ssl.SSLContext, answer: bytes = b"hello") -> Behaviour:
    """Shake hands, read once, send `answer`, close."""

    def behave(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as secured:
            if secured.recv(65536):
                secured.sendall(answer)
                with contextlib.suppress(OSError):
                    secured.unwrap()

    return behave


def relay(context: ssl.SSLContext, size: int, pause_s: float) -> Behaviour:
    """Shake hands, but send at most `size` bytes at a time, `pause_s` apart."""

    def behave(peer: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                engine.do_handshake()
            except ssl.SSLWantReadError:
                _send_slowly(peer, outgoing.read(), size, pause_s)
                incoming.write(peer.recv(65536))
                continue
            _send_slowly(peer, outgoing.read(), size, pause_s)
            break
        stay_silent(peer)

    return behave


def _send_slowly(peer: socket.socket, data: bytes, size: int, pause_s: float) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(data), size):
        peer.sendall(data[at : at + size])
        time.sleep(pause_s)
