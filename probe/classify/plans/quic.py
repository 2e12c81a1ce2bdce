"""Follow-ups by QUIC: the same name again, a neutral name, no name, another address, and other places altogether.

Limits as for TLS: five tests against five controls at one or several addresses. Where a first test may have closed the
place for a while, the control at another, cold address comes first. After each test that keeps silent the same is sent
from a source port that is not above the one it goes to, and in a hello that takes two datagrams, as a browser's does: a
filter may let such flows be, and no server tells them apart.
A web target is asked over HTTP/3 on a deep run, when its page offered it under a valid certificate.
"""

import msgspec

from probe.classify.case import Case
from probe.classify.pairs import PAIRS, SPOKE
from probe.classify.plans.trouble import Trouble
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try, write_spot
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, HelloShape, NameKind, Place, Step
from probe.model.observation import HTTPExchange, TLSHandshake
from probe.model.target import CheckName
from probe.protocols.http.alt_svc import find_h3_port

PLACES_AT_MOST = 2
"""Of one name: silence takes its whole timeout, so few are asked."""
ANCHORS_ASKED = 5
"""Neutral names that tell whether QUIC passes anywhere."""
_PLAIN = frozenset({Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.ALERT})
"""No filter of names does this: it is asked once more, and compared with nothing."""


def plan_quic(case: Case, table: tuple[Try, ...], hop: int, troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return what an h3 target's silent or broken places call for."""
    endpoints = [t.endpoint for t in troubles if t.over_quic][:PLACES_AT_MOST]
    if not endpoints or case.cold_start:
        return ()
    # Over TLS the site says whether there is any HTTP/3 to be missed.
    over_tls = Endpoint(address=endpoints[0].address, port=endpoints[0].port)
    asked = build(case, over_tls, Step.FETCH, NameKind.TEST, 0, hop)
    plain = [t.endpoint for t in troubles if t.over_quic and t.outcome in _PLAIN]
    if endpoints[0] in plain:
        # Once alone is no finding, and each address is judged for itself.
        return (asked, *(build(case, endpoint, Step.QUIC, NameKind.TEST, 2, hop) for endpoint in plain))
    return (asked, *_compare(case, table, endpoints, hop, first=False))


def plan_http3(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return what a deep run of a web target tries over HTTP/3."""
    endpoints = offered(case, table)[:PLACES_AT_MOST]
    if not endpoints or case.cold_start:
        return ()
    first = build(case, endpoints[0], Step.FETCH_H3, NameKind.TEST, 1, 0)
    return (first, *_compare(case, table, endpoints, 0, first=True))


def offered(case: Case, table: tuple[Try, ...]) -> list[Endpoint]:
    """Return where the site offers HTTP/3: the addresses that proved to be its own, at the port that it names."""
    if not case.deep or case.target.check is not CheckName.WEB or not case.target.secure:
        return []
    own = [row.observation for row in table if row.experiment is None and row.hop == 0 and row.outcome is Outcome.OK]
    pages = (page for page in own if isinstance(page, HTTPExchange))
    port = next((found for page in pages if (found := find_h3_port(page.headers))), 0)
    proven = [o.endpoint.address for o in own if isinstance(o, TLSHandshake) and o.verified] if port else []
    return [Endpoint(address=address, port=port) for address in dict.fromkeys(proven)]


class Here:
    """The design at one place, as far as it has gone."""

    def __init__(self, case: Case, table: tuple[Try, ...], endpoint: Endpoint, hop: int) -> None:
        spot = write_spot(endpoint, over_quic=True)
        mine = [e for e in case.experiments if e.endpoint == endpoint and e.cell]
        planned = [e for e in mine if e.design is Design.HTTP3]
        hushed = {s.experiment for s in case.silences if s.experiment}
        rows = [r for r in table if r.layer is Layer.QUIC and r.spot == spot and r.hop == hop]
        by_id = {r.experiment.id: r.outcome for r in rows if r.experiment is not None}
        own = [r for r in rows if r.experiment is None]
        waiting = any(
            s.endpoint == endpoint and not s.experiment and s.layer == Layer.QUIC.value for s in case.silences
        )
        outcomes = [(e.name_kind, by_id.get(e.id, Outcome.SILENT if e.id in hushed else None)) for e in planned]
        tests = [outcome for kind, outcome in outcomes if kind is NameKind.TEST]
        unfinished = [Outcome.SILENT] if waiting and not own else []
        self.tests: list[Outcome | None] = [*(r.outcome for r in own), *unfinished, *tests]
        self.controls = [outcome for kind, outcome in outcomes if kind is NameKind.NEUTRAL]
        self.pings = [outcome for kind, outcome in outcomes if kind is NameKind.NONE]
        others = {
            r.experiment.id: r.outcome
            for r in table
            if r.experiment is not None and r.layer in (Layer.QUIC_LOW, Layer.QUIC_LARGE)
        }
        lower = [e for e in mine if e.design is Design.SOURCE_PORT]
        larger = [e for e in mine if e.design is Design.INITIAL]
        self.low = [others.get(e.id, Outcome.SILENT if e.id in hushed else None) for e in lower]
        """From source ports that are not above the one they go to."""
        self.large = [others.get(e.id, Outcome.SILENT if e.id in hushed else None) for e in larger]
        """With hellos that take two datagrams."""

    @property
    def is_silent(self) -> bool:
        """Tell whether every test so far keeps silent."""
        return bool(self.tests) and all(outcome in TRIGGERABLE for outcome in self.tests)

    @property
    def is_stuck(self) -> bool:
        """Tell whether a control failed: the place is hot, or the name is not the trigger."""
        return any(outcome is not None and outcome not in SPOKE for outcome in self.controls)

    @property
    def passes_low(self) -> bool:
        """Tell whether the name went through from each low source port so far."""
        return bool(self.low) and all(outcome is Outcome.OK for outcome in self.low)

    @property
    def passes_large(self) -> bool:
        """Tell whether the name went through in each large hello so far."""
        return bool(self.large) and all(outcome is Outcome.OK for outcome in self.large)

    @property
    def all_answered(self) -> bool:
        """Tell whether every control so far was answered."""
        return bool(self.controls) and all(outcome in SPOKE for outcome in self.controls)


def _compare(
    case: Case, table: tuple[Try, ...], endpoints: list[Endpoint], hop: int, *, first: bool
) -> list[Experiment]:
    """Return the next comparisons once a first test keeps silent; `first` = only the first place was tested so far."""
    here = {endpoint: Here(case, table, endpoint, hop) for endpoint in endpoints}
    lead = here[endpoints[0]]
    if not lead.is_silent:
        return []
    wanted: list[Experiment] = []
    enough = sum(len(h.tests) for h in here.values()) >= PAIRS and sum(len(h.controls) for h in here.values()) >= PAIRS
    # A cold sibling before the place that may be hot.
    for number, endpoint in sorted(enumerate(endpoints), reverse=first):
        one = here[endpoint]
        if case.neutral_names and not (enough or one.is_stuck):
            wanted += _next(case, endpoint, one, hop, cold=first and number > 0)
        if number == 0:
            wanted.append(build(case, endpoint, Step.QUIC_PING, NameKind.NONE, 1, hop))
            wanted += _low(case, endpoint, one, hop)
        if number > 0 or one.low:
            wanted += _large(case, endpoint, one, hop)
        in_turn = [tries for tries in (one.low, one.large) if tries and set(tries) == {Outcome.OK}]
        more = PAIRS if any(len(tries) == len(one.tests) for tries in in_turn) else 2
        if one.is_stuck and one.is_silent and len(one.tests) < more:
            wanted.append(build(case, endpoint, Step.QUIC, NameKind.TEST, len(one.tests) + 1, hop))
    answered = any(h.all_answered for h in here.values())
    lost = any(outcome is Outcome.SILENT for h in here.values() for outcome in (*h.pings, *h.controls))
    if lost and not answered:
        wanted += [
            Experiment(
                id=f"{Design.HTTP3.value}.anchor.{name}.{hop}",
                design=Design.HTTP3,
                step=Step.QUIC_ANCHOR,
                name=name,
                name_kind=NameKind.NEUTRAL,
                place=Place.UNRELATED,
                hop=hop,
            )
            for name in case.neutral_names[:ANCHORS_ASKED]
        ]
    return wanted


def _next(case: Case, endpoint: Endpoint, here: Here, hop: int, *, cold: bool) -> list[Experiment]:
    """Return the next control, or the next test once all controls were answered."""
    if here.tests and not here.is_silent:
        return []
    if len(here.controls) < min(len(here.tests) + 1, PAIRS) and (here.tests or cold):
        number = len(here.controls) + 1
        if None in here.controls:
            return []
        return [build(case, endpoint, Step.QUIC, NameKind.NEUTRAL, number, hop)]
    if not here.all_answered or None in (*here.tests, *here.low, *here.large) or len(here.tests) >= PAIRS:
        return []
    if len(here.large) < len(here.tests) and (here.passes_large or not here.large):
        return []  # hellos of one datagram and of two take turns
    return [build(case, endpoint, Step.QUIC, NameKind.TEST, len(here.tests) + 1, hop)]


def _low(case: Case, endpoint: Endpoint, here: Here, hop: int) -> list[Experiment]:
    """Return the same from a low source port, one for each test that keeps silent, as long as it goes through."""
    if None in here.tests or len(here.low) >= min(len(here.tests), PAIRS) or not (here.passes_low or not here.low):
        return []
    test = build(case, endpoint, Step.QUIC, NameKind.TEST, len(here.low) + 1, hop)
    low = Design.SOURCE_PORT
    return [
        msgspec.structs.replace(
            test, id=f"{low.value}.{NameKind.TEST.value}.{endpoint}.{hop}.{test.cell}", design=low, low_port=True
        )
    ]


def _large(case: Case, endpoint: Endpoint, here: Here, hop: int) -> list[Experiment]:
    """Return the same with a hello of two datagrams, one for each test that keeps silent, as long as it goes through.

    It waits for the one from a low port: what is sent at one moment meets one state of the place.
    """
    over = len(here.large) >= min(len(here.tests), PAIRS) or not (here.passes_large or not here.large)
    if over or not here.is_silent or None in (*here.tests, *here.low):
        return []
    test = build(case, endpoint, Step.QUIC, NameKind.TEST, len(here.large) + 1, hop)
    large = Design.INITIAL
    return [
        msgspec.structs.replace(
            test,
            id=f"{large.value}.{NameKind.TEST.value}.{endpoint}.{hop}.{test.cell}",
            design=large,
            shape=HelloShape.BROWSER,
        )
    ]


def build(case: Case, endpoint: Endpoint, step: Step, kind: NameKind, number: int, hop: int) -> Experiment:
    """Return one try of the design at a place."""
    names = {NameKind.TEST: case.target.host, NameKind.NEUTRAL: (*case.neutral_names, "")[0], NameKind.NONE: ""}
    return Experiment(
        id=f"{Design.HTTP3.value}.{kind.value}.{endpoint}.{hop}.{number}",
        design=Design.HTTP3,
        step=step,
        name=names[kind],
        name_kind=kind,
        endpoint=endpoint,
        path=case.target.path,
        hop=hop,
        cell=number,
    )
