"""Rules about a hello's shape: a browser's gets through where ours does not, or ours where a browser's does not.

Source: CONTRACT section 4: a difference gives `degraded`. A shape that fails counts only if the same shape with a
neutral name passes there. A server may be as particular as a filter, so a shape alone accuses nobody.
"""

from collections.abc import Callable

from probe.classify.facts.path_facts import NEUTRAL, NONE, OWN, SIBLING, TEST, PathFacts
from probe.classify.pairs import DEEP_PAIRS, PAIRS, SPOKE
from probe.classify.rules.path import NET, TLS, UNKNOWN, A
from probe.classify.rules.rule import C1, C2, Rule
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.experiment import HelloShape, NameKind
from probe.model.observation import TLSHandshake
from probe.model.pattern import Pattern

_PLACES = (OWN, SIBLING)


def _hellos(facts: PathFacts, shape: HelloShape, kind: NameKind = TEST) -> list[Try]:
    """Return the hellos of a shape at the name's own addresses, in order."""
    rows = facts.seen(Layer.HELLO, name=kind, at=_PLACES)
    return [r for r in rows if isinstance(r.observation, TLSHandshake) and r.observation.hello_shape == shape.value]


def _passes(rows: list[Try]) -> bool:
    return bool(rows) and all(row.outcome in SPOKE for row in rows)


def _fails(rows: list[Try]) -> bool:
    return bool(rows) and all(row.outcome in TRIGGERABLE for row in rows)


def browser_passes(facts: PathFacts, outcome: Outcome) -> bool:
    """Tell whether five hellos of a browser's size passed at one of the places where ours fail."""
    if not facts.failed(TLS, outcome) or not facts.names_somebody:
        return False
    browser = _hellos(facts, HelloShape.BROWSER)
    return len(browser) >= PAIRS and _passes(browser) and _fails(_stock_at(facts, browser))


def _stock_at(facts: PathFacts, browser: list[Try]) -> list[Try]:
    spots = {row.spot for row in browser}
    return [row for row in facts.seen(TLS, name=TEST, at=_PLACES) if row.spot in spots]


def _takes_turns(facts: PathFacts) -> bool:
    """Tell whether five hellos of ours failed there, each after one of a browser's had shown the place to be cold."""
    browser = _hellos(facts, HelloShape.BROWSER)
    return count_cold(_stock_at(facts, browser), browser) >= PAIRS


def count_cold(tests: list[Try], passed: list[Try]) -> int:
    """Count tests before each of which, since the one before it, something passed at the same place."""
    counted, previous = 0, None
    for test in sorted(tests, key=lambda row: row.started_s):
        since_s = float("-inf") if previous is None else previous.started_s
        before = any(p.started_s >= since_s and p.ended_s <= test.started_s for p in passed if p.spot == test.spot)
        counted += before or (previous is None and test.experiment is None and not test.hot)
        previous = test
    return counted


def _neutral_passes(facts: PathFacts) -> bool:
    return facts.spoke(TLS, name=NEUTRAL, at=_PLACES)


def _by_name(outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.browser_passes",
        when=lambda f: browser_passes(f, outcome) and f.pairs(TLS).controls >= PAIRS and f.pairs(TLS).tests >= PAIRS,
        pattern=pattern,
        cause=NET,
        family=A,
        level=C2,
        reason=f"{what} when the name is in one segment; a browser's hello, which takes two, gets through with it.",
        interferes=True,
    )


def _by_shape(outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.browser_passes",
        when=lambda f: browser_passes(f, outcome) and not _neutral_passes(f) and _takes_turns(f),
        pattern=pattern,
        cause=UNKNOWN,
        family=A,
        level=C2,
        reason=f"{what} whatever name our hello carries; a browser's hello gets through. It may be the server's doing.",
        interferes=True,
    )


SHAPE_TLS_RULES: tuple[Rule[PathFacts], ...] = (
    _by_name(Outcome.RESET, Pattern.TLS_RESET_SNI, "The connection is reset"),
    _by_name(Outcome.FIN, Pattern.TLS_FIN_SNI, "The connection is closed"),
    _by_name(Outcome.SILENT, Pattern.TLS_TIMEOUT_SNI, "Nothing comes back"),
    _by_shape(Outcome.RESET, Pattern.TLS_RESET_FINGERPRINT, "The connection is reset"),
    _by_shape(Outcome.FIN, Pattern.TLS_FIN, "The connection is closed"),
    _by_shape(Outcome.SILENT, Pattern.TLS_TIMEOUT, "Nothing comes back"),
)
"""They come before the rules that only know that a hello failed."""


def _no_name_passes(facts: PathFacts, outcome: Outcome) -> bool:
    """Tell whether five hellos without a name passed where every name fails, by turns with ours."""
    if not facts.failed(TLS, outcome) or not facts.names_somebody or _neutral_passes(facts):
        return False
    unnamed = _hellos(facts, HelloShape.NO_NAME, NONE)
    stock = _stock_at(facts, unnamed)
    return len(unnamed) >= PAIRS and _passes(unnamed) and _fails(stock) and count_cold(stock, unnamed) >= PAIRS


def _unnamed(outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.no_name_passes",
        when=lambda f: _no_name_passes(f, outcome),
        pattern=pattern,
        cause=UNKNOWN,
        family=A,
        level=C2,
        reason=f"{what} whatever name is sent, and answered without any: names are let through by a list, or by none.",
    )


UNNAMED_TLS_RULES: tuple[Rule[PathFacts], ...] = (
    _unnamed(Outcome.RESET, Pattern.TLS_RESET_SNI, "The connection is reset"),
    _unnamed(Outcome.FIN, Pattern.TLS_FIN_SNI, "The connection is closed"),
    _unnamed(Outcome.SILENT, Pattern.TLS_TIMEOUT_SNI, "The hello is dropped"),
)
"""A server may be as particular about names as a filter: nobody is accused."""


def _browser_fails(facts: PathFacts, outcome: Outcome) -> bool:
    """Tell whether a browser's hello failed three times while ours passed by turns with it, at a path that works."""
    if facts.failing is not None or facts.handshake is None:
        return False
    browser = [r for r in _hellos(facts, HelloShape.BROWSER) if r.spot == facts.spot]
    stock = [r for r in facts.seen(TLS, name=TEST) if r.spot == facts.spot]
    if len(browser) < DEEP_PAIRS or any(row.outcome is not outcome for row in browser):
        return False
    return len(stock) >= DEEP_PAIRS and _passes(stock) and count_cold(browser, stock) >= DEEP_PAIRS - 1


def _without_ech_passes(facts: PathFacts) -> bool:
    return _passes([r for r in _hellos(facts, HelloShape.NO_ECH) if r.spot == facts.spot])


def _deep(
    rule_id: str, outcome: Outcome, pattern: Pattern, reason: str, when: Callable[[PathFacts], bool]
) -> Rule[PathFacts]:
    return Rule(
        id=rule_id,
        when=lambda f: _browser_fails(f, outcome) and when(f),
        pattern=pattern,
        cause=UNKNOWN,
        family=A,
        level=C1,
        reason=reason,
        interferes=True,
    )


def _always(_facts: PathFacts) -> bool:
    return True


DEEP_RULES: tuple[Rule[PathFacts], ...] = (
    _deep(
        "tls.reset.ech.without_passes",
        Outcome.RESET,
        Pattern.TLS_RESET_ECH,
        "A browser's hello is reset; the same one without encrypted ClientHello passes, and so does ours.",
        _without_ech_passes,
    ),
    _deep(
        "tls.reset.fingerprint.browser_fails",
        Outcome.RESET,
        Pattern.TLS_RESET_FINGERPRINT,
        "A hello of a browser's size is reset where ours passes: a browser may fail. The server may be at fault.",
        _always,
    ),
    _deep(
        "tls.fin.browser_fails",
        Outcome.FIN,
        Pattern.TLS_FIN,
        "A hello of a browser's size is closed on where ours passes: a browser may fail. The server may be at fault.",
        _always,
    ),
    _deep(
        "tls.timeout.browser_fails",
        Outcome.SILENT,
        Pattern.TLS_TIMEOUT,
        "A hello of a browser's size gets no answer where ours does: a browser may fail. The server may be at fault.",
        _always,
    ),
)
"""About a path that works."""


def _any_browser_fails(facts: PathFacts) -> bool:
    return any(_browser_fails(facts, outcome) for outcome in TRIGGERABLE)


def _shape_counts(facts: PathFacts, shape: HelloShape) -> bool:
    return _passes(_hellos(facts, shape, NEUTRAL))


def _cut_passes(facts: PathFacts, shape: HelloShape) -> bool:
    return facts.failed(TLS, *TRIGGERABLE) and _neutral_passes(facts) and _passes(_hellos(facts, shape))


def _note(rule_id: str, when: Callable[[PathFacts], bool], reason: str) -> Rule[PathFacts]:
    return Rule(
        id=rule_id, when=when, pattern=None, cause=UNKNOWN, family=A, level=C1, reason=reason, usable=True
    )  # fmt: skip


SHAPE_NOTES: tuple[Rule[PathFacts], ...] = (
    _note(
        "tls.shape.segments_pass",
        lambda f: _cut_passes(f, HelloShape.SEGMENTS),
        "The name passes when it is cut into two segments: the filter does not put them together.",
    ),
    _note(
        "tls.shape.records_pass",
        lambda f: _cut_passes(f, HelloShape.RECORDS),
        "The name passes when it is cut into two TLS records, not when into two segments.",
    ),
    _note(
        "tls.shape.browser_fails_too",
        lambda f: (
            f.failed(TLS, *TRIGGERABLE)
            and _shape_counts(f, HelloShape.BROWSER)
            and _fails(_hellos(f, HelloShape.BROWSER))
        ),
        "A hello of a browser's size fails with the name as well, and passes with another.",
    ),
)
"""They add to what is said of the name, and change no verdict."""


DEEP_NOTES: tuple[Rule[PathFacts], ...] = (
    _note(
        "tls.shape.small_passes",
        lambda f: _any_browser_fails(f) and not _without_ech_passes(f) and _passes(_hellos(f, HelloShape.SMALL)),
        "A small hello that says what a browser's does passes: the size, or the large key share, is what is stopped.",
    ),
    _note(
        "tls.shape.small_fails_too",
        lambda f: _any_browser_fails(f) and _fails(_hellos(f, HelloShape.SMALL)),
        "A small hello that says what a browser's does fails as well: it is not the size that is stopped.",
    ),
    _note(
        "tls.shape.esni_fails_too",
        lambda f: _any_browser_fails(f) and _without_ech_passes(f) and _fails(_hellos(f, HelloShape.ESNI, NONE)),
        "The older way to hide a name, ESNI, is stopped as well: it is hidden names that are not let through.",
    ),
)
"""They say what of a browser's hello is stopped, where ours passes."""
