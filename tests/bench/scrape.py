"""What a scraper does: GET over kept-alive connections, gzip accepted, the answer unpacked and looked at."""

import gzip
import http.client
import re
import socket
import threading
from collections.abc import Sequence

_SAMPLE = re.compile(rb"^(\w+)(?:\{([^\n]*)\})? ([^ \n]+)", re.MULTILINE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_TIMEOUT_S = 60.0


def fetch(port: int, path: str, *, method: str = "GET") -> bytes:
    """Return the body of a page.

    Raises:
        RuntimeError: the status is not 200.
        OSError: the connection broke.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, headers={"Accept-Encoding": "gzip", "Accept": "text/plain;version=0.0.4"})
        response = connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path}: {response.status}")
        return gzip.decompress(body) if response.getheader("Content-Encoding") == "gzip" else body
    finally:
        connection.close()


def sum_samples(page: bytes, name: str, *, holding: str = "") -> float:
    """Add up the samples of one metric, those whose labels hold a text if one is given."""
    wanted, part = name.encode(), holding.encode()
    return sum(float(match[3]) for match in _SAMPLE.finditer(page) if match[1] == wanted and part in (match[2] or b""))


def probe_all(port: int, paths: Sequence[str], *, connections: int) -> list[bytes]:
    """Fetch each path once, over so many connections side by side; return the answers as they came, unread.

    A scraper that unpacks while it measures would take the servers' core for itself.
    """
    waiting = [
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n".encode() for path in reversed(paths)
    ]
    answers: list[bytes] = []

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as sock:
            while True:
                try:
                    request = waiting.pop()
                except IndexError:
                    return
                sock.sendall(request)
                answers.append(_read_answer(sock))

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _read_answer(sock: socket.socket) -> bytes:
    data = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            return data
        data += piece
        head, blank, body = data.partition(b"\r\n\r\n")
        if not blank:
            continue
        length = _LENGTH.search(head)
        if len(body) >= int(length[1]) if length else body.endswith(_LAST_CHUNK):
            return data


def read_body(answer: bytes) -> bytes:
    """Take framing and compression off an answer; empty when it is not a whole one with status 200."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        return b""
    if b"chunked" in head.lower():
        body = _join_chunks(body)
    try:
        return gzip.decompress(body) if b"content-encoding: gzip" in head.lower() else body
    except (OSError, EOFError):
        return b""


def _join_chunks(body: bytes) -> bytes:
    pieces = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(rest[:length])
        body = rest[length + 2 :] if length else b""
    return b"".join(pieces)
