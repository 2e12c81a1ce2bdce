"""Packets that tests feed to the censor: a client, a server, and what they say."""

import ipaddress

import dns.message
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion

from probe.lab.censor.packet import (
    Datagram,
    Flag,
    Packet,
    Protocol,
    Segment,
    build_datagram,
    build_packet,
    build_segment,
    parse_datagram,
    parse_packet,
    parse_segment,
)

CLIENT = ipaddress.ip_address("5.62.10.2").packed
SERVER = ipaddress.ip_address("45.90.1.1").packed
OTHER = ipaddress.ip_address("64.225.3.4").packed
RESOLVER = ipaddress.ip_address("8.8.8.8").packed
CLIENT6 = ipaddress.ip_address("2a02:2d8:10::2").packed
SERVER6 = ipaddress.ip_address("2a0d:5600::1").packed
CLIENT_PORT = 40000
CLIENT_SEQ = 1000
SERVER_SEQ = 5000


def tcp(
    data: bytes = b"",
    flags: int = Flag.ACK,
    *,
    offset: int = 0,
    server: bytes = SERVER,
    port: int = 443,
    source_port: int = CLIENT_PORT,
    outward: bool = True,
) -> bytes:
    """Return one TCP packet of a connection; `offset` counts from the first byte of the stream."""
    opening = flags & Flag.SYN
    if outward:
        seq = CLIENT_SEQ if opening else CLIENT_SEQ + 1 + offset
        segment = Segment(source_port, port, seq, 0 if opening else SERVER_SEQ + 1, flags, 64240, data)
        body = build_segment(CLIENT, server, segment)
        return build_packet(CLIENT, server, Protocol.TCP, body)
    segment = Segment(port, source_port, SERVER_SEQ + 1 + offset, CLIENT_SEQ + 1, flags, 64240, data)
    return build_packet(server, CLIENT, Protocol.TCP, build_segment(server, CLIENT, segment))


def syn(server: bytes = SERVER, port: int = 443, source_port: int = CLIENT_PORT) -> bytes:
    """Return the opening of a connection."""
    return tcp(flags=Flag.SYN, server=server, port=port, source_port=source_port)


def query(name: str, kind: str = "A", server: bytes = RESOLVER, source_port: int = CLIENT_PORT) -> bytes:
    """Return a DNS question over UDP."""
    message = dns.message.make_query(name, kind, id=77).to_wire()
    body = build_datagram(CLIENT, server, Datagram(source_port, 53, message))
    return build_packet(CLIENT, server, Protocol.UDP, body)


def udp(data: bytes, *, server: bytes = SERVER, port: int = 443, source_port: int = CLIENT_PORT) -> bytes:
    """Return one datagram of the client."""
    return build_packet(CLIENT, server, Protocol.UDP, build_datagram(CLIENT, server, Datagram(source_port, port, data)))


def udp_back(data: bytes, *, server: bytes = SERVER, port: int = 443) -> bytes:
    """Return one datagram of the server."""
    body = build_datagram(server, CLIENT, Datagram(port, CLIENT_PORT, data))
    return build_packet(server, CLIENT, Protocol.UDP, body)


def make_quic_hello(server_name: str, *, version: int = QuicProtocolVersion.VERSION_1, padding: int = 0) -> list[bytes]:
    """Return the datagrams that aioquic begins a connection with; padding makes the hello so much larger."""
    protocols = ["h3"] + [f"{number:0>60}" for number in range(padding // 61)]
    configuration = QuicConfiguration(server_name=server_name, alpn_protocols=protocols)
    configuration.original_version = version
    configuration.supported_versions = [version]
    connection = QuicConnection(configuration=configuration)
    connection.connect(("45.90.1.1", 443), now=0.0)
    return [data for data, _address in connection.datagrams_to_send(now=0.0)]


def read_tcp(raw: bytes) -> tuple[Packet, Segment]:
    packet = parse_packet(raw)
    return packet, parse_segment(packet.body)


def read_dns(raw: bytes) -> tuple[Packet, dns.message.Message]:
    packet = parse_packet(raw)
    return packet, dns.message.from_wire(parse_datagram(packet.body).data, ignore_trailing=True)
