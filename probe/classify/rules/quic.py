"""Rules about QUIC: a handshake that got no answer, held against other names, no name, and other places.

Source: CONTRACT section 2; a place that never said it speaks QUIC is not accused of anything, and neither is anybody
else: silence there is what a server without QUIC sends. A box of one's own may drop UDP as well as the network's, so
what falls on every place alike names nobody.
"""

import msgspec

from probe.classify.facts.path_facts import NEUTRAL, NONE, OWN, SIBLING, TEST, PathFacts
from probe.classify.pairs import PAIRS, Pairs, count_pairs
from probe.classify.rules.path import OBSERVED, A, is_offender_local, is_offender_target, named, repeated, unexplained
from probe.classify.rules.rule import C0, C1, C2, Rule
from probe.classify.tries import Layer, Outcome, Try
from probe.model.experiment import Place
from probe.model.observation import QUICHandshake
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence

QUIC = Layer.QUIC
NET, SERVER, LOCAL, UNKNOWN = Cause.NETWORK, Cause.SERVER, Cause.LOCAL, Cause.UNKNOWN
LOW_AT_LEAST = 3
"""So often the name must pass from a low source port: a filter that acts on a share of tries spares some."""
ANCHORS = 2
"""So many neutral places that offer HTTP/3 must be silent before QUIC as such is."""


def _anchors(facts: PathFacts, *outcomes: Outcome) -> set[str]:
    """Return the neutral places, known to offer HTTP/3, that were asked for versions and answered so."""
    asked: tuple[Try, ...] = facts.seen(QUIC, *outcomes, name=NEUTRAL, at=(Place.UNRELATED,))
    return {row.address for row in asked if isinstance(row.observation, QUICHandshake) and row.observation.ping}


def _refused(facts: PathFacts) -> bool:
    return facts.failed(QUIC, Outcome.REFUSED, Outcome.UNREACHABLE)


def _silent(facts: PathFacts) -> bool:
    return facts.failed(QUIC, Outcome.SILENT)


def _versions(facts: PathFacts, outcome: Outcome) -> bool:
    """Tell whether the place was asked for versions, without a name, and answered so."""
    return bool(facts.seen(QUIC, outcome, name=NONE))


def _named_beside(facts: PathFacts) -> bool:
    """Tell whether the name alone is silent at a sibling: then it may be what closed this place, even to a question."""
    named = facts.seen(QUIC, Outcome.SILENT, name=TEST, at=(SIBLING,))
    return bool(named) and facts.spoke(QUIC, name=NEUTRAL, at=(SIBLING,))


def _low_passes(facts: PathFacts) -> bool:
    """Tell whether QUIC with the name went through each time that it came from a low source port."""
    low = facts.seen(Layer.QUIC_LOW, name=TEST, at=(OWN, SIBLING))
    passed = [row for row in low if row.outcome is Outcome.OK]
    failed = [row for row in low if row.outcome is not Outcome.OK and row.outcome is not Outcome.INSTRUMENT]
    return len(passed) >= LOW_AT_LEAST and not failed


def _pairs_with(facts: PathFacts, layer: Layer) -> Pairs:
    """Count usual tries that kept silent against those of another kind, which stand for the controls."""
    places: dict[str, list[Try]] = {spot: [] for spot in sorted({facts.spot, *facts.siblings})}
    for row in facts.table:
        if row.spot not in places or row.kind is not TEST:
            continue
        if row.layer is layer:
            places[row.spot].append(msgspec.structs.replace(row, kind=NEUTRAL))
        elif row.layer is QUIC:
            places[row.spot].append(row)
    return count_pairs([tuple(rows) for rows in places.values()], Outcome.SILENT)


def _low_level(facts: PathFacts) -> Confidence:
    pairs = _pairs_with(facts, Layer.QUIC_LOW)
    return C2 if pairs.tests >= PAIRS and pairs.controls >= PAIRS else min(C1, repeated(facts))


def _large_passes(facts: PathFacts) -> bool:
    """Tell whether five hellos of two datagrams went through with the name, by turns with ours, and none did not."""
    large = facts.seen(Layer.QUIC_LARGE, name=TEST, at=(OWN, SIBLING))
    if not large or any(row.outcome is not Outcome.OK for row in large if row.outcome is not Outcome.INSTRUMENT):
        return False
    pairs = _pairs_with(facts, Layer.QUIC_LARGE)
    return pairs.tests >= PAIRS and pairs.controls >= PAIRS


def _all_silent(facts: PathFacts) -> bool:
    return (
        _silent(facts)
        and not facts.spoke(QUIC, name=NEUTRAL, at=(OWN, SIBLING))
        and not _versions(facts, Outcome.OK)
        and len(_anchors(facts, Outcome.SILENT)) >= ANCHORS
        and not _anchors(facts, Outcome.OK)
    )


QUIC_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="local.firewall.quic",
        when=lambda f: _refused(f) and is_offender_local(f),
        pattern=Pattern.LOCAL_FIREWALL,
        cause=LOCAL,
        family=OBSERVED,
        level=repeated,
        reason="A device in one's own network forbids QUIC and says so by ICMP.",
    ),
    Rule(
        id="srv.filtered.quic",
        when=lambda f: _refused(f) and is_offender_target(f),
        pattern=Pattern.SRV_FILTERED,
        cause=SERVER,
        family=OBSERVED,
        level=repeated,
        reason="The host itself says by ICMP that it has no QUIC at this port.",
    ),
    Rule(
        id="quic.timeout.sni.large_passes",
        when=lambda f: (
            _silent(f) and f.names_somebody and _large_passes(f) and f.spoke(QUIC, name=NEUTRAL, at=(OWN, SIBLING))
        ),
        pattern=Pattern.QUIC_TIMEOUT_SNI,
        cause=NET,
        family=A,
        level=C2,
        reason="QUIC goes silent when the name is in one datagram; a browser's hello, which takes two, gets through.",
        interferes=True,
    ),
    Rule(
        id="quic.silent.large_passes",
        when=lambda f: _silent(f) and f.names_somebody and _large_passes(f),
        pattern=Pattern.QUIC,
        cause=UNKNOWN,
        family=A,
        level=C2,
        reason="QUIC is silent whatever name a hello in one datagram carries; a browser's, which takes two, gets"
        " through. It may be the server's doing.",
        interferes=True,
    ),
    named(QUIC, Outcome.SILENT, Pattern.QUIC_TIMEOUT_SNI, "QUIC goes silent once the name is sent;"),
    Rule(
        id="quic.silent.low_port_passes",
        when=lambda f: _silent(f) and f.names_somebody and _low_passes(f),
        pattern=Pattern.QUIC,
        cause=NET,
        family=A,
        level=_low_level,
        reason="QUIC is silent here, and passes from source ports that are not above the port it goes to: some filters"
        " let such flows be, and no server tells them apart.",
    ),
    Rule(
        id="quic.all.anchors_too",
        when=_all_silent,
        pattern=Pattern.QUIC_ALL,
        cause=UNKNOWN,
        family=A,
        level=repeated,
        reason="QUIC is silent here and at neutral places that offer it, while TLS passes.",
    ),
    Rule(
        id="quic.endpoint.anchors_ok",
        when=lambda f: (
            _silent(f)
            and f.offers_http3
            and _versions(f, Outcome.SILENT)
            and bool(_anchors(f, Outcome.OK))
            and not _named_beside(f)
        ),
        pattern=Pattern.QUIC_ENDPOINT,
        cause=UNKNOWN,
        family=A,
        level=repeated,
        reason="The site offers HTTP/3, and QUIC to its address is lost even without a name; elsewhere QUIC passes.",
    ),
    Rule(
        id="quic.unproven.silent",
        when=lambda f: _silent(f) and not f.offers_http3 and not _versions(f, Outcome.OK),
        pattern=Pattern.QUIC,
        cause=UNKNOWN,
        family=OBSERVED,
        level=C0,
        reason="QUIC is silent, and nothing shows that the server speaks it at all.",
    ),
    Rule(
        id="quic.silent.seen",
        when=_silent,
        pattern=Pattern.QUIC,
        cause=UNKNOWN,
        family=OBSERVED,
        level=repeated,
        reason="The QUIC handshake gets no answer.",
    ),
    Rule(
        id="quic.untrusted.seen",
        when=lambda f: f.failed(QUIC, Outcome.UNTRUSTED),
        pattern=Pattern.QUIC,
        cause=UNKNOWN,
        family=OBSERVED,
        level=C1,
        reason="Over QUIC a certificate came that does not prove the site.",
    ),
    unexplained(QUIC, Pattern.QUIC, "QUIC fails in a way that tells nothing of its cause."),
)
