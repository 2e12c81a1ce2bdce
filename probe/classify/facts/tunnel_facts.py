"""What rules ask about a tunnel: were its credentials proven, and does its protocol work with a server that is known?

Comparisons go to a *reference*: a server of the same protocol elsewhere. Five harmless exchanges with its port come
first, then five beginnings of the protocol: what lets the former pass and ends the latter reacts to the protocol.
"""

import functools

from probe.classify.facts.control_view import ControlView
from probe.classify.facts.path_facts import PathFacts
from probe.classify.pairs import PAIRS
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.depth import Depth
from probe.model.experiment import Design, NameKind, Place
from probe.model.observation import DialogueExchange, TCPConnect
from probe.model.proof import Proof, ProofSource
from probe.model.target import Target

PASSES = 2
"""So often a reference must work before its protocol is said to: once may be an accident."""
REMEMBERED_S = 30 * 86400.0
"""Older proof of credentials says little, and is not looked for: keys are changed, often by the month, and a healthy
server is as silent to an old key as a blocked one is. Whoever knows better says `--worked`."""
FRESH_S = 300.0
"""So young, a handshake from elsewhere is a control."""
_SYN_S = 1.0
"""A SYN is sent again after so long (RFC 6298 section 2.1)."""
_ANYWHERE = tuple(Place)
_CLOCK_TOLERANCES_S = {"shadowsocks": 30.0, "vmess": 120.0, "obfs4": 3600.0}
"""How far clocks may differ before a server takes a right key for a wrong one; Shadowsocks' edition of 2022 alone."""


_COUNTS_SESSIONS = frozenset({"ikev1", "ikev2"})
"""Protocols whose servers are silent to an address that has too many sessions half open, and answer all others."""


def clock_tolerance_s(target: Target) -> float:
    """Return how far our clock may be off for this target's protocol; infinity = it does not matter."""
    protocol = target.params.get("protocol", "")
    if protocol == "shadowsocks" and not target.params.get("method", "").startswith("2022-"):
        return float("inf")
    return _CLOCK_TOLERANCES_S.get(protocol, float("inf"))


class TunnelFacts:
    """The table seen from one endpoint of a tunnel."""

    def __init__(self, facts: PathFacts) -> None:
        self._facts = facts
        self.proofs: tuple[Proof, ...] = tuple(p for p in facts.case.proofs if p.age_s <= REMEMBERED_S)

    @property
    def worked_here(self) -> bool:
        """Tell whether a handshake of ours succeeded with it from this network before."""
        return any(p.source is ProofSource.HISTORY and not p.elsewhere for p in self.proofs)

    @property
    def counts_sessions(self) -> bool:
        """Tell whether a healthy server may be silent to our address alone, for what we or our neighbours left open."""
        return self._facts.case.target.params.get("protocol") in _COUNTS_SESSIONS

    @functools.cached_property
    def own(self) -> Try | None:
        """Return the check's own conversation here, if it broke the path."""
        broken = self._facts.failing
        return broken if broken is not None and broken.layer is Layer.VPN else None

    @property
    def depth(self) -> Depth:
        """Return how far the check's own conversation came."""
        seen = self.own.observation if self.own is not None else None
        return seen.depth if isinstance(seen, DialogueExchange) else Depth.NONE

    @property
    def over_udp(self) -> bool:
        """Tell whether it went by datagrams."""
        seen = self.own.observation if self.own is not None else None
        return isinstance(seen, DialogueExchange) and seen.transport.startswith("udp")

    @property
    def ended(self) -> bool:
        """Tell whether it was reset, closed or left without an answer."""
        return self.own is not None and self.own.outcome in TRIGGERABLE

    def rounds_elsewhere(self) -> int:
        """Return how often, far enough apart, the same handshake succeeded from another network just now.

        That it is over is known where a control cannot reach it now either; and where first packets to its host are
        lost on the way, ours may all have been.
        """
        if self.loses_packets or ControlView.of(self._facts.case).is_dead(self._facts.spot):
            return 0
        ages = sorted(p.age_s for p in self.proofs if p.elsewhere and p.age_s <= FRESH_S)
        rounds, last_s = 0, float("-inf")
        for age_s in ages:
            if age_s - last_s >= self._facts.case.round_apart_s:
                rounds, last_s = rounds + 1, age_s
        return rounds

    def _reference(self, kind: NameKind, layer: Layer) -> tuple[Try, ...]:
        rows = self._facts.seen(layer, name=kind, at=_ANYWHERE, design=Design.REFERENCE)
        return tuple(row for row in rows if row.experiment is not None and row.experiment.about == self._facts.spot)

    @functools.cached_property
    def beginnings(self) -> tuple[Try, ...]:
        """Return the conversations in the tunnel's own protocol with a reference."""
        return self._reference(NameKind.TEST, Layer.VPN)

    @functools.cached_property
    def harmless(self) -> tuple[Try, ...]:
        """Return the harmless exchanges with the reference's port: of datagrams, or of a page."""
        return self._reference(NameKind.NEUTRAL, Layer.VPN if self.over_udp else Layer.HTTP)

    @property
    def reference_was_good(self) -> bool:
        """Tell whether the reference was seen to answer its protocol: one that never did proves nothing by silence."""
        places = {place for proof in self.proofs for place in proof.references}
        return bool(self.beginnings) and all(row.spot in places for row in self.beginnings)

    @property
    def reference_passes(self) -> bool:
        """Tell whether the protocol works from here with a reference."""
        return len([row for row in self.beginnings if row.outcome is Outcome.OK]) >= PASSES

    def reference_ends(self, *outcomes: Outcome) -> bool:
        """Tell whether the protocol alone is ended in one of these ways at a reference whose port works."""
        if not self.reference_was_good:
            return False
        tests = [row for row in self.beginnings if row.outcome in outcomes]
        fine = [row for row in self.harmless if row.outcome is Outcome.OK]
        whole = len(tests) == len(self.beginnings) and len(fine) == len(self.harmless)
        return whole and len(tests) >= PAIRS and len(fine) >= PAIRS

    @property
    def reference_answers_first(self) -> bool:
        """Tell whether the reference answered the beginning, each time, before it was ended."""
        seen = [row.observation for row in self.beginnings]
        return all(isinstance(o, DialogueExchange) and o.depth.rank >= Depth.HELLO.rank for o in seen)

    @property
    def udp_is_lost(self) -> bool:
        """Tell whether datagrams to a reference get no answer any more, and connections to it open.

        Most servers of tunnels never answer what is harmless: only the silence of one that did says something; and only
        where the line is there all the while, so both are tried in two rounds.
        """
        places = {place for proof in self.proofs for place in proof.greeted}
        lost = [row for row in self.harmless if row.outcome is Outcome.SILENT and row.spot in places]
        opened = self._reference(NameKind.NONE, Layer.TCP)
        return (
            self.over_udp
            and len(lost) == len(self.harmless) >= PAIRS + PASSES
            and len([row for row in opened if row.outcome is Outcome.OK]) == len(opened) >= 2 * PASSES
        )

    @property
    def sibling(self) -> Outcome | None:
        """Return how another port of the same host answered a connection; `None` = none was asked."""
        return self._siblings[-1].outcome if self._siblings else None

    @functools.cached_property
    def _siblings(self) -> tuple[Try, ...]:
        rows = self._facts.seen(Layer.TCP, at=_ANYWHERE, design=Design.SERVICE)
        return tuple(r for r in rows if r.experiment is not None and r.experiment.about == self._facts.spot)

    @property
    def loses_packets(self) -> bool:
        """Tell whether another port of the same host answered a second SYN of ours, and not the first."""
        answered = (row.observation for row in self._siblings if row.outcome in (Outcome.OK, Outcome.REFUSED))
        return any(isinstance(o, TCPConnect) and (o.syn_retransmits or o.t_s - o.t0_s >= _SYN_S) for o in answered)
