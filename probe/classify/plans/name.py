"""Follow-ups about the answer to a name: other resolvers, encrypted ones, neutral names, and who owns the addresses."""

import msgspec

from probe.classify.case import Case
from probe.classify.facts.family_names import FamilyNames, find_odd_family
from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.remembered import LATER_S, is_zones_word
from probe.classify.pairs import SPOKE
from probe.classify.plans.answer import build_lookup, plan_nowhere, plan_strangers
from probe.classify.plans.trouble import Trouble, encrypted_questions, hop_name, odd_page
from probe.classify.tries import ENCRYPTED, TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.observation import DNSLookup
from probe.model.target import CheckName

ENCRYPTED_ASKED = 2
"""One may be out of order, or lie itself."""
CLEAR_ASKED = 2
"""Two that have nothing to do with each other tell a lying resolver from a lying network."""
VALIDATED_AT_MOST = 2
"""Addresses that are asked for the name's certificate: one that holds is enough."""
NEUTRAL_LOST_AT_MOST = 2
"""Lost neutral questions that are asked anew; more, and the resolver is not clean anyway."""
OTHER_FAMILY_FROM = 30
"""Numbers of tries for AAAA start here, where each family is asked about for itself."""
_OTHER_FAMILY = {"A": "AAAA", "AAAA": "A"}
_ASKED_BY_TLS = (CheckName.WEB, CheckName.TLS)
REFUSALS = frozenset({Outcome.DNS_REFUSED, Outcome.SERVFAIL, Outcome.SILENT, Outcome.NO_ANSWER})


def plan_name(case: Case, table: tuple[Try, ...], hop: int, troubles: tuple[Trouble, ...]) -> tuple[Experiment, ...]:
    """Return the lookups and certificate tests that would tell a forged answer from a true one."""
    names = NameFacts(case, table, hop)
    names = find_odd_family(names, table) or names
    host, secure, _ = hop_name(case, table, hop)
    waiting = [s for s in case.silences if s.layer == Layer.DNS.value and s.hop == hop and not s.experiment]
    if not names.asked and not waiting:
        return ()
    strange = names.differs or names.invented or bool(names.proxies)
    if not (names.suspicious or waiting or strange or _answer_in_doubt(names, troubles)):
        # Where a name may be the trigger, its address may be a forger's all the same: a question tells.
        named = any(_may_be_named(trouble) for trouble in troubles) or odd_page(case, table, hop)
        return tuple(_ask_others(case, names, host, hop)) if named else ()
    wanted = [*_ask_others(case, names, host, hop), *_ask_again(case, names, host, hop)]
    if names.disputed or names.denied or names.conflicting or strange:
        wanted += _validate(case, names, host, hop, secure=secure)
    if strange:
        wanted += plan_strangers(case, names, hop)
    return (*wanted, *plan_nowhere(case, names, host, hop))


def _may_be_named(trouble: Trouble) -> bool:
    return trouble.place is Place.OWN and trouble.outcome in TRIGGERABLE and trouble.layer in (Layer.TLS, Layer.HTTP)


def plan_question(case: Case, table: tuple[Try, ...], hop: int) -> tuple[Experiment, ...]:
    """Return one repeat of a question that a resolver under test left unanswered, on a new connection."""
    return tuple(
        build_lookup(
            Design.REPEAT, seen.name, NameKind.TEST, seen.resolver, number=1, hop=hop, query_type=seen.query_type
        )
        for row in encrypted_questions(case, table, hop)
        if row.outcome is not Outcome.OK and isinstance(seen := row.observation, DNSLookup)
    )


def _answer_in_doubt(names: NameFacts, troubles: tuple[Trouble, ...]) -> bool:
    """Tell whether every address that we were given fails before it proved to be the site's."""
    bad = {t.endpoint.address for t in troubles if t.place is Place.OWN and _is_doubtful(t, names)}
    given = names.own_addresses
    return bool(given) and not names.validated and bool(bad) and given <= bad | _undialled(names)


def _is_doubtful(trouble: Trouble, names: NameFacts) -> bool:
    """Tell whether the address may be what is wrong, so that other resolvers are worth asking.

    A place that answers neutral names in TLS and breaks on this one serves: its address is right. So where the name may
    be the trigger, the neutral control is awaited first.
    """
    if trouble.layer is not Layer.TLS or trouble.outcome not in TRIGGERABLE:
        return trouble.outcome is not Outcome.ALERT
    neutral = [row for row in names.table if row.kind is NameKind.NEUTRAL and row.spot == trouble.spot]
    failed = any(row.outcome not in SPOKE for row in neutral)
    return failed and not any(row.layer is Layer.TLS and row.outcome in SPOKE for row in neutral)


def _undialled(names: NameFacts) -> frozenset[str]:
    dialled = {row.address for row in names.table if row.layer is Layer.TCP and row.experiment is None}
    return names.own_addresses - dialled


def _ask_others(case: Case, names: NameFacts, host: str, hop: int) -> list[Experiment]:
    """Ask encrypted resolvers, and others in the clear, what our own was asked.

    A name without addresses of one family may have some of the other: both are asked for before it is given up.
    """
    ours = {lookup.resolver.endpoint.address for _, lookup in names.own if lookup.resolver.endpoint is not None}
    private = [r for r in case.resolvers if r.transport in ENCRYPTED]
    # What our own resolver says in private comes first: it tells whether somebody else answers in its name.
    private.sort(key=lambda r: r.endpoint is None or r.endpoint.address not in ours)
    encrypted = private[:ENCRYPTED_ASKED]
    clear = [r for r in case.resolvers if r.transport not in ENCRYPTED and not r.system][:CLEAR_ASKED]
    kind = _first_type(names)
    wanted = [
        build_lookup(
            Design.RESOLVERS, host, NameKind.TEST, resolver, number=1 + _asked_before(names), hop=hop, query_type=kind
        )
        for resolver in (*encrypted, *clear)
    ]
    if names.own_outcome is Outcome.NO_ANSWER and kind in _OTHER_FAMILY:
        other = _OTHER_FAMILY[kind]
        wanted += [
            build_lookup(Design.RESOLVERS, host, NameKind.TEST, resolver, number=2, hop=hop, query_type=other)
            for resolver in encrypted
        ]
    return wanted


def _asked_before(names: NameFacts) -> int:
    """Return what numbers to leave out: the other family's questions, which come first, have them."""
    return OTHER_FAMILY_FROM if isinstance(names, FamilyNames) and names.query_type == "AAAA" else 0


def _first_type(names: NameFacts) -> str:
    return min((lookup.query_type for _, lookup in names.own), default="A")


def _ask_again(case: Case, names: NameFacts, host: str, hop: int) -> list[Experiment]:
    resolver = next((lookup.resolver for _, lookup in names.own), None)
    if resolver is None:
        return []
    refused = names.own_outcome in REFUSALS and names.denied
    neutral = case.neutral_names[0] if case.neutral_names else ""
    again, before = 4 if refused else 2 if names.differs else 1, _asked_before(names)
    wanted = [
        build_lookup(
            Design.REPEAT, host, NameKind.TEST, resolver, number=n + before, hop=hop, query_type=_first_type(names)
        )
        for n in range(1, again + 1)
    ]
    if is_zones_word(names):
        late = build_lookup(
            Design.REPEAT, host, NameKind.TEST, resolver, number=again + 1 + before, hop=hop,
            query_type=_first_type(names),
        )  # fmt: skip
        wanted.append(msgspec.structs.replace(late, delay_s=LATER_S))
    if neutral:
        replaced = min(names.neutral_lost, NEUTRAL_LOST_AT_MOST) if names.neutral_good else 0
        wanted += [
            build_lookup(Design.NEUTRAL_LOOKUP, neutral, NameKind.NEUTRAL, resolver, number=n, hop=hop)
            for n in range(1, (6 if refused else 4) + replaced)
        ]
    wanted.append(
        Experiment(
            id=f"{Design.SYSTEM.value}.test.{hop}.1", design=Design.SYSTEM, step=Step.LOOKUP, name=host,
            name_kind=NameKind.TEST, hop=hop, cell=1,
        )
    )  # fmt: skip
    return wanted


def _validate(case: Case, names: NameFacts, host: str, hop: int, *, secure: bool) -> list[Experiment]:
    """Ask the addresses themselves: a valid certificate for the name settles whose they are."""
    port = case.target.port if case.target.check in _ASKED_BY_TLS and secure and hop == 0 else 443
    # What encrypted resolvers gave comes first: of several replies to one question most may be forged.
    likely = [*sorted(names.encrypted_addresses), *sorted(_later_addresses(names) - names.encrypted_addresses)]
    real = [address for address in likely if address not in names.own_addresses][:VALIDATED_AT_MOST]
    given = [] if secure else sorted(names.own_addresses)[:VALIDATED_AT_MOST]
    cells = [(address, Place.ELSEWHERE) for address in real] + [(address, Place.UNRELATED) for address in given]
    return [
        Experiment(
            id=f"{Design.ADDRESSES.value}.test.{address}.{port}.{hop}.1",
            design=Design.ADDRESSES,
            step=Step.HANDSHAKE,
            name=host,
            name_kind=NameKind.TEST,
            place=place,
            endpoint=Endpoint(address=address, port=port),
            hop=hop,
            cell=1,
        )
        for address, place in cells
    ]


def _later_addresses(names: NameFacts) -> frozenset[str]:
    """Return what second and third replies to one question gave: the real answer often comes last."""
    if not names.conflicting:
        return frozenset()
    return frozenset(
        answer.value
        for _, lookup in names.own
        for reply in lookup.replies[1:]
        for answer in reply.answers
        if answer.type in ("A", "AAAA")
    )
