"""Our observations as OONI's archival records.

Source: OONI spec df-001 (requests), df-002 (queries), df-005 (tcp_connect), df-006 (tls_handshakes), df-008
(network_events). A connection, its handshake and its request share a transaction id there, so each flow is numbered
anew; our own numbers stand beside as `x_transaction`.
"""

import base64
from collections.abc import Iterable
from typing import Any, assert_never

from probe.export.ooni.scrub import Scrubber
from probe.export.ooni.sent import Sent
from probe.model.endpoint import Endpoint
from probe.model.observation import (
    DialogueExchange,
    DNSAnswer,
    DNSLookup,
    DNSReply,
    HTTPExchange,
    ICMPEcho,
    Observation,
    QUICHandshake,
    ReplyFit,
    TCPConnect,
    TLSHandshake,
    Transport,
)
from probe.model.path_trace import PathTrace
from probe.protocols.ooni.failure import write_failure

Record = dict[str, Any]
_ENGINES = {
    Transport.UDP: "udp",
    Transport.TCP: "tcp",
    Transport.DOT: "dot",
    Transport.DOH: "doh",
    Transport.GETADDRINFO: "getaddrinfo",
}


class Records:
    """The five lists of a measurement, filled observation by observation."""

    def __init__(self, scrubber: Scrubber, observations: Iterable[Observation], sent: Sent) -> None:
        self._scrub = scrubber
        self._sent = sent
        self._flows: dict[tuple[Endpoint, int, str], int] = {}
        self._fetching: set[tuple[Endpoint, int, str]] = set()
        self._next_flow = 1
        self.queries: list[Record] = []
        self.duplicates: list[Record] = []
        self.tcp_connect: list[Record] = []
        self.tls_handshakes: list[Record] = []
        self.quic_handshakes: list[Record] = []
        self.requests: list[Record] = []
        self.network_events: list[Record] = []
        ordered = sorted(observations, key=lambda o: (o.t0_s, o.transaction))
        self._fetching = {_place_of(o) for o in ordered if isinstance(o, HTTPExchange)}
        for observation in ordered:
            self._add(observation)
        self.requests.reverse()  # newest first, as OONI has it

    def _add(self, observation: Observation) -> None:
        match observation:
            case DNSLookup():
                self._add_lookup(observation)
            case TCPConnect():
                self._add_connect(observation)
            case TLSHandshake():
                self._add_handshake(observation)
            case QUICHandshake():
                self._add_quic(observation)
            case HTTPExchange():
                self._add_exchange(observation)
            case ICMPEcho():
                pass  # OONI has no record of an echo
            case DialogueExchange():
                pass  # nor of a tunnel in a web measurement; a vpn target is not exported, its addresses are private
            case PathTrace():
                pass  # OONI has a shape for traces only in an experiment of its own
            case _:
                assert_never(observation)

    def _start_flow(self) -> int:
        number, self._next_flow = self._next_flow, self._next_flow + 1
        return number

    def _tag_flow(self, observation: TCPConnect | TLSHandshake | HTTPExchange | QUICHandshake) -> Record:
        """Return what the records of one connection have in common."""
        place = _place_of(observation)
        if isinstance(observation, TCPConnect | QUICHandshake) or place not in self._flows:
            self._flows[place] = self._start_flow()
        fetch = str(place in self._fetching).lower()
        return {
            "t0": observation.t0_s,
            "t": observation.t_s,
            "tags": [f"depth={observation.hop}", f"fetch_body={fetch}"],
            "transaction_id": self._flows[place],
            "x_transaction": observation.transaction,
        } | ({"x_experiment": self._scrub.text(observation.experiment)} if observation.experiment else {})

    def _add_lookup(self, lookup: DNSLookup) -> None:
        number = self._start_flow()
        first = lookup.accepted or (lookup.replies[0] if lookup.replies else None)
        self.queries.append(self._build_query(lookup, first, number, lookup.t_s))
        for reply in lookup.replies:
            if reply is not first and reply.fit is ReplyFit.OURS:
                self.duplicates.append(self._build_query(lookup, reply, number, reply.t_s, later=True))

    def _build_query(
        self, lookup: DNSLookup, reply: DNSReply | None, number: int, t_s: float, *, later: bool = False
    ) -> Record:
        resolver = lookup.resolver
        address = "" if resolver.endpoint is None else self._scrub.text(str(resolver.endpoint))
        if resolver.transport is Transport.DOH and (resolver.server_name or address):
            address = f"https://{resolver.server_name or address}{resolver.path}"
        own = resolver.transport is Transport.GETADDRINFO
        record: Record = {
            "answers": self._build_answers(lookup, reply),
            "engine": _ENGINES[resolver.transport],
            "failure": None if later else write_failure(lookup.failure),
            "hostname": lookup.name,
            "query_type": "ANY" if own else lookup.query_type,
            "rcode": None if reply is None else reply.rcode,
            "resolver_hostname": None,
            "resolver_port": None,
            "resolver_address": address,
            "t0": lookup.t0_s,
            "t": t_s,
            "tags": [*(["classic"] if resolver.system else []), f"depth={lookup.hop}"],
            "transaction_id": number,
            "x_transaction": lookup.transaction,
        }
        if reply is not None and reply.raw:
            record["raw_response"] = base64.b64encode(reply.raw).decode("ascii")
        if lookup.experiment:
            record["x_experiment"] = self._scrub.text(lookup.experiment)
        return record

    def _build_answers(self, lookup: DNSLookup, reply: DNSReply | None) -> list[Record] | None:
        if reply is None or not reply.answers:
            return None
        asns = iter(lookup.asns)
        return [self._build_answer(answer, asns) for answer in reply.answers if answer.type in ("A", "AAAA", "CNAME")]

    def _build_answer(self, answer: DNSAnswer, asns: Iterable[int]) -> Record:
        record: Record = {"answer_type": answer.type, "ttl": answer.ttl_s or None}
        if answer.type == "CNAME":
            return record | {"hostname": answer.value}
        key = "ipv6" if answer.type == "AAAA" else "ipv4"
        return record | {key: self._scrub.text(answer.value), "asn": next(iter(asns), 0), "as_org_name": ""}

    def _add_connect(self, connect: TCPConnect) -> None:
        failure = write_failure(connect.failure)
        common = self._tag_flow(connect)
        place = self._scrub.text(str(connect.endpoint))
        self.tcp_connect.append(
            {
                "ip": self._scrub.text(connect.endpoint.address),
                "port": connect.endpoint.port,
                "status": {"failure": failure, "success": failure is None},
            }
            | common
        )
        self._add_event("connect", place, failure, common, proto="tcp")

    def _add_handshake(self, handshake: TLSHandshake) -> None:
        failure = write_failure(handshake.failure, handshake.alert)
        common = self._tag_flow(handshake)
        place = self._scrub.text(str(handshake.endpoint))
        self.tls_handshakes.append(
            {
                "network": "tcp",
                "address": place,
                "cipher_suite": handshake.cipher,
                "failure": failure,
                "negotiated_protocol": handshake.alpn,
                "no_tls_verify": not handshake.verified and handshake.failure is None,
                "peer_certificates": [_encode(der) for der in handshake.chain],
                "server_name": handshake.server_name,
                "tls_version": handshake.version,
            }
            | common
        )
        self._add_event("tls_handshake_start", place, None, common | {"t": handshake.t0_s})
        self._add_event("tls_handshake_done", place, failure, common | {"t0": handshake.t_s})

    def _add_quic(self, handshake: QUICHandshake) -> None:
        if handshake.ping:
            return  # OONI keeps these in a test of their own
        failure = write_failure(handshake.failure)
        common = self._tag_flow(handshake)
        place = self._scrub.text(str(handshake.endpoint))
        self.quic_handshakes.append(
            {
                "network": "udp",
                "address": place,
                "cipher_suite": handshake.cipher,
                "failure": failure,
                "negotiated_protocol": handshake.alpn,
                "no_tls_verify": not handshake.verified and handshake.failure is None,
                "peer_certificates": [_encode(der) for der in handshake.chain],
                "server_name": handshake.server_name,
                "tls_version": "TLSv1.3" if handshake.version else "",
            }
            | common
        )
        self._add_event("quic_handshake_start", place, None, common | {"t": handshake.t0_s})
        self._add_event("quic_handshake_done", place, failure, common | {"t0": handshake.t_s})

    def _add_exchange(self, exchange: HTTPExchange) -> None:
        common = self._tag_flow(exchange)
        place = self._scrub.text(str(exchange.endpoint))
        headers = self._scrub_headers(exchange.headers)
        sent = self._scrub_headers(self._sent.headers_of(exchange))
        self.requests.append(
            {
                "network": "udp" if exchange.over_quic else "tcp",
                "address": place,
                "alpn": "h3" if exchange.over_quic else "http/1.1" if exchange.secure else "",
                "failure": write_failure(exchange.failure),
                "request": {
                    "method": exchange.method,
                    "url": self._scrub.text(exchange.url),
                    "headers": dict(sent),
                    "headers_list": sent,
                    "body": self._sent.body_of(exchange),
                    "body_is_truncated": False,
                    "tor": {"exit_ip": None, "exit_name": None, "is_tor": False},
                    "x_transport": "udp" if exchange.over_quic else "tcp",
                },
                "response": {
                    "code": exchange.status,
                    "headers": dict(reversed(headers)),
                    "headers_list": headers,
                    "body": self._scrub.data(exchange.body),
                    "body_is_truncated": exchange.body_truncated,
                },
            }
            | common
        )
        for sample in exchange.timeline:
            moment = common | {"t0": sample.t_s, "t": sample.t_s}
            self._add_event("bytes_received_cumulative", place, None, moment, num_bytes=sample.body_bytes)

    def _scrub_headers(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(self._scrub.text(name), self._scrub.text(value)) for name, value in headers]

    def _add_event(self, operation: str, place: str, failure: str | None, common: Record, **more: Any) -> None:
        shared = {key: common[key] for key in ("t0", "t", "tags", "transaction_id")}
        self.network_events.append({"address": place, "failure": failure, "operation": operation} | more | shared)


def _place_of(observation: TCPConnect | TLSHandshake | HTTPExchange | QUICHandshake) -> tuple[Endpoint, int, str]:
    return observation.endpoint, observation.hop, observation.experiment


def _encode(data: bytes) -> Record:
    return {"data": base64.b64encode(data).decode("ascii"), "format": "base64"}
