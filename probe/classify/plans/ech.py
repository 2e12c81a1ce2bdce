"""Follow-ups about encrypted names: does a hello pass that hides the name as the site's own zone asks browsers to?

Source: CONTRACT section 4 (deep runs); RFC 9849. A filter that stops hello after hello with a provider's outer name
leaves browsers stuck that do as the zone says, while all else works. Held against it: the same outer name without ECH,
a browser's hello with GREASE in its place, and our own by turns.
"""

from probe.classify.case import Case
from probe.classify.pairs import DEEP_PAIRS, SPOKE
from probe.classify.plans.answer import CALM_S, build_lookup
from probe.classify.plans.shape import deep_place, may_look_deep
from probe.classify.tries import ENCRYPTED, TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, EchConfig, Experiment, HelloShape, NameKind, Step
from probe.model.observation import DNSLookup
from probe.protocols.tls.ech import find_config

RECORD = "HTTPS"


def plan_ech(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the question for the site's configuration, and once it is known the next hello that uses it."""
    resolver = next((r for r in case.resolvers if r.transport in ENCRYPTED), None)
    if not case.deep or resolver is None or not may_look_deep(case.target) or not _is_named(table):
        return ()
    asked = [e for e in case.experiments if e.design is Design.ECH and e.step is Step.LOOKUP]
    if not asked:
        lookup = build_lookup(
            Design.ECH, case.target.host, NameKind.TEST, resolver, number=1, query_type=RECORD, within_s=CALM_S
        )
        return (lookup,)
    config = _published(table)
    return () if config is None else _next(case, table, config)


def _is_named(table: tuple[Try, ...]) -> bool:
    """Tell whether the check's own lookup gave an address: the question goes out with others about the answer."""
    return any(row.experiment is None and row.layer is Layer.DNS and row.outcome is Outcome.OK for row in table)


def _published(table: tuple[Try, ...]) -> EchConfig | None:
    """Return the configuration that the site's zone gives, as an encrypted resolver told it."""
    for row in table:
        lookup = row.observation
        mine = row.experiment is not None and row.experiment.design is Design.ECH
        if mine and isinstance(lookup, DNSLookup) and lookup.accepted is not None:
            return find_config(tuple(a.value for a in lookup.accepted.answers if a.type == RECORD))
    return None


def _next(case: Case, table: tuple[Try, ...], config: EchConfig) -> tuple[Experiment, ...]:
    endpoint = deep_place(case, table)
    if endpoint is None:
        return ()
    planned = [e for e in case.experiments if e.design is Design.ECH and e.step is not Step.LOOKUP]
    seen = {
        r.experiment.id: r.outcome for r in table if r.experiment is not None and r.layer in (Layer.HELLO, Layer.TLS)
    }
    seen |= {
        r.experiment.id: r.outcome for r in table if r.experiment is not None and r.outcome is not Outcome.OK
    }  # a connect that failed ends its try

    def outcomes(shape: HelloShape) -> list[Outcome | None]:
        return [seen.get(e.id) for e in planned if e.shape is shape]

    def send(shape: HelloShape) -> tuple[Experiment, ...]:
        return (_hello(case, config, endpoint, shape, len(outcomes(shape)) + 1),)

    hidden = outcomes(HelloShape.ECH)
    if not hidden:
        return send(HelloShape.ECH)
    if any(outcome not in TRIGGERABLE for outcome in hidden) or deep_place(case, table, shaken=True) is None:
        return ()  # it passes; or our own hello has not come through either, or not yet
    for shape in (HelloShape.NO_ECH, HelloShape.BROWSER):
        plain = outcomes(shape)
        if not plain:
            return send(shape)
        if plain[0] not in SPOKE:
            return ()
    stock = outcomes(HelloShape.STOCK)
    if any(outcome not in SPOKE for outcome in stock):
        return ()
    if len(stock) < min(len(hidden), DEEP_PAIRS - 1):
        return send(HelloShape.STOCK)
    return send(HelloShape.ECH) if len(hidden) < DEEP_PAIRS else ()


def _hello(case: Case, config: EchConfig, endpoint: Endpoint, shape: HelloShape, number: int) -> Experiment:
    # Without ECH the outer name stands alone, in the clear, and is held against the same with it.
    outer = shape is HelloShape.NO_ECH
    return Experiment(
        id=f"{Design.ECH.value}.{shape.value}.{endpoint}.0.{number}",
        design=Design.ECH,
        step=Step.HANDSHAKE if shape is HelloShape.STOCK else Step.HELLO,
        name=config.public_name if outer else case.target.host,
        name_kind=NameKind.NEUTRAL if outer else NameKind.TEST,
        endpoint=endpoint,
        shape=shape,
        ech=config if shape is HelloShape.ECH else None,
        about=str(endpoint),
        cell=number,
        within_s=CALM_S,
    )
