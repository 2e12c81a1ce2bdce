"""What a censor sees in one packet, and whether a rule looks up at it."""

import fnmatch
import ipaddress
from typing import assert_never

import msgspec

from probe.lab.censor.flows import Flow
from probe.lab.censor.hello import Hello, Unfinished, parse_handshake, parse_hello
from probe.lab.censor.packet import Datagram, Flag, Packet, Segment
from probe.lab.censor.payloads import is_fully_encrypted, is_known_protocol, read_head, read_host
from probe.lab.censor.questions import Question
from probe.lab.censor.quic import join_fragments, read_initials
from probe.lab.censor.rules import (
    AsksFor,
    Crowds,
    FirstBytes,
    HelloShape,
    LargePackets,
    NamesHost,
    NamesQuicServer,
    NamesServer,
    Opening,
    SaysKeyword,
    Speaks,
    ToAddress,
    Volume,
    When,
)


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One packet, read, with the flow that it belongs to."""

    packet: Packet
    flow: Flow
    outward: bool
    """From the client to the world."""
    client: bytes
    server: bytes
    client_port: int
    server_port: int
    segment: Segment | None = None
    datagram: Datagram | None = None
    question: Question | None = None
    """A DNS question in this packet, or complete in the client's stream."""

    @property
    def place(self) -> tuple[int, bytes, bytes, int]:
        """Return what residual punishment goes by: all but the client's port."""
        return (self.packet.protocol, self.client, self.server, self.server_port)

    @property
    def is_opening(self) -> bool:
        """Tell whether this is the SYN of a connection."""
        return self.outward and self.segment is not None and self.segment.flags & (Flag.SYN | Flag.ACK) == Flag.SYN

    @property
    def carries_request(self) -> bool:
        """Tell whether the client says something in it over TCP."""
        return self.outward and self.segment is not None and bool(self.segment.data)

    def hello(self, *, reassembles: bool = True) -> Hello | None:
        """Return the ClientHello that this packet completes; `None` while there is none."""
        if not self.carries_request or self.segment is None:
            return None
        try:
            return parse_hello(self.flow.stream if reassembles else self.segment.data)
        except Unfinished:
            return None

    def quic_hello(self, *, reassembles: bool = False) -> Hello | None:
        """Return the ClientHello that this datagram carries, or completes; `None` while there is none."""
        if not self.outward or self.datagram is None:
            return None
        fragments: dict[int, bytes] = {}
        for initial in read_initials(self.datagram.data, self.flow.quic_id):
            if self.flow.quic_id is None:
                self.flow.quic_id = initial.destination_id
            fragments |= initial.fragments
        self.flow.quic_fragments |= fragments
        try:
            return parse_handshake(join_fragments(self.flow.quic_fragments if reassembles else fragments))
        except Unfinished:
            return None


class Matcher:
    """Tells whether a rule looks up; remembers which addresses a set of prefixes covers."""

    def __init__(self) -> None:
        self._covered: dict[tuple[tuple[str, ...], bytes], bool] = {}
        self._opened: dict[tuple[Crowds, bytes], list[float]] = {}
        """When connections to a server were begun, as a rule counts them."""

    def covers(self, prefixes: tuple[str, ...], address: bytes) -> bool:
        """Tell whether the address is in one of the prefixes."""
        key = (prefixes, address)
        if key not in self._covered:
            one = ipaddress.ip_address(address)
            networks = (ipaddress.ip_network(prefix) for prefix in prefixes)
            self._covered[key] = any(one.version == n.version and one in n for n in networks)
        return self._covered[key]

    def reaches(self, prefixes: tuple[str, ...], address: bytes) -> bool:
        """Tell the same, where no prefix means all."""
        return not prefixes or self.covers(prefixes, address)

    def looks_up(self, when: When, seen: Sighting) -> bool:
        """Tell whether the condition holds for this packet."""
        match when:
            case ToAddress():
                return (
                    self.reaches(when.prefixes, seen.server)
                    and not (when.except_prefixes and self.covers(when.except_prefixes, seen.server))
                    and (not when.ports or seen.server_port in when.ports)
                    and seen.server_port not in when.except_ports
                    and (not when.protocols or seen.packet.protocol in when.protocols)
                )
            case LargePackets() | Opening() | Crowds():
                return self.reaches(when.prefixes, seen.server) and self._looks_up_at_packet(when, seen)
            case AsksFor():
                return (
                    seen.question is not None
                    and (seen.datagram is not None) is not when.over_tcp
                    and any(matches_name(name, seen.question.name) for name in when.names)
                    and (not when.query_types or seen.question.query_type in when.query_types)
                    and self.reaches(when.resolvers, seen.server)
                )
            case NamesServer() | HelloShape() | NamesQuicServer():
                return self.reaches(when.prefixes, seen.server) and self._looks_up_at_hello(when, seen)
            case NamesHost():
                host = read_host(seen.flow.stream) if seen.carries_request else None
                return (
                    host is not None
                    and any(matches_name(name, host) for name in when.names)
                    and self.reaches(when.prefixes, seen.server)
                )
            case SaysKeyword():
                return seen.carries_request and when.text.encode() in read_head(seen.flow.stream)
            case FirstBytes():
                return self._looks_up_at_first_bytes(when, seen)
            case Speaks():
                return (
                    seen.outward
                    and seen.flow.signature in when.signatures
                    and seen.flow.payloads > when.after_packets
                    and (when.over_tcp is None or when.over_tcp is (seen.segment is not None))
                    and (not when.ports or seen.server_port in when.ports)
                    and self.reaches(when.prefixes, seen.server)
                )
            case Volume():
                return (
                    not seen.outward
                    and seen.flow.bytes_to_client > when.after_bytes
                    and self.reaches(when.prefixes, seen.server)
                    and (not when.names or any(matches_name(n, seen.flow.hello_name or "") for n in when.names))
                    and (not when.signatures or seen.flow.signature in when.signatures)
                    and (seen.flow.is_opaque or not when.opaque)
                )
            case _:
                assert_never(when)

    def _looks_up_at_packet(self, when: LargePackets | Opening | Crowds, seen: Sighting) -> bool:
        if isinstance(when, LargePackets):
            header_bytes = 20 if seen.packet.version == 4 else 40
            return len(seen.packet.body) + header_bytes > when.above_bytes
        if not seen.is_opening or (when.ports and seen.server_port not in when.ports):
            return False
        return isinstance(when, Opening) or self._count(when, seen.server, seen.flow.changed_s) > when.at_most

    def _count(self, when: Crowds, server: bytes, now_s: float) -> int:
        """Return how many connections were begun to a server within the time, this one counted."""
        recent = [at_s for at_s in self._opened.get((when, server), ()) if now_s - at_s < when.within_s]
        self._opened[when, server] = [*recent, now_s]
        return len(recent) + 1

    def _looks_up_at_hello(self, when: NamesServer | HelloShape | NamesQuicServer, seen: Sighting) -> bool:
        if isinstance(when, HelloShape):
            return _has_shape(when, seen)
        if when.ports and seen.server_port not in when.ports:
            return False
        if isinstance(when, NamesServer):
            hello = seen.hello(reassembles=when.reassembles)
        elif not _reads_datagram(when, seen):
            return False
        else:
            hello = seen.quic_hello(reassembles=when.reassembles)
        if hello is None:
            return False
        spared = isinstance(when, NamesServer) and any(matches_name(n, hello.server_name) for n in when.except_names)
        return not spared and any(matches_name(name, hello.server_name) for name in when.names)

    def _looks_up_at_first_bytes(self, when: FirstBytes, seen: Sighting) -> bool:
        if not seen.carries_request or seen.segment is None or seen.segment.seq != seen.flow.client_start:
            return False
        first = seen.segment.data
        judged = is_fully_encrypted(first) if when.fully_encrypted else not is_known_protocol(first)
        return judged and self.reaches(when.prefixes, seen.server)


def _reads_datagram(when: NamesQuicServer, seen: Sighting) -> bool:
    if when.first_only and seen.flow.payloads > 1:
        return False
    return not when.spares_low_source_ports or seen.client_port > seen.server_port


def _has_shape(when: HelloShape, seen: Sighting) -> bool:
    hello = seen.hello()
    if hello is None and when.over_quic:
        hello = seen.quic_hello()
    return (
        hello is not None
        and when.min_bytes <= hello.size
        and (when.max_bytes is None or hello.size <= when.max_bytes)
        and set(when.extensions) <= set(hello.extensions)
        and (when.nameless is None or (not hello.server_name) is when.nameless)
        and (not when.names or any(matches_name(name, hello.server_name) for name in when.names))
    )


def matches_name(pattern: str, name: str) -> bool:
    """Tell whether a name is meant: itself, anything below it, or by wildcards."""
    if "*" in pattern:
        return fnmatch.fnmatchcase(name, pattern)
    return name == pattern or name.endswith(f".{pattern}")
