"""Follow-ups about an answer that looks right: do others give it too, and if not, who serves at the address?

Source: CONTRACT section 4 (deep runs) and section 7 (other resolvers are controls). Asking costs two lookups; only an
answer that nobody else gives is looked into.
"""

from probe.classify.case import Case
from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.nowhere import NEUTRAL_ASKED
from probe.classify.tries import ENCRYPTED, Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import Resolver, Transport
from probe.model.spread import stable_hash
from probe.model.target import CheckName

ASKED = 2
"""Encrypted resolvers: one may be out of order, or lie itself."""
CALM_S = 1.5
"""A page that works is not held up longer by a resolver that does not answer."""
NOBODY_WITHIN_S = 1.5
"""Forged answers are there within 0.4 s; nobody answers at all, and the verdict waits no longer for that."""
STRANGERS = 3
"""Unrelated names asked at the given address; two must be served there."""
_FIRST_OF_STRANGERS = 11
"""Number of the first lookup about them: the lower ones are asked of our own resolver, for another design."""
_HTTPS, _DOMAIN = 443, 53


def plan_deep_answer(case: Case, table: tuple[Try, ...]) -> tuple[Experiment, ...]:
    """Return the lookups with which a deep run holds a good-looking answer against encrypted resolvers."""
    names = NameFacts(case, table, 0)
    if not case.deep or case.target.check not in (CheckName.WEB, CheckName.TLS) or not names.own_addresses:
        return ()
    types = {lookup.query_type for _, lookup in names.own}
    if "A" not in types and 4 in case.vantage.families:
        return ()  # still on its way, and the question that others are asked is the same for all
    encrypted = [r for r in case.resolvers if r.transport in ENCRYPTED][:ASKED]
    host, kind = case.target.host, min(types)
    # By the name's hash, so that not every name asks the same resolver first.
    turn = stable_hash(host) % len(encrypted) if encrypted else 0
    wanted = tuple(
        build_lookup(Design.RESOLVERS, host, NameKind.TEST, resolver, number=1, query_type=kind, within_s=CALM_S)
        for resolver in (*encrypted[turn:], *encrypted[:turn])
    )
    return wanted if wanted and _leaves_doubt(case, table, names, wanted[0]) else wanted[:1]


def _leaves_doubt(case: Case, table: tuple[Try, ...], names: NameFacts, first: Experiment) -> bool:
    """Tell whether the first encrypted resolver did not confirm our answer: it differs, fails, or keeps silent so far.

    One that confirms it is enough, and spares a connection: looks at targets that work have a budget.
    """
    if any(silence.experiment == first.id for silence in case.silences):
        return True
    answered = any(row.experiment is not None and row.experiment.id == first.id for row in table)
    return answered and not names.agree


def plan_strangers(case: Case, names: NameFacts, hop: int) -> list[Experiment]:
    """Return the handshakes that show a proxy, and the lookups that show a forger, where an answer is nobody else's."""
    encrypted = [r for r in case.resolvers if r.transport in ENCRYPTED][:ASKED]
    others = names.own_addresses - names.encrypted_addresses
    if not encrypted or not others:
        return []
    address = min(others, key=lambda a: (":" in a, a))
    wanted = [
        build_lookup(
            Design.NEUTRAL_LOOKUP, name, NameKind.NEUTRAL, encrypted[0], number=_FIRST_OF_STRANGERS + n, hop=hop
        )
        for n, name in enumerate(case.neutral_names[:STRANGERS])
    ]
    if not _is_mute(names, address):
        wanted += [
            Experiment(
                id=f"{Design.PROXY.value}.neutral.{address}.{hop}.{number}", design=Design.PROXY, step=Step.HANDSHAKE,
                name=name, name_kind=NameKind.NEUTRAL, endpoint=Endpoint(address=address, port=_HTTPS), hop=hop,
                place=Place.UNRELATED, cell=number,
            )
            for number, name in enumerate(case.neutral_names[:STRANGERS], 1)
        ]  # fmt: skip
    return wanted + _in_the_clear(case, names, encrypted, hop)


def plan_nowhere(case: Case, names: NameFacts, host: str, hop: int) -> list[Experiment]:
    """Return the name twice and neutral ones, to where no resolver is; nothing unless the user has such a place."""
    if not case.nowhere or len(case.neutral_names) < NEUTRAL_ASKED:
        return []
    nobody = Resolver(transport=Transport.UDP, endpoint=Endpoint(address=case.nowhere[0], port=_DOMAIN))
    kind = min((lookup.query_type for _, lookup in names.own), default="A")
    asked = [(host, NameKind.TEST, 1), (host, NameKind.TEST, 2)]
    asked += [(name, NameKind.NEUTRAL, n) for n, name in enumerate(case.neutral_names[:NEUTRAL_ASKED], 1)]
    return [
        build_lookup(Design.NOWHERE, name, which, nobody, number=n, hop=hop, query_type=kind, within_s=NOBODY_WITHIN_S)
        for name, which, n in asked
    ]


def _is_mute(names: NameFacts, address: str) -> bool:
    """Tell whether connects to an address ended in silence: then nobody serves anything there."""
    tried = [row for row in names.table if row.layer is Layer.TCP and row.address == address]
    return bool(tried) and all(row.outcome is Outcome.SILENT for row in tried)


def _in_the_clear(case: Case, names: NameFacts, encrypted: list[Resolver], hop: int) -> list[Experiment]:
    """Ask the servers that were asked in private once more in the clear: the same server, another transport."""
    host = next((lookup.name for _, lookup in names.own), case.target.host)
    known = {r.endpoint.address for r in case.resolvers if r.endpoint and r.transport is Transport.UDP}
    twins = [
        Resolver(transport=Transport.UDP, endpoint=Endpoint(address=r.endpoint.address, port=_DOMAIN))
        for r in encrypted
        if r.endpoint is not None and r.endpoint.address not in known
    ]
    kind = min((lookup.query_type for _, lookup in names.own), default="A")
    return [
        build_lookup(Design.RESOLVERS, host, NameKind.TEST, twin, number=1, hop=hop, query_type=kind) for twin in twins
    ]


def build_lookup(
    design: Design,
    name: str,
    kind: NameKind,
    resolver: Resolver,
    *,
    number: int,
    hop: int = 0,
    query_type: str = "A",
    within_s: float = 0.0,
) -> Experiment:
    """Return one question to one resolver."""
    return Experiment(
        id=f"{design.value}.{kind.value}.{resolver}.{hop}.{number}",
        design=design,
        step=Step.LOOKUP,
        name=name,
        name_kind=kind,
        place=Place.OWN if resolver.system else Place.UNRELATED,
        resolver=resolver,
        query_type=query_type,
        hop=hop,
        cell=number,
        within_s=within_s,
    )
