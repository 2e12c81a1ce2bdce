"""The world's web servers: one request, one answer, as the plan says. Source: RFC 9112 (message format)."""

import asyncio
import base64
import email.utils
import socket
import struct
import time
from collections.abc import Callable
from typing import assert_never
from urllib.parse import parse_qs, urlsplit

import msgspec

from probe.lab.world.plan import Answer, Countdown, HangUp, Mute, Page, Redirect, Site, Trickle

IDLE_S = 30.0
REASONS = {200: "OK", 204: "No Content", 301: "Moved Permanently", 302: "Found", 308: "Permanent Redirect"}
_SENTENCE = "the harbour council said on tuesday that its new reading room will open to visitors before the winter"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a request, and its body."""

    method: str
    path: str
    host: str
    body: bytes = b""


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read one request; `None` = the client left, or spoke something else."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_S)
        lines = head.decode("latin-1").split("\r\n")
        method, path, _version = lines[0].split(" ", 2)
        fields = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError, OSError):
        return None
    return Request(method=method, path=path, host=fields.get("host", "").rsplit(":", 1)[0].lower(), body=body)


def render_page(page: Page, name: str, clock_offset_s: float = 0.0) -> bytes:
    """Return the response for a page; without a body one is made up that differs from site to site."""
    title = page.title or f"{name.split('.')[1] if name.count('.') > 1 else name}: front page".title()
    body = page.body or _make_up(title, name, page.body_bytes)
    encoded = body.encode()
    fields = {
        "Date": email.utils.formatdate(time.time() + clock_offset_s, usegmt=True),
        "Server": "nginx",
        "Content-Type": "text/html; charset=utf-8",
        **page.headers,
        "Content-Length": str(len(encoded)),
        "Connection": "close",
    }
    if page.status == 204:
        del fields["Content-Length"]
    head = f"HTTP/1.1 {page.status} {REASONS.get(page.status, 'Status')}\r\n"
    return (head + "".join(f"{key}: {value}\r\n" for key, value in fields.items()) + "\r\n").encode() + encoded


def _make_up(title: str, name: str, size: int) -> str:
    if size <= 0:
        return ""
    words = _SENTENCE.split()
    start = sum(name.encode()) % len(words)
    sentence = " ".join(words[start:] + words[:start]) + ". "
    filler = (sentence * (size // len(sentence) + 1))[:size]
    head = f"<!doctype html><html><head><title>{title}</title></head>"
    return f"{head}<body><h1>{title}</h1><p>{filler}</p></body></html>\n"


def choose_answer(site: Site, path: str, *, secure: bool) -> Answer:
    """Return what a site serves at a path."""
    for prefix, answer in site.paths.items():
        if path.startswith(prefix):
            return answer
    return site.answer if secure or site.cleartext is None else site.cleartext


class WebService:
    """Answers the requests that reach one address; which site is meant is told by the Host field."""

    def __init__(self, sites: tuple[Site, ...], *, secure: bool, clock_offset_s: float) -> None:
        self._sites = sites
        self._secure = secure
        self._clock_offset_s = clock_offset_s
        self.resolve: Callable[[bytes], bytes | None] | None = None
        """Answers DNS messages, where this is a DoH server."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        try:
            request = await read_request(reader)
            if request is not None:
                await self._answer(request, reader, writer)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.resolve is not None and request.path.startswith("/dns-query"):
            await send_all(writer, self._answer_doh(request, self.resolve))
            return
        site = next((s for s in self._sites if request.host in s.names), self._sites[0] if self._sites else None)
        if site is None:
            await send_all(writer, render_page(Page(status=404), "nothing"))
            return
        answer = choose_answer(site, request.path, secure=self._secure)
        await self._send(answer, site, request, reader, writer)

    async def _send(
        self, answer: Answer, site: Site, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match answer:
            case Page():
                await send_all(writer, render_page(self._advertise(answer, site), site.name, self._clock_offset_s))
            case Redirect():
                page = Page(status=answer.status, headers={"Location": answer.location}, body_bytes=60)
                await send_all(writer, render_page(page, site.name))
            case Countdown():
                left = request.path.removeprefix(answer.prefix)
                number = int(left) if left.isdigit() else 0
                target = Page(status=302, headers={"Location": f"{answer.prefix}{number - 1}"}, body_bytes=60)
                await send_all(writer, render_page(target if number else Page(), site.name))
            case Trickle():
                await _trickle(answer, site.name, writer)
            case Mute():
                await asyncio.wait_for(reader.read(), 120.0)
            case HangUp():
                if answer.reset:
                    abort_with_reset(writer)
            case _:
                assert_never(answer)

    def _advertise(self, page: Page, site: Site) -> Page:
        """Say in an encrypted page where the site is to be had over HTTP/3 (RFC 7838 section 3)."""
        if not self._secure or not site.h3_ports:
            return page
        offers = ", ".join(f'h3=":{port}"; ma=86400' for port in site.h3_ports)
        return msgspec.structs.replace(page, headers={"Alt-Svc": offers, **page.headers})

    @staticmethod
    def _answer_doh(request: Request, resolve: Callable[[bytes], bytes | None]) -> bytes:
        message = request.body
        if request.method == "GET":
            asked = parse_qs(urlsplit(request.path).query).get("dns", [""])[0]
            message = base64.urlsafe_b64decode(asked + "=" * (-len(asked) % 4))
        answer = resolve(message) or b""
        fields = f"Content-Type: application/dns-message\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n"
        return f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode() + answer


async def send_all(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write and wait until the kernel has it."""
    writer.write(data)
    await writer.drain()


async def _trickle(answer: Trickle, name: str, writer: asyncio.StreamWriter) -> None:
    head, _, body = render_page(Page(body_bytes=answer.body_bytes), name).partition(b"\r\n\r\n")
    await send_all(writer, head + b"\r\n\r\n")
    step = max(1, int(answer.bytes_per_s / 10))
    for at in range(0, len(body), step):
        await send_all(writer, body[at : at + step])
        await asyncio.sleep(0.1)


def abort_with_reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the peer gets a RST: linger on, for no time."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
