"""TLS over an open channel: one handshake, one observation, and the stream that follows.

Source: RFC 8446; RFC 9525 for names. A peer that is not trusted ends the handshake as it would a browser's, but its
chain is kept. A TLS 1.3 client's Finished may wait for the first request, so that both go in one segment.
"""

import contextlib
import errno
import ipaddress
import ssl

from probe.model.errors import ProtocolError
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import Ending, Role, Silence, TLSHandshake, TLSStage
from probe.net.attempt import build_failure
from probe.net.channel import Channel
from probe.net.context import Context
from probe.net.quick_tls import HELLO_SHAPE, QuickTLS
from probe.net.secure_channel import SecureChannel
from probe.net.trust import Verification
from probe.protocols.engines.tls import TLSEngine
from probe.protocols.tls.transcript import Transcript

_READ_BYTES = 16384
_ALERT_GRACE_S = 0.05
_HOSTNAME_MISMATCH = 62
"""X509_V_ERR_HOSTNAME_MISMATCH."""
QUICK_LOOK = "quick_look"
"""The experiment that a failed quick handshake is filed under: nobody planned it, so no rule reads it."""
_STOCK = "stock"
_HEATING = (Ending.RESET, Ending.FIN, Ending.SILENCE)
"""How a censor ends a handshake that it did not like; a certificate or an alert is an answer."""


async def secure(
    ctx: Context,
    channel: Channel,
    *,
    server_name: str,
    verify_name: str | None = None,
    alpn: tuple[str, ...] = ("http/1.1",),
    verify: bool = True,
    request_follows: bool = False,
    quick: bool = False,
    pair: tuple[bytes, bytes] | None = None,
) -> SecureChannel | None:
    """Shake hands and append one `TLSHandshake`; `None` = it failed, or the peer is not who was meant.

    `server_name` is what is sent, empty = none; `verify_name` who the peer must be: the name sent unless said, the
    address where none is sent. `verify=False` completes without asking. `request_follows`: the caller sends at once,
    and the end of our handshake goes in the same segment. `quick`: by the quicker library, which must be there; when
    that fails nothing is to be judged by it, and the caller looks again. `pair`: a certificate and its key to be shown.

    Raises:
        UserError: the pair cannot be used.
    """
    library = ctx.stack.trust.quick if quick else None
    handshake = _Handshake(ctx, channel, server_name, verify_name, alpn, verify, library, pair)
    try:
        unsent = await handshake.run()
        if not request_follows:
            await handshake.send(unsent)
            unsent = b""
    except (OSError, EOFError) as error:
        handshake.fail(error)
        await handshake.send_alert()
        ctx.journal.append(handshake.build_failed())
        if handshake.heats:
            ctx.gate.triggered(channel.endpoint)
        return None
    observation = handshake.build_done()
    ctx.journal.append(observation)
    return None if observation.failure is not None else SecureChannel(channel, handshake.engine, unsent)


class _Handshake:
    """One handshake between its first byte and its observation."""

    __slots__ = (
        "_alpn",
        "_bytes_acked",
        "_bytes_sent",
        "_channel",
        "_context",
        "_ctx",
        "_deadline_s",
        "_ended_s",
        "_ending",
        "_failure",
        "_hello_bytes",
        "_library",
        "_match_self",
        "_meant",
        "_name",
        "_patience_s",
        "_received_before",
        "_sent_before",
        "_started_s",
        "_told",
        "_transaction",
        "_transcript",
        "_verify",
        "_verify_code",
        "_verify_message",
        "engine",
    )

    engine: TLSEngine

    def __init__(
        self,
        ctx: Context,
        channel: Channel,
        server_name: str,
        verify_name: str | None,
        alpn: tuple[str, ...],
        verify: bool,
        library: QuickTLS | None,
        pair: tuple[bytes, bytes] | None,
    ) -> None:
        self._ctx = ctx
        self._channel = channel
        self._alpn = alpn
        self._verify = verify
        self._name = "" if _is_address(server_name) else server_name
        self._meant = verify_name or server_name or channel.endpoint.address
        # OpenSSL verifies the name that it is given, and sends it too (SNI) unless it is an address.
        self._told = self._name or (self._meant if _is_address(self._meant) else "")
        self._match_self = verify and self._told != self._meant
        self._library = library
        if library is not None:
            self._context = library.context(alpn)
        else:
            policy = Verification.CHAIN if self._match_self else Verification.FULL if verify else Verification.NONE
            trust = ctx.stack.trust
            self._context = trust.context_with_pair(policy, alpn, pair) if pair else trust.context(policy, alpn)
        self._transcript = Transcript()
        self._sent_before = channel.bytes_sent
        self._received_before = channel.bytes_received
        self._hello_bytes = 0
        self._bytes_sent = 0
        self._bytes_acked: int | None = None
        self._failure: Failure | None = None
        self._ending: Ending | None = None
        self._verify_code = 0
        self._verify_message = ""
        self._patience_s: float | None = ctx.silence_after_s(channel.rtt_s)
        self._transaction = ctx.journal.next_transaction()
        self._deadline_s = ctx.stack.clock.boot_s() + ctx.timeout_s
        self._started_s = self._ended_s = ctx.journal.elapsed_s()

    async def run(self) -> bytes:
        """Drive the engine over the channel until it is done; return our last flight, not yet sent.

        Raises:
            EOFError: the peer closed.
            OSError: anything else that ends it, TLS errors and the deadline among them.
        """
        try:
            memory = ssl.MemoryBIO if self._library is None else self._library.memory
            engine = self.engine = TLSEngine(self._context, self._told, memory)
        except ValueError as error:
            # A label of 64 letters or a leading dot: nothing can be sent, so nothing was learned of the network.
            raise OSError(errno.ENOPROTOOPT, f"not a server name: {error}") from error
        outgoing = engine.start()
        self._hello_bytes = len(outgoing)
        while not engine.done:
            if outgoing:
                await self.send(outgoing)
            chunk = await self._receive()
            if not chunk:
                raise EOFError
            self._transcript.received(chunk)
            outgoing = engine.feed(chunk)
        self._ended_s = self._ctx.journal.elapsed_s()
        if self._match_self:
            self._match_name()
        return outgoing

    async def send(self, data: bytes) -> None:
        """Send a flight and note it."""
        if data:
            await self._channel.send(data, self._deadline_s)
            self._transcript.sent(data)

    async def send_alert(self) -> None:
        """Tell the peer why we leave, as any client does; never waits for long, never fails."""
        if self._ending in (None, Ending.ERROR) and hasattr(self, "engine"):
            self._deadline_s = min(self._deadline_s, self._ctx.stack.clock.boot_s() + _ALERT_GRACE_S)
            with contextlib.suppress(OSError):
                await self.send(self.engine.take_unsent())

    async def _receive(self) -> bytes:
        """Wait for the peer, and say once when it takes longer than it should."""
        if self._patience_s is None:
            return await self._channel.receive(_READ_BYTES, self._deadline_s)
        since_s = self._ctx.stack.clock.boot_s()
        try:
            return await self._channel.receive(_READ_BYTES, min(self._deadline_s, since_s + self._patience_s))
        except TimeoutError as error:
            if error.errno:
                raise
        self._patience_s = None
        self._ctx.journal.hush(
            Silence(
                transaction=self._transaction,
                since_s=since_s - self._ctx.journal.started_boot_s,
                layer="tls",
                endpoint=self._channel.endpoint,
                name=self._name,
                experiment=self._ctx.experiment,
                hop=self._ctx.hop,
            )
        )
        return await self._channel.receive(_READ_BYTES, self._deadline_s)

    def _match_name(self) -> None:
        """Hold the certificate against a name that OpenSSL was not told."""
        # Imported where it is needed: 16 MB of library that a healthy check never uses.
        from probe.protocols.tls.certificate import matches_name, parse_certificate

        try:
            if matches_name(parse_certificate(self.engine.read_chain()[0]), self._meant):
                return
        except (ProtocolError, IndexError):
            pass
        self._verify_code = _HOSTNAME_MISMATCH
        self._verify_message = f"the certificate does not name {self._meant}"
        self._failure = Failure(stage=Stage.TLS, code=FailureCode.SSL_INVALID_HOSTNAME, detail=self._verify_message)

    def fail(self, error: OSError | EOFError) -> None:
        """Note why it ended, and how."""
        self._ended_s = self._ctx.journal.elapsed_s()
        self._bytes_sent = self._channel.bytes_sent - self._sent_before
        acked = self._channel.acked_bytes()
        self._bytes_acked = None if acked is None else max(0, acked - self._sent_before)
        self._failure = build_failure(Stage.TLS, error)
        if isinstance(error, ssl.SSLCertVerificationError):
            self._verify_code, self._verify_message = error.verify_code, error.verify_message
        elif isinstance(error, EOFError):
            self._ending = Ending.FIN
        elif isinstance(error, TimeoutError) and not error.errno:
            self._ending = Ending.SILENCE
        elif self._failure.code is FailureCode.CONNECTION_RESET:
            self._ending = Ending.RESET
        else:
            self._ending = Ending.ERROR

    @property
    def heats(self) -> bool:
        """Tell whether a name went out in the clear and the connection then died of it."""
        return bool(self._name and self._transcript.sent_bytes) and self._ending in _HEATING

    def build_failed(self) -> TLSHandshake:
        """Return the observation of a handshake that did not complete, with all that is known of it."""
        reading = self._transcript.read()
        if self._ending is Ending.ERROR and reading.alert is not None:
            self._ending = Ending.ALERT
            self._failure = Failure(
                stage=Stage.TLS, code=FailureCode.TLS_ALERT, detail=self._failure.detail if self._failure else ""
            )
        return TLSHandshake(
            transaction=self._transaction,
            t0_s=self._started_s,
            t_s=self._ended_s,
            endpoint=self._channel.endpoint,
            server_name=self._name,
            stage=reading.stage,
            alpn_offered=self._alpn,
            hello_shape=_STOCK if self._library is None else HELLO_SHAPE,
            hello_bytes=self._hello_bytes,
            version=reading.version,
            hello_retry=reading.hello_retry,
            alert=reading.alert,
            ending=self._ending,
            chain=self.engine.read_chain() if reading.stage is TLSStage.SERVER_HELLO else (),
            verify_code=self._verify_code,
            verify_message=self._verify_message,
            root_store=self._root_store,
            records=reading.records,
            first_bytes=reading.first_bytes,
            bytes_sent=self._bytes_sent,
            bytes_received=self._channel.bytes_received - self._received_before,
            bytes_acked=self._bytes_acked,
            failure=self._failure,
            role=self._ctx.role if self._library is None else Role.EXPERIMENT,
            hop=self._ctx.hop,
            experiment=self._ctx.experiment if self._library is None else QUICK_LOOK,
        )

    def build_done(self) -> TLSHandshake:
        """Return the observation of a handshake that completed; it may still have been the wrong name's."""
        engine = self.engine
        return TLSHandshake(
            transaction=self._transaction,
            t0_s=self._started_s,
            t_s=self._ended_s,
            endpoint=self._channel.endpoint,
            server_name=self._name,
            stage=TLSStage.DONE,
            alpn_offered=self._alpn,
            alpn=engine.alpn,
            hello_shape=_STOCK if self._library is None else HELLO_SHAPE,
            hello_bytes=self._hello_bytes,
            version=engine.version,
            cipher=engine.cipher,
            hello_retry=self._transcript.hello_retry,
            chain=engine.read_chain(),
            verified=self._verify and self._failure is None,
            verify_code=self._verify_code,
            verify_message=self._verify_message,
            root_store=self._root_store,
            bytes_sent=self._channel.bytes_sent - self._sent_before,
            bytes_received=self._channel.bytes_received - self._received_before,
            failure=self._failure,
            role=self._ctx.role,
            hop=self._ctx.hop,
            experiment=self._ctx.experiment,
        )

    @property
    def _root_store(self) -> str:
        return self._ctx.stack.trust.root_store if self._verify else ""


def _is_address(name: str) -> bool:
    """Tell a literal from a name; most names end in a letter and need no parsing."""
    if not name or (":" not in name and not name[-1].isdigit()):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
