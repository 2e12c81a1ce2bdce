"""The table of tries, and the verbs that rules ask it with.

`PathFacts` looks at the table from one path (an address of the name, in one redirect hop): its own tries are `OWN`,
those at the name's other addresses `SIBLING`. `NameFacts`, in `name_facts.py`, looks at the answers to the name.

What counts toward n is said in `pairs.py`.
"""

import functools
from typing import Any

import msgspec

from probe.classify.case import Case
from probe.classify.facts.boundary import ANSWERS, ENDED, Boundary, find_boundary, traces_of
from probe.classify.facts.symptom import find_symptom, inherits
from probe.classify.hop_rows import HopRows
from probe.classify.pairs import SPOKE, Pairs, count_pairs
from probe.classify.tries import ENCRYPTED, Layer, Outcome, Try, build_tries
from probe.model.endpoint import is_literal
from probe.model.experiment import Design, NameKind, Place
from probe.model.observation import DNSLookup, HTTPExchange, Observation, QUICHandshake, Role, TLSHandshake
from probe.model.path_trace import HopAnswer, TraceKind
from probe.model.target import CheckName
from probe.protocols.http.alt_svc import find_h3_port

ROUTERS_AT_LEAST = 3
"""Fewer may all be this network's own."""
TEST, NEUTRAL, NONE = NameKind.TEST, NameKind.NEUTRAL, NameKind.NONE
OWN, SIBLING, ELSEWHERE = Place.OWN, Place.SIBLING, Place.ELSEWHERE
_HERE = (OWN,)


def build_table(case: Case) -> tuple[Try, ...]:
    """Return every try of the case, cited ones first and with the times they had relative to this run."""
    table: tuple[Try, ...] | None = case.derived.get("table")
    if table is None:
        table = case.derived["table"] = _build_table(case)
    return table


def _build_table(case: Case) -> tuple[Try, ...]:
    rows: list[Try] = []
    for citation in case.cites if may_cite(case) else ():
        for row in build_tries(citation.observations, citation.experiments, citation.measurement):
            shifted = msgspec.structs.replace(
                row, started_s=row.started_s - citation.age_s, ended_s=row.ended_s - citation.age_s
            )
            rows.append(shifted)
    rows.extend(own_tries(case))
    if case.target.check in (CheckName.DOT, CheckName.DOH):
        return tuple(rows)
    asked = {str(row.observation.resolver.endpoint) for row in rows if isinstance(row.observation, DNSLookup)}
    # The way to a resolver, as after a truncated answer, is no path to the target.
    return tuple(row for row in rows if row.layer is Layer.DNS or row.experiment is not None or row.spot not in asked)


def own_tries(case: Case) -> tuple[Try, ...]:
    """Return the tries of this run alone, on whatever way."""
    tries: tuple[Try, ...] | None = case.derived.get("own tries")
    if tries is None:
        tries = case.derived["own tries"] = build_tries(case.observations, case.experiments)
    return tries


def may_cite(case: Case) -> bool:
    """Tell whether an earlier run speaks here: this one failed in no other way, or made experiments only.

    What a deep run found at a page that loads has no symptom: it stands until the next one, while the name leads to the
    same place.
    """
    if not case.cites or not inherits(case.observations, case.cites[0].observations):
        return False
    checked = any(observation.role is Role.TARGET for observation in case.observations)
    if not checked or find_symptom(case.observations):
        return True
    earlier = case.cites[0].observations
    silent = not case.deep and not find_symptom(earlier)
    return silent and bool(_given(case.observations) & _given(earlier))


def _given(observations: tuple[Observation, ...]) -> frozenset[str]:
    """Return the addresses that the check's own lookups gave."""
    own = (o for o in observations if isinstance(o, DNSLookup) and o.role is Role.TARGET)
    return frozenset(address for lookup in own for address in lookup.addresses)


def own_checks(table: tuple[Try, ...]) -> tuple[Try, ...]:
    """Return the check's own tries; those of the cited run when this one made experiments only."""
    checks = tuple(row for row in table if row.experiment is None)
    return tuple(row for row in checks if not row.measurement) or checks


class PathFacts:
    """The table seen from one path."""

    def __init__(self, case: Case, table: tuple[Try, ...], hop: int, spot: str, siblings: frozenset[str]) -> None:
        self.case = case
        self.hop = hop
        self.spot = spot
        self.siblings = siblings
        """The other spots that were tried for the name in this hop."""
        self.rows = HopRows.of(case, table, hop)
        self.table = self.rows.rows
        self.here = self.rows.by_spot.get(spot, [])
        self.derived: dict[str, Any] = {}
        """What follows for this path, worked out once for all rules that ask."""
        self.questions = _questions_at(case, table, spot)
        """What an encrypted resolver under test was asked here, in order."""

    def place(self, row: Try) -> Place:
        """Say where a try went, seen from this path."""
        if row.spot == self.spot:
            return OWN
        return SIBLING if row.spot in self.siblings else row.place if row.place is not OWN else Place.UNRELATED

    def seen(
        self,
        layer: Layer,
        *outcomes: Outcome,
        name: NameKind | None = None,
        at: tuple[Place, ...] = _HERE,
        design: Design | None = None,
    ) -> tuple[Try, ...]:
        """Return the tries of this kind; no outcome named = any."""
        if design is not None and design not in self.rows.designs:
            return ()
        here = at == _HERE and design is not Design.PORTS
        rows = self.rows.by_layer_and_spot.get((layer, self.spot)) if here else self.rows.by_layer.get(layer)
        if not rows:
            return ()
        return tuple(
            [
                row
                for row in rows
                if (not outcomes or row.outcome in outcomes)
                and (name is None or row.kind is name)
                and (design is None or (row.experiment is not None and row.experiment.design is design))
                and (here or self.place(row) in at or (design is Design.PORTS and _is_about(row, self.spot)))
            ]
        )

    def spoke(self, layer: Layer, *, name: NameKind, at: tuple[Place, ...] = _HERE) -> bool:
        """Tell whether the place answered such a try in the protocol, accepting or not."""
        return bool(self.seen(layer, *SPOKE, name=name, at=at))

    @functools.cached_property
    def checked(self) -> tuple[Try, ...]:
        """Return the check's own tries on this path; those of the cited run when this one made experiments only."""
        mine = [row for row in self.here if row.experiment is None]
        return tuple([row for row in mine if not row.measurement] or mine)

    @functools.cached_property
    def failing(self) -> Try | None:
        """Return the try of the check itself that broke this path, unless the same step succeeded since."""
        broken = next((row for row in self.checked if row.outcome is not Outcome.OK), None)
        if broken is None:
            return None
        repeats = self.seen(broken.layer, Outcome.OK, name=TEST)
        healed = any(row.started_s >= broken.started_s and not _is_hold(row) for row in repeats)
        return self._broken_further_on(broken) if healed else broken

    def _broken_further_on(self, healed: Try) -> Try | None:
        """Return the handshake that failed where a repeated connect came about: to connect is not all a check wants.

        One that passed here since, for whatever comparison, shows that the name does.
        """
        shaken = self._repeated_handshakes if healed.layer is Layer.TCP else ()
        since = self.seen(Layer.TLS, Outcome.OK, name=TEST) if shaken else ()
        passed = any(row.started_s >= healed.started_s for row in since)
        return next((row for row in shaken if row.outcome is not Outcome.OK), None) if not passed else None

    @functools.cached_property
    def _repeated_handshakes(self) -> tuple[Try, ...]:
        return self.seen(Layer.TLS, name=TEST, design=Design.REPEAT)

    def failed(self, layer: Layer, *outcomes: Outcome) -> bool:
        """Tell whether this path broke at the layer, in one of these ways."""
        broken = self.failing
        return broken is not None and broken.layer is layer and (not outcomes or broken.outcome in outcomes)

    @property
    def tries_failed(self) -> int:
        """Return how often the step that broke the path failed in the same way, here."""
        broken = self.failing
        if broken is None:
            return 0
        return len([r for r in self.seen(broken.layer, broken.outcome, name=TEST) if not _is_hold(r)])

    def pairs(self, layer: Layer) -> Pairs:
        """Count the name × control design over this path and its siblings that broke in the same way."""
        broken = self.failing
        if broken is None:
            return Pairs(tests=0, controls=0)
        allies = self._allies(layer)
        key = ("pairs", layer, broken.outcome, allies)  # a dozen rules ask, on each of the name's paths
        pairs: Pairs | None = self.rows.derived.get(key)
        if pairs is None:
            pairs = self.rows.derived[key] = self._count_pairs(layer, broken.outcome, allies)
        return pairs

    @functools.cached_property
    def spots(self) -> frozenset[str]:
        """Return the places of the name in this hop: this one and its siblings."""
        return self.siblings | {self.spot}

    def kin_spoke(self, layer: Layer) -> bool:
        """Tell whether a neutral name was answered here, or at a sibling of the same family."""
        return is_v6(self.spot) in self._families_that_spoke(layer)

    def _families_that_spoke(self, layer: Layer) -> set[bool]:
        """Return in which families a neutral name was answered at the name's places: `True` = IPv6."""
        return {is_v6(row.spot) for row in self.seen(layer, *SPOKE, name=NEUTRAL, at=(OWN, SIBLING))}

    def _allies(self, layer: Layer) -> frozenset[str]:
        """Return the places whose tries count together: both families where neutral names pass in both, else ours."""
        key = ("allies", layer, self.spots, is_v6(self.spot))
        allies: frozenset[str] | None = self.rows.derived.get(key)
        if allies is None:
            kin = frozenset(spot for spot in self.spots if is_kin(spot, self.spot))
            both = len(self._families_that_spoke(layer)) > 1 and kin != self.spots
            allies = self.rows.derived[key] = self.spots if both else kin
        return allies

    def _count_pairs(self, layer: Layer, outcome: Outcome, spots: frozenset[str]) -> Pairs:
        tried = (self.rows.by_spot.get(spot, []) for spot in sorted(spots))
        wanted = (layer, Layer.TCP)
        return count_pairs([tuple([row for row in rows if row.layer in wanted]) for rows in tried], outcome)

    def boundary(self, sent: TraceKind, *, siblings: bool = False, answered: bool = False) -> Boundary | None:
        """Return where on the way packets to this path end and a control's go on; at the siblings too if told.

        `answered` = where they are answered, and a control's go on.
        """
        if not self._traces:
            return None
        spots = self.spots if siblings else {self.spot}
        found = (
            find_boundary(
                tuple(r for r in self._traces if r.experiment and r.experiment.about == spot),
                sent,
                ANSWERS if answered else ENDED,
            )
            for spot in sorted(spots)
        )
        return next((boundary for boundary in found if boundary is not None), None)

    @property
    def has_traces(self) -> bool:
        """Tell whether anything on this path's hop was traced."""
        return bool(self._traces)

    @functools.cached_property
    def passes_all_routers(self) -> bool:
        """Tell whether SYNs to this place went as far as a neighbour's did, past three routers, and ended unseen."""
        here = tuple(r for r in self._traces if r.experiment and r.experiment.about == self.spot)
        tests, controls = (
            {h.ttl for t in traces_of(here, kind, TraceKind.SYN) for h in t.hops if h.answer is HopAnswer.EXPIRED}
            for kind in (TEST, NEUTRAL)
        )
        return len(tests) >= ROUTERS_AT_LEAST and bool(controls) and max(tests) >= max(controls)

    @functools.cached_property
    def _traces(self) -> tuple[Try, ...]:
        return tuple(self.rows.by_layer.get(Layer.TRACE, ()))

    @functools.cached_property
    def names_somebody(self) -> bool:
        """Tell whether the step that broke the path sent a host name in the clear: an address literal is none."""
        broken = self.failing
        if broken is None:
            return False
        seen = broken.observation
        if isinstance(seen, TLSHandshake | QUICHandshake):
            return bool(seen.server_name) and not is_literal(seen.server_name)
        return isinstance(seen, HTTPExchange) and not seen.secure and not is_literal(host_of(seen.url))

    def hung_up_unasked(self, outcome: Outcome) -> bool:
        """Tell whether the peer ended an idle connection, so that nothing we sent can be the reason."""
        held = self.seen(Layer.TCP, at=(OWN, SIBLING), design=Design.HOLD)
        return bool(held) and all(r.outcome is outcome for r in held)

    @functools.cached_property
    def handshake(self) -> TLSHandshake | None:
        """Return the check's own handshake on this path, or that of the repeat where its own connect failed."""
        rows = (*self.checked, *self._repeated_handshakes)
        return next((r.observation for r in rows if isinstance(r.observation, TLSHandshake)), None)

    @functools.cached_property
    def is_proven(self) -> bool:
        """Tell whether the check's own handshake on this path showed a valid certificate, over TCP or QUIC."""
        shaken = (r.observation for r in self.checked if isinstance(r.observation, TLSHandshake | QUICHandshake))
        return any(handshake.verified for handshake in shaken)

    @functools.cached_property
    def offers_http3(self) -> bool:
        """Tell whether the site said over TLS, under its own certificate, that it is to be had by HTTP/3."""
        over_tls = [r for r in self.table if r.kind is TEST and r.layer in (Layer.TLS, Layer.HTTP)]
        proven = {r.spot for r in over_tls if isinstance(r.observation, TLSHandshake) and r.observation.verified}
        pages = (r.observation for r in over_tls if r.spot in proven)
        return any(isinstance(page, HTTPExchange) and bool(find_h3_port(page.headers)) for page in pages)

    @functools.cached_property
    def exchange(self) -> HTTPExchange | None:
        """Return the check's own exchange on this path; `None` = it asked for no page here."""
        return next((r.observation for r in self.checked if isinstance(r.observation, HTTPExchange)), None)

    @property
    def encrypted_page(self) -> HTTPExchange | None:
        """Return what the same host served over https with a valid certificate, when that was asked."""
        return self.rows.encrypted_page

    @property
    def encrypted_rounds(self) -> int:
        """Return how many times, at least 30 s apart, the encrypted route was compared."""
        rows = self.seen(Layer.HTTP, Outcome.OK, at=tuple(Place), design=Design.ENCRYPTED_ROUTE)
        rounds, last = 0, float("-inf")
        for row in sorted(rows, key=lambda r: r.started_s):
            if row.started_s - last >= self.case.round_apart_s:
                rounds, last = rounds + 1, row.started_s
        return rounds


def _questions_at(case: Case, table: tuple[Try, ...], spot: str) -> tuple[Try, ...]:
    if case.target.check not in (CheckName.DOT, CheckName.DOH):
        return ()
    asked = [row for row in table if isinstance(row.observation, DNSLookup) and row.kind is TEST]
    return tuple(
        row
        for row in asked
        if isinstance(row.observation, DNSLookup)
        and row.observation.resolver.transport in ENCRYPTED
        and str(row.observation.resolver.endpoint) == spot
        and (row.experiment is None or row.experiment.design is Design.REPEAT)
    )


def is_kin(spot: str, other: str) -> bool:
    """Tell whether two places have addresses of the same family."""
    return is_v6(spot) is is_v6(other)


def is_v6(spot: str) -> bool:
    """Tell whether a place has an IPv6 address: the port alone brings one colon."""
    return spot.count(":") > 1


def _is_about(row: Try, spot: str) -> bool:
    """Tell whether the try is about this place: another port speaks for the host it was tried on, and no other."""
    return row.experiment is not None and row.experiment.about == spot


def _is_hold(row: Try) -> bool:
    return row.experiment is not None and row.experiment.design is Design.HOLD


def host_of(url: str) -> str:
    """Return the host of an absolute URL, without its port and without brackets."""
    authority = url.split("//", 1)[-1].split("/", 1)[0]
    if authority.startswith("["):
        return authority[1:].split("]", 1)[0]
    return authority.split(":", 1)[0]
