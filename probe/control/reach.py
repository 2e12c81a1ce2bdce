"""One control as it is reached: by our own steps, so that what stops us on the way is seen as well as on a target.

Unlike a target's, its traffic does not pass the agent's gate: many measurements may ask one control at once.
"""

import asyncio
import dataclasses
import hashlib
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from probe import __version__
from probe.control.outbound import OutboundGate
from probe.control.wire import MAX_ANSWER_BYTES
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError, UserError
from probe.model.failure import INSTRUMENT_CODES, Failure
from probe.model.observation import HTTPExchange, Observation, Role, TLSHandshake
from probe.model.settings import ControlSettings
from probe.model.target import Header, SecretRef
from probe.net.channel import Channel
from probe.net.connect import connect
from probe.net.context import Context, Journal
from probe.net.exchange import exchange
from probe.net.lookup import lookup_system
from probe.net.proxies import pass_http, pass_socks5
from probe.net.secure import secure
from probe.net.stack import Stack
from probe.net.stream import ByteStream
from probe.net.trust import Trust
from probe.protocols.http.http1 import OutgoingRequest

MOST_ADDRESSES = 3
CONNECT_S = 10.0
ANSWER_S = 45.0
"""A control measures for 30 s at most."""
_SOCKETS = 16
_LONGEST_TOKEN_BYTES = 4096
_RETRY_AFTER_S = 60.0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request to a control."""

    body: bytes = b""
    address: str = ""
    """Where it was reached; empty through a proxy."""
    failure: str = ""
    """Empty = it answered with 200."""
    unreachable: bool = False
    retry_after_s: float = 0.0
    own_fault: bool = False
    """The request was at fault, not the control: it refuses this one and may answer others."""
    way: tuple[Observation, ...] = ()


class Reach:
    """Long-lived; one per control."""

    def __init__(
        self, settings: ControlSettings, stack: Stack, environ: Mapping[str, str], families: tuple[int, ...]
    ) -> None:
        """Read certificates.

        Raises:
            UserError: a file of the settings cannot be used.
        """
        url = urlsplit(settings.url)
        self.settings = settings
        self._secure = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._secure else 80)
        self._base = url.path.rstrip("/")
        self._environ = environ
        self._families = families
        self._gate = OutboundGate(None, _SOCKETS)
        self._stack = stack
        if settings.ca_file or settings.cert_file:
            pair = (settings.cert_file, settings.key_file) if settings.cert_file else None
            if pair is not None:
                _check_pair(pair)
            trust = Trust(ca_file=settings.ca_file, environ=environ, client_pair=pair)
            self._stack = Stack(
                clock=stack.clock, trust=trust, capabilities=stack.capabilities, dns=stack.dns, names=stack.names
            )
        self.name = settings.name or f"{self._host}:{self._port}"

    async def send(self, method: str, path: str, body: bytes = b"", through: asyncio.Event | None = None) -> Reply:
        """Send one request; whatever goes wrong is in the reply. `through` is set once the control was reached."""
        ctx = Context(
            stack=self._stack,
            gate=self._gate,
            journal=Journal(self._stack.clock),
            holder=f"control {self.name}",
            timeout_s=CONNECT_S,
            hold_s=0.0,
            families=self._families,
            role=Role.CONTROL,
        )
        try:
            headers = self._build_headers()
        except OSError as error:
            return Reply(failure=f"token: {error.strerror or error}")
        request = OutgoingRequest(
            method=method,
            host=self._host,
            port=self._port,
            secure=self._secure,
            path=f"{self._base}{path}",
            headers=headers,
            body=body,
        )
        reply = await self._try_addresses(ctx, request, through or asyncio.Event())
        return msgspec.structs.replace(reply, way=tuple(ctx.journal.observations)) if reply.failure else reply

    def _build_headers(self) -> tuple[Header, ...]:
        headers = (
            Header(name="User-Agent", value=f"wallprobe/{__version__}"),
            Header(name="Accept", value="application/json"),
            Header(name="Content-Type", value="application/json"),
        )
        if self.settings.token is None:
            return headers
        return (
            *headers,
            Header(name="Authorization", value=f"Bearer {read_secret(self.settings.token, self._environ)}"),
        )

    async def _try_addresses(self, ctx: Context, request: OutgoingRequest, through: asyncio.Event) -> Reply:
        host, port, proxy = self._host, self._port, ""
        if self.settings.proxy:
            url = urlsplit(self.settings.proxy)
            host, port, proxy = url.hostname or "", url.port or 0, url.scheme
        addresses = await lookup_system(ctx, host)
        if not addresses:
            return _fail_by(ctx, "proxy: " if proxy else "")
        reply = Reply()
        for address in addresses[:MOST_ADDRESSES]:
            reply = await self._talk(ctx, Endpoint(address=address, port=port), proxy, request, through)
            if not reply.unreachable:
                break
        return reply

    async def _talk(
        self, ctx: Context, endpoint: Endpoint, proxy: str, request: OutgoingRequest, through: asyncio.Event
    ) -> Reply:
        async with connect(ctx, endpoint) as channel:
            if channel is None:
                return _fail_by(ctx, "proxy: " if proxy else "")
            if proxy:
                try:
                    await self._pass_proxy(channel, proxy)
                except (ProtocolError, OSError) as error:
                    reason = str(error) if isinstance(error, ProtocolError) else error.strerror or "took too long"
                    return Reply(failure=f"proxy: {reason}", unreachable=True)
            stream: ByteStream = channel
            if self._secure:
                pin = self.settings.pin
                secured = await secure(ctx, channel, server_name=self._host, verify=not pin)
                if secured is None:
                    return _fail_by(ctx)
                if pin and not _matches_pin(ctx, pin):
                    return Reply(failure="tls: another certificate than the pinned one", unreachable=True)
                stream = secured
            through.set()
            patient = dataclasses.replace(ctx, timeout_s=ANSWER_S, body_limit_bytes=MAX_ANSWER_BYTES)
            seen = await exchange(patient, stream, request)
            return _read_reply(ctx, seen, "" if proxy else endpoint.address)

    async def _pass_proxy(self, channel: Channel, proxy: str) -> None:
        deadline_s = self._stack.clock.boot_s() + CONNECT_S
        step = pass_http if proxy == "http" else pass_socks5
        await step(channel, self._host, self._port, deadline_s)


def _check_pair(pair: tuple[str, str]) -> None:
    """See that certificate and key can be used, before a handshake needs them.

    Raises:
        UserError: they cannot.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(*pair, password="")
    except OSError as error:
        remedy = "give a PEM certificate and its unencrypted key"
        raise UserError(f"control.cert_file: {pair[0]}", error.strerror or str(error), remedy) from error


def read_secret(secret: SecretRef, environ: Mapping[str, str]) -> str:
    """Return a secret's value as it is now.

    Raises:
        OSError: it cannot be read.
    """
    source, _, place = secret.source.partition(":")
    if source == "env":
        if place not in environ:
            raise OSError(f"the environment has no {place}")
        return environ[place].strip()
    path = Path(environ.get("CREDENTIALS_DIRECTORY", "")) / place if source == "credential" else Path(place)
    with path.open("rb") as file:
        return file.read(_LONGEST_TOKEN_BYTES).decode("ascii", "replace").strip()


def _matches_pin(ctx: Context, pin: str) -> bool:
    handshakes = [seen for seen in ctx.journal.observations if isinstance(seen, TLSHandshake)]
    return bool(handshakes and handshakes[-1].chain) and hashlib.sha256(handshakes[-1].chain[0]).hexdigest() == pin


def _fail_by(ctx: Context, whose: str = "") -> Reply:
    """Return the reply that our own last failed step stands for; `whose` = on the way to somebody else than it."""
    failures = [seen.failure for seen in ctx.journal.observations if seen.failure is not None]
    if not failures:
        return Reply(failure=f"{whose}resolve: no address", unreachable=True)
    return Reply(failure=f"{whose}{_spell(failures[-1])}", unreachable=failures[-1].code not in INSTRUMENT_CODES)


def _spell(failure: Failure) -> str:
    return f"{failure.stage.value}: {failure.code.value}"


def _read_reply(ctx: Context, seen: HTTPExchange, address: str) -> Reply:
    """Tell an answer from a refusal from a connection that broke."""
    if seen.failure is not None:
        return _fail_by(ctx)
    if seen.status == 200 and not seen.body_truncated:
        return Reply(body=seen.body, address=address)
    if seen.body_truncated:
        return Reply(failure="http: the answer is too long")
    reason = _read_reason(seen.body)
    return Reply(
        failure=f"http: status {seen.status}{f', {reason}' if reason else ''}",
        own_fault=seen.status in (400, 403, 413),
        retry_after_s=_read_retry_after(seen),
    )


class _Refused(msgspec.Struct, frozen=True):
    error: str = ""


def _read_reason(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refused).error[:120]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""


def _read_retry_after(seen: HTTPExchange) -> float:
    """Return the seconds of `Retry-After` (RFC 9110 section 10.2.3), 0 = none; a date counts as a minute."""
    text = next((value for name, value in seen.headers if name.lower() == "retry-after"), "")
    if not text:
        return 0.0
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else _RETRY_AFTER_S
