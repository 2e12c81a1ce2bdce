"""The packets a censor makes, in other people's names."""

import ipaddress

from probe.lab.censor.packet import (
    Datagram,
    Flag,
    Packet,
    Protocol,
    Segment,
    build_datagram,
    build_packet,
    build_segment,
)
from probe.lab.censor.questions import Question, build_answer
from probe.lab.censor.rules import Finish, ForgeAnswer, Reset, ResetForm

TRIPLE_OFFSETS = (0, 1460, 4380)


def forge_resets(packet: Packet, segment: Segment, action: Reset, *, to_client: bool) -> list[bytes]:
    """Return the resets for one end, provoked by this segment of the client.

    To the client they continue what the server has sent so far; to the server, what the client has.
    """
    # A SYN carries no acknowledgement to continue, so the answer to it must acknowledge it (RFC 9293 section 3.10.7.3).
    opening = bool(segment.flags & Flag.SYN) and not segment.flags & Flag.ACK
    form = ResetForm.RST_ACK if opening and to_client else action.form
    flags = Flag.RST if form is ResetForm.RST else Flag.RST | Flag.ACK
    offsets = TRIPLE_OFFSETS if form is ResetForm.TRIPLE else (0,)
    if to_client:
        source, destination = packet.destination, packet.source
        ports = (segment.destination_port, segment.source_port)
        seq, ack = (0 if opening else segment.ack), segment.end
    else:
        source, destination = packet.source, packet.destination
        ports = (segment.source_port, segment.destination_port)
        seq, ack = (segment.seq if action.in_path else segment.end), segment.ack
    payload = bytes.fromhex(action.payload_hex)
    return [
        build_packet(
            source,
            destination,
            Protocol.TCP,
            build_segment(
                source,
                destination,
                Segment(
                    ports[0], ports[1], seq + offset, ack if flags & Flag.ACK else 0, flags, action.window, payload
                ),
            ),
            ttl=action.ip_ttl,
            ip_id=packet.ip_id if action.copies_ip_id else action.ip_id,
            dont_fragment=False,
        )
        for offset in offsets
    ]


def forge_finish(packet: Packet, segment: Segment, action: Finish) -> bytes:
    """Return a segment in the server's name with the payload, if any, and the end of the stream."""
    body = build_segment(
        packet.destination,
        packet.source,
        Segment(
            segment.destination_port,
            segment.source_port,
            segment.ack,
            segment.end,
            Flag.FIN | Flag.ACK | (Flag.PSH if action.payload else 0),
            0x7210,
            action.payload.encode(),
        ),
    )
    return build_packet(packet.destination, packet.source, Protocol.TCP, body, ttl=action.ip_ttl)


def forge_answers(packet: Packet, datagram: Datagram, question: Question, action: ForgeAnswer) -> list[bytes]:
    """Return the forged answers to a question over UDP, in the resolver's name."""
    packets = []
    for addresses in action.copies:
        fitting = tuple(a for a in addresses if _fits(a, question.query_type))
        message = build_answer(
            question,
            fitting,
            rcode=action.rcode,
            authoritative=action.authoritative,
            ttl_s=action.answer_ttl_s,
            trailing=bytes.fromhex(action.trailing_hex),
        )
        reply = Datagram(datagram.destination_port, datagram.source_port, message)
        body = build_datagram(packet.destination, packet.source, reply)
        ttl = packet.ttl if action.mirrors_ttl else action.ip_ttl
        packets.append(
            build_packet(packet.destination, packet.source, Protocol.UDP, body, ttl=ttl, dont_fragment=False)
        )
    return packets


def _fits(address: str, query_type: str) -> bool:
    """Tell whether an address goes into an answer of this type: all but AAAA get A records, as injectors do."""
    return (ipaddress.ip_address(address).version == 6) == (query_type == "AAAA")
