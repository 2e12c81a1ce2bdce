"""One DNS question over UDP: what was sent, every datagram that came back, and when it is over.

A clean first reply ends it at once; the id stays reserved for `hold_s`, so that a second, contradicting reply is still
noticed and put into the observation. Anything odd about the first reply makes the question keep listening instead.
"""

import asyncio
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from probe.model.experiment import Grant
from probe.model.failure import Failure, FailureCode, IcmpError, Stage
from probe.model.observation import DNSLookup, DNSReply, ReplyFit, Resolver, Silence
from probe.net.attempt import build_failure
from probe.net.context import Context, unknown_asn
from probe.net.peer import Peer
from probe.protocols.dns.codec import TYPE_A, TYPE_AAAA, build_query, parse_addresses
from probe.protocols.dns.message import TRUNCATED, build_message, parse_reply
from probe.protocols.dns.reply import judge_reply, looks_odd

if TYPE_CHECKING:
    from probe.net.dns_socket import DnsSocket

RESEND_AFTER_S = (1.0, 3.0)
"""A stub resolver's patience, counted from the first datagram."""
MOST_REPLIES = 32
"""A flood of forged replies to one question is cut here."""
_PLAIN_TYPES = {"A": TYPE_A, "AAAA": TYPE_AAAA}


class State(Enum):
    """How far a question is."""

    ASKING = "asking"
    HOLDING = "holding"
    """There is a reply, and we listen for more."""
    DONE = "done"


class Inquiry:
    """A question on its way; `DnsSockets.start` sends it, `wait` ends with it, `observe` says what came."""

    __slots__ = (
        "_asked_boot_s",
        "_deadline_s",
        "_error",
        "_failure",
        "_hold",
        "_hold_until_s",
        "_hushed",
        "_icmp",
        "_observation",
        "_raws",
        "_replies",
        "_resends",
        "_silence_at_s",
        "_suspect",
        "_t0_s",
        "_t_s",
        "_waiter",
        "ctx",
        "due_s",
        "grant",
        "name",
        "patience_s",
        "peer",
        "query",
        "query_type",
        "queued_s",
        "reserved_until_s",
        "resolver",
        "sends",
        "socket",
        "state",
        "transaction",
    )

    peer: Peer
    """Where it goes to; known once it has begun."""

    def __init__(
        self,
        ctx: Context,
        grant: Grant,
        resolver: Resolver,
        name: str,
        query_type: str,
        *,
        patience_s: float,
        hold: bool = False,
    ) -> None:
        self.ctx = ctx
        self.grant = grant
        self.resolver = resolver
        self.name = name
        self.query_type = query_type
        self.patience_s = patience_s
        self.transaction = ctx.journal.next_transaction()
        self.queued_s = grant.queued_s
        self.state = State.ASKING
        self.socket: DnsSocket | None = None
        self.query = b""
        self.sends = 0
        self.due_s = 0.0
        """Boot time at which `tick` wants to be called."""
        self.reserved_until_s = 0.0
        self._hold = hold
        self._t0_s = self._t_s = self._asked_boot_s = self._hold_until_s = self._deadline_s = self._silence_at_s = 0.0
        self._resends: tuple[float, ...] = RESEND_AFTER_S
        self._hushed = self._suspect = False
        self._replies: list[DNSReply] = []
        self._raws: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._error: OSError | None = None
        self._failure: Failure | None = None
        self._icmp: IcmpError | None = None
        self._observation: DNSLookup | None = None

    # Sending

    def begin(self, message_id: int, socket: "DnsSocket", peer: Peer) -> None:
        """Take an id, a socket and an address, build the question and start the clock.

        Raises:
            BadNameError: the name cannot be written in a message.
        """
        kind = _PLAIN_TYPES.get(self.query_type)
        if kind is None:
            self.query = build_message(message_id, self.name, self.query_type)
        else:
            self.query = build_query(message_id, self.name, kind)
        self.socket = socket
        self.peer = peer
        journal = self.ctx.journal
        self._t0_s = journal.elapsed_s()
        self._asked_boot_s = now = journal.started_boot_s + self._t0_s
        self._silence_at_s = now + self.ctx.silence_after_s(peer.rtt_floor_s)
        self._deadline_s = now + self.patience_s
        self.due_s = min(self._silence_at_s, self._deadline_s)

    def tick(self, now_s: float) -> None:
        """Do what is due: note the silence, send again, give up, or end the hold; sets `due_s`."""
        if self.state is State.HOLDING:
            if now_s >= self._hold_until_s:
                self._finish()
            return
        if now_s >= self._deadline_s:
            self._finish()
            return
        if not self._hushed and now_s >= self._silence_at_s:
            self._hushed = True
            self._hush()
        if self._resends and now_s >= self._asked_boot_s + self._resends[0]:
            self._resends = self._resends[1:]
            if self.socket is not None:
                self.socket.send(self)
        resend_at_s = self._asked_boot_s + self._resends[0] if self._resends else self._deadline_s
        self.due_s = min(self._deadline_s, resend_at_s, self._deadline_s if self._hushed else self._silence_at_s)

    def shorten(self, patience_s: float) -> None:
        """Wait no longer than this from now: the question beside this one has its answer."""
        now = self.ctx.journal.clock.boot_s()
        if self.state is State.ASKING and now + patience_s < self._deadline_s:
            self._deadline_s = now + patience_s
            if self._deadline_s < self.due_s:
                self._reschedule(self._deadline_s)

    def _hush(self) -> None:
        self.ctx.journal.hush(
            Silence(
                transaction=self.transaction,
                since_s=self._t0_s,
                layer="dns",
                endpoint=self.resolver.endpoint,
                name=self.name,
                experiment=self.ctx.experiment,
                hop=self.ctx.hop,
            )
        )

    # Receiving

    def take(self, data: bytes, ip_ttl: int | None, sender: str) -> None:
        """Take a datagram that came to this question, whatever it is."""
        if len(self._replies) >= MOST_REPLIES:
            return
        t_s = self.ctx.journal.elapsed_s()
        reply = self._read(data, ip_ttl, sender, t_s)
        self._replies.append(reply)
        self._raws.append(data)
        if self._observation is not None:
            self._amend(t_s)
        elif self.state is State.DONE:
            self._hold_on(t_s)
        elif self.state is State.ASKING:
            self._weigh(reply, t_s)

    def fail(self, error: OSError, icmp: IcmpError | None = None) -> None:
        """Take an error of our own host, which ends the question, or of the network, after which data may follow."""
        if self._error is None or icmp is not None:
            self._error = error
            self._icmp = icmp
        if self.state is not State.ASKING:
            return
        if icmp is None:
            self._finish()
        else:
            self._deadline_s = min(self._deadline_s, self.ctx.journal.clock.boot_s() + self.ctx.hold_s)
            self._resends = ()
            self._reschedule(self._deadline_s)

    def reject(self, failure: Failure) -> None:
        """End a question that cannot even be written."""
        self._failure = failure
        self._finish()

    def _read(self, data: bytes, ip_ttl: int | None, sender: str, t_s: float) -> DNSReply:
        if not sender and self.query_type in _PLAIN_TYPES:
            plain = parse_addresses(data, self.query, self.name) if data[:2] == self.query[:2] else None
            if plain is not None:
                return DNSReply(t_s=t_s, flags=plain[0], answers=plain[1], ip_ttl=ip_ttl)
        reply = parse_reply(data, self.query, t_s=t_s, ip_ttl=ip_ttl, sender=sender)
        if sender and reply.fit is ReplyFit.OURS:
            return msgspec.structs.replace(reply, fit=ReplyFit.WRONG_SENDER)
        return reply

    def _weigh(self, reply: DNSReply, t_s: float) -> None:
        """Decide whether the reply ends the question, or only starts the hold, or is not the one."""
        if reply.fit is not ReplyFit.OURS:
            self._suspect = True
            return
        rtt_s = t_s - self._t0_s
        hasty = self.sends == 1 and self.peer.is_hasty(rtt_s)
        if self._hold or self._suspect or hasty or looks_odd(reply, self.query_type):
            self._hold_on(t_s)
            return
        if self.sends == 1:
            self.peer.learn(rtt_s)
        self._t_s = t_s
        self._finish()

    def _hold_on(self, t_s: float) -> None:
        """Listen on for `hold_s` after this reply, also when the question had seemed to be over."""
        if self.ctx.hold_s <= 0:
            self._t_s = t_s
            self._finish()
            return
        if self.socket is not None:
            self.socket.settle(self)
        if not self._hushed:
            self._hushed = True
            self._hush()  # an odd reply is as good a reason to ask elsewhere as none: let the planner use the hold
        self.state = State.HOLDING
        self._hold_until_s = self.ctx.journal.started_boot_s + t_s + self.ctx.hold_s
        self._reschedule(self._hold_until_s)

    def _reschedule(self, due_s: float) -> None:
        self.due_s = due_s
        if self.socket is not None:
            self.socket.schedule(self)

    def _finish(self) -> None:
        held = self.state is State.HOLDING
        if held or not self._t_s:
            self._t_s = self.ctx.journal.elapsed_s()
        if self.socket is None:
            self._t0_s = self._t_s
        self.state = State.DONE
        self.due_s = 0.0
        if self.socket is not None:
            if not held:
                self.socket.settle(self)
            self.socket.reserve(self)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The outcome

    async def wait(self) -> None:
        """Return when the question is over."""
        while self.state is not State.DONE:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def abandon(self) -> None:
        """Forget the question, if nobody waited for its end: its id is free again."""
        if self.socket is not None and self._observation is None:
            if self.state is State.ASKING:
                self.socket.settle(self)
            self.state = State.DONE
            self.socket.forget(self)

    @property
    def accepted(self) -> DNSReply | None:
        """Return the reply that an ordinary client would have used; `None` = none so far."""
        for reply in self._replies:
            if reply.fit is ReplyFit.OURS:
                return reply
        return None

    @property
    def ended_boot_s(self) -> float:
        """Return the boot time at which it was over."""
        return self.ctx.journal.started_boot_s + self._t_s

    @property
    def truncated(self) -> bool:
        """Tell whether the answer must be asked for over TCP."""
        reply = self.accepted
        return reply is not None and bool(reply.flags & TRUNCATED)

    @property
    def bytes_sent(self) -> int:
        """Return the payload bytes sent."""
        return self.sends * len(self.query)

    @property
    def bytes_received(self) -> int:
        """Return the payload bytes of all replies."""
        return sum(map(len, self._raws))

    def observe(self) -> DNSLookup:
        """Return what came of it; replies that come later amend it in the journal."""
        ctx = self.ctx
        failure = self._judge()
        first = self._replies[0] if self._replies else None
        plain = failure is None and len(self._replies) == 1 and first is not None and self._t_s == first.t_s
        addresses = self._list_addresses() if ctx.asn_of is not unknown_asn else ()
        self._observation = DNSLookup(
            transaction=self.transaction,
            t0_s=self._t0_s,
            t_s=self._t_s,
            resolver=self.resolver,
            name=self.name,
            query_type=self.query_type,
            replies=tuple(self._replies) if plain else self._with_raw(),
            sends=self.sends,
            held_s=0.0 if first is None or plain else max(0.0, self._t_s - first.t_s),
            failure=failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
            queued_s=self.queued_s,
            asns=tuple(map(ctx.asn_of, addresses)),
        )
        return self._observation

    def _amend(self, t_s: float) -> None:
        """Put a reply that came after the end beside the others; what was decided then stays."""
        if self._observation is not None:
            held_s = t_s - self._replies[0].t_s
            self._observation = msgspec.structs.replace(self._observation, replies=self._with_raw(), held_s=held_s)
            self.ctx.journal.replace(self._observation)

    def _with_raw(self) -> tuple[DNSReply, ...]:
        return tuple(
            msgspec.structs.replace(reply, raw=raw) for reply, raw in zip(self._replies, self._raws, strict=True)
        )

    def _list_addresses(self) -> tuple[str, ...]:
        reply = self.accepted
        return () if reply is None else tuple(a.value for a in reply.answers if a.type in _PLAIN_TYPES)

    def _judge(self) -> Failure | None:
        reply = self.accepted
        if reply is not None:
            return judge_reply(reply, self.query_type)
        if self._failure is not None:
            return self._failure
        if self._error is not None:
            return build_failure(Stage.RESOLVE, self._error, self._icmp)
        if any(seen.fit is ReplyFit.MALFORMED for seen in self._replies):
            return Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_MISBEHAVING, detail="what came is no DNS reply")
        return Failure(stage=Stage.RESOLVE, code=FailureCode.TIMEOUT)
