"""The rule engine, sans-IO: (flow state, direction, packet, now) to a verdict and packets to inject.

On-path rules let the packet pass and only inject, so they race the true answer; in-path rules take it out.
"""

import ipaddress
import random
import struct
from typing import assert_never

import msgspec

from probe.lab.censor.flows import Flow, FlowKey, Residue
from probe.lab.censor.forge import forge_answers, forge_finish, forge_resets
from probe.lab.censor.icmp import build_prohibited
from probe.lab.censor.packet import Packet, Protocol, parse_datagram, parse_packet, parse_segment, replace_address
from probe.lab.censor.payloads import is_fully_encrypted
from probe.lab.censor.questions import parse_question
from probe.lab.censor.rules import (
    AsksFor,
    Divert,
    Drop,
    Finish,
    ForgeAnswer,
    Impair,
    LargePackets,
    Opening,
    Pass,
    Place,
    Prohibit,
    Reset,
    Rule,
    RuleSet,
    Speaks,
    Then,
    Throttle,
    Volume,
)
from probe.lab.censor.sighting import Matcher, Sighting
from probe.lab.censor.signatures import read_signature
from probe.model.errors import ProtocolError

FLOW_LIFE_S = 120.0
PURGE_EVERY_S = 10.0
DNS_PORT = 53


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """A packet that the censor puts on the line itself."""

    raw: bytes
    to_client: bool
    after_s: float = 0.0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a packet."""

    packet: bytes | None
    """What goes on, perhaps rewritten; `None` = dropped."""
    delay_s: float = 0.0
    injections: tuple[Injection, ...] = ()


class Engine:
    """A censor at work: its rules, and what it remembers."""

    def __init__(self, rules: RuleSet, started_s: float) -> None:
        self.rules = rules
        self.started_s = started_s
        self.strikes: dict[str, int] = {}
        """How often each rule has acted."""
        self._matcher = Matcher()
        self._flows: dict[FlowKey, Flow] = {}
        self._returns: dict[tuple[FlowKey, bytes], FlowKey] = {}
        """Flows by the address they were diverted to, and by the question: its port may ask there directly as well."""
        self._residues: dict[tuple[int, bytes, bytes, int], Residue] = {}
        self._dice = random.Random(rules.seed)
        self._purged_s = started_s
        whens = [rule.when for rule in rules.rules]
        self._reads_signatures = any(isinstance(w, Speaks) or (isinstance(w, Volume) and w.signatures) for w in whens)
        self._reads_hellos = any(isinstance(rule.when, Volume) and rule.when.names for rule in rules.rules)

    @property
    def idle(self) -> bool:
        """Tell whether every packet would pass."""
        return not self.rules.rules

    def inspect(self, raw: bytes, *, outward: bool, now_s: float) -> Decision:
        """Judge one packet on its way out to the world, or in to the client."""
        try:
            packet = parse_packet(raw)
            seen = self._read(packet, outward, now_s)
        except (ProtocolError, struct.error):
            return Decision(packet=raw)
        if now_s - self._purged_s > PURGE_EVERY_S:
            self._purge(now_s)
        decision = self._judge(raw, seen, now_s)
        if decision.packet is not None and seen.flow.diverted_to is not None:
            self._note_return(seen)
            decision = msgspec.structs.replace(decision, packet=self._rewrite(seen))
        return decision

    def _read(self, packet: Packet, outward: bool, now_s: float) -> Sighting:
        client, server = (packet.source, packet.destination) if outward else (packet.destination, packet.source)
        client_port = server_port = 0
        segment = datagram = question = None
        if not packet.later_fragment and packet.protocol in (Protocol.TCP, Protocol.UDP):
            ports = struct.unpack_from("!HH", packet.body)
            client_port, server_port = ports if outward else ports[::-1]
            if packet.protocol == Protocol.TCP:
                segment = parse_segment(packet.body)
            else:
                datagram = parse_datagram(packet.body)
        key: FlowKey = (packet.protocol, client, client_port, server, server_port)
        question_id = datagram.data[:2] if datagram is not None and server_port == DNS_PORT else b""
        if not outward and (key, question_id) in self._returns:
            key = self._returns[key, question_id]
            server = key[3]
        flow = self._flows.get(key)
        if flow is None or (
            segment is not None and outward and segment.flags & 0x12 == 0x02 and flow.client_start != segment.end
        ):
            flow = self._flows[key] = Flow(now_s)
        flow.changed_s = now_s
        if segment is not None and outward:
            if segment.flags & 0x02:
                flow.client_start = segment.end
            else:
                flow.feed(segment.seq, segment.data)
        payload = datagram.data if datagram is not None else segment.data if segment is not None else b""
        if not outward:
            flow.bytes_to_client += len(payload)
        if payload:
            flow.payloads += 1
            if outward and flow.payloads == 1:
                self._read_first(flow, payload, is_stream=segment is not None)
        if outward and server_port == DNS_PORT:
            if datagram is not None:
                question = parse_question(datagram.data)
            elif segment is not None and segment.data and len(flow.stream) > 2:
                question = parse_question(flow.stream[2 : 2 + int.from_bytes(flow.stream[:2], "big")])
        return Sighting(
            packet=packet,
            flow=flow,
            outward=outward,
            client=client,
            server=server,
            client_port=client_port,
            server_port=server_port,
            segment=segment,
            datagram=datagram,
            question=question,
        )

    def _read_first(self, flow: Flow, payload: bytes, *, is_stream: bool) -> None:
        """Note what a flow begins with."""
        flow.is_opaque = is_stream and is_fully_encrypted(payload)
        if self._reads_signatures:
            flow.signature = read_signature(payload, is_stream=is_stream)

    def _judge(self, raw: bytes, seen: Sighting, now_s: float) -> Decision:
        residue = self._residues.get(seen.place)
        if residue is not None and residue.until_s > now_s:
            return self._act(residue.then, raw, seen, now_s)
        if seen.flow.fate is not None:
            return self._act(seen.flow.fate, raw, seen, now_s)
        if self._reads_hellos and seen.flow.hello_name is None and (hello := seen.hello()) is not None:
            seen.flow.hello_name = hello.server_name
        for rule in self.rules.rules:
            if self._applies(rule, seen, now_s) and self._matcher.looks_up(rule.when, seen) and self._rolls(rule, seen):
                return self._strike(rule, raw, seen, now_s)
        return Decision(packet=raw)

    def _applies(self, rule: Rule, seen: Sighting, now_s: float) -> bool:
        age_s = now_s - self.started_s
        if age_s < rule.starts_s or (rule.ends_s is not None and age_s >= rule.ends_s):
            return False
        if rule.after and rule.after not in self.strikes:
            return False
        return rule.place is Place.ACCESS or not self._matcher.covers(self.rules.domestic, seen.server)

    def _rolls(self, rule: Rule, seen: Sighting) -> bool:
        """Throw the dice of a rule once for a flow, or for a question."""
        mark = rule.id if seen.datagram is None or seen.question is None else f"{rule.id}#{seen.question.id}"
        if mark in seen.flow.passed:
            return False
        if rule.probability < 1.0 and self._dice.random() >= rule.probability:
            seen.flow.passed.add(mark)
            return False
        return True

    def _strike(self, rule: Rule, raw: bytes, seen: Sighting, now_s: float) -> Decision:
        self.strikes[rule.id] = self.strikes.get(rule.id, 0) + 1
        if rule.residual_s:
            self._residues[seen.place] = Residue(until_s=now_s + rule.residual_s, then=rule.residual)
        one_shot = isinstance(rule.when, AsksFor | Opening | LargePackets) or isinstance(rule.then, ForgeAnswer | Pass)
        lasting = not one_shot and not (isinstance(rule.then, Reset | Finish) and not rule.then.in_path)
        if isinstance(rule.then, Divert):
            lasting = False
            seen.flow.diverted_to = self._pick_diversion(rule.then, seen)
        if lasting:
            # Once forged ends were sent the flow is dead: nothing more passes, and no second end is forged.
            seen.flow.fate = Drop() if isinstance(rule.then, Reset | Finish) else rule.then
        elif not one_shot:
            seen.flow.passed.add(rule.id)
        return self._act(rule.then, raw, seen, now_s)

    def _act(self, then: Then, raw: bytes, seen: Sighting, now_s: float) -> Decision:
        match then:
            case Drop():
                dropped = then.to_world if seen.outward else then.to_client
                return Decision(packet=None if dropped else raw)
            case ForgeAnswer():
                return self._forge_answer(then, raw, seen)
            case Reset():
                return self._reset(then, raw, seen)
            case Finish():
                if seen.segment is None or not seen.outward:
                    return Decision(packet=None)
                forged = Injection(raw=forge_finish(seen.packet, seen.segment, then), to_client=True)
                return Decision(packet=None if then.in_path else raw, injections=(forged,))
            case Prohibit():
                return self._prohibit(then, raw, seen)
            case Divert() | Pass():
                return Decision(packet=raw)
            case Throttle():
                passes = seen.flow.spend(seen.outward, len(raw), then.bytes_per_s, then.burst_bytes, now_s)
                return Decision(packet=raw if passes else None)
            case Impair():
                lost = self._dice.random() < then.loss_ratio
                return Decision(packet=None if lost else raw, delay_s=then.delay_s)
            case _:
                assert_never(then)

    def _forge_answer(self, then: ForgeAnswer, raw: bytes, seen: Sighting) -> Decision:
        if seen.question is None or seen.datagram is None:
            return Decision(packet=None if then.in_path else raw)
        forged = forge_answers(seen.packet, seen.datagram, seen.question, then)
        injections = tuple(
            Injection(raw=one, to_client=True, after_s=number * then.spacing_s) for number, one in enumerate(forged)
        )
        return Decision(packet=None if then.in_path else raw, injections=injections)

    def _reset(self, then: Reset, raw: bytes, seen: Sighting) -> Decision:
        if seen.segment is None or not seen.outward or seen.segment.flags & 0x04:
            return Decision(packet=None if then.in_path else raw)
        forged = [
            Injection(raw=one, to_client=True) for one in forge_resets(seen.packet, seen.segment, then, to_client=True)
        ]
        if then.both_ends and not seen.is_opening:
            backward = forge_resets(seen.packet, seen.segment, then, to_client=False)
            forged += [Injection(raw=one, to_client=False) for one in backward]
        return Decision(packet=None if then.in_path else raw, injections=tuple(forged))

    def _prohibit(self, then: Prohibit, raw: bytes, seen: Sighting) -> Decision:
        router = then.router if seen.packet.version == 4 else then.router_v6
        if not seen.outward or not router:
            return Decision(packet=None)
        error = build_prohibited(ipaddress.ip_address(router).packed, raw)
        return Decision(packet=None, injections=(Injection(raw=error, to_client=True),))

    def _pick_diversion(self, then: Divert, seen: Sighting) -> bytes | None:
        """Return the address a flow goes to instead; `None` = no such family there."""
        target = then.to if seen.packet.version == 4 else then.to_v6
        if not target:
            return None
        return ipaddress.ip_address(target).packed

    def _note_return(self, seen: Sighting) -> None:
        """Remember whom the answer to an outward packet seems to come from."""
        if not seen.outward or seen.flow.diverted_to is None:
            return
        protocol, ports = seen.packet.protocol, (seen.client_port, seen.server_port)
        asks = seen.datagram is not None and seen.server_port == DNS_PORT
        question_id = seen.datagram.data[:2] if seen.datagram is not None and asks else b""
        there: FlowKey = (protocol, seen.client, ports[0], seen.flow.diverted_to, ports[1])
        self._returns[there, question_id] = (protocol, seen.client, ports[0], seen.server, ports[1])

    @staticmethod
    def _rewrite(seen: Sighting) -> bytes:
        if seen.outward:
            return replace_address(seen.packet, destination=seen.flow.diverted_to)
        return replace_address(seen.packet, source=seen.server)

    def _purge(self, now_s: float) -> None:
        """Forget flows and residues whose time has passed."""
        self._purged_s = now_s
        self._flows = {k: f for k, f in self._flows.items() if now_s - f.changed_s < FLOW_LIFE_S}
        self._returns = {k: origin for k, origin in self._returns.items() if origin in self._flows}
        self._residues = {k: r for k, r in self._residues.items() if r.until_s > now_s}
