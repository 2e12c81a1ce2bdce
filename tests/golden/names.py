"""Golden stories about the answers to a name."""

import dns.message
import dns.rcode
import dns.rrset
import msgspec

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import FailureCode
from probe.model.fingerprint import Reference
from probe.model.target import CheckName, Expect
from probe.model.vantage import LocalFinding
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import DOH, DOT, FIT, HOME, ISP, OWN, QUAD9, REAL, Story

NX, REFUSED = FailureCode.DNS_NXDOMAIN, FailureCode.DNS_REFUSED
NO_ANSWER, SERVFAIL, SILENT = FailureCode.DNS_NO_ANSWER, FailureCode.DNS_SERVFAIL, FailureCode.TIMEOUT
BOGON, POOL, TEREDO = "10.10.34.34", "46.82.174.69", "2001::2:1"
V6 = "2a02:2d8:1::1"
KNOWN = Reference(forged_addresses=frozenset({POOL}))


def found(*findings: LocalFinding) -> dict[str, object]:
    """Return a baseline that found something beside this machine."""
    return {"baseline": msgspec.structs.replace(FIT, findings=findings)}


def everybody(story: Story, answer: object, clear: object) -> Story:
    """Ask two encrypted resolvers and one in the clear."""
    return story.ask(answer, DOH).ask(answer, DOT).ask(clear, QUAD9)


def denied(code: FailureCode, times: int = 1, neutrals: int = 3, clear: object = REAL) -> Story:
    """Tell of a resolver that denies a name which encrypted ones know, and whose address proves itself."""
    story = everybody(Story().dns(code).again(code, times=times), REAL, clear)
    return story.neutrals(times=neutrals).validate(REAL)


def lie(answer: str, clear: str = REAL, given: str = "") -> Story:
    """Tell of a false address, repeated, at which nothing answers unless `given` says otherwise."""
    story = Story().dns(answer).tcp("silent" if not given else "ok", address=answer)
    if given:
        story.tls(given, address=answer, verify_code=62)
    return everybody(story.again(answer), REAL, clear).neutrals().validate(REAL)


def asked_dns(*answers: object, expect: tuple[str, ...] = (), **target: object) -> Story:
    """Tell of a DNS target."""
    given = {"check": CheckName.DNS, "address": "dns://www.site.example", "port": 53}
    return Story(**given, expect=Expect(answer=expect) if expect else None, **target).dns(*answers)


@golden("dns.instrument")
def no_socket() -> tuple[Half, Half]:
    return (
        half(
            Story().dns(FailureCode.OUT_OF_DESCRIPTORS).case(), "insufficient instrument C0", "No descriptor was left."
        ),
        half(
            Story().dns(FailureCode.DNS_MISBEHAVING).again(FailureCode.DNS_MISBEHAVING).case(),
            "impaired unknown C1",
            "The resolver answered nonsense: not this host's fault.",
        ),
    )


@golden("dns.seen")
def nonsense() -> tuple[Half, Half]:
    bad = FailureCode.DNS_MISBEHAVING
    return (
        half(Story().dns(bad).again(bad).case(), "impaired unknown C1", "The resolver answers nonsense, twice."),
        half(
            Story().dns(FailureCode.OUT_OF_DESCRIPTORS).case(), "insufficient instrument C0", "It could not be asked."
        ),
    )


@golden("local.resolver.falsifies_neutral")
def falsifying() -> tuple[Half, Half]:
    return (
        half(
            denied(NX).case(**found(LocalFinding.RESOLVER_FALSIFIES)),
            "impaired local C2",
            "The resolver denies neutral names as well, so it is the resolver.",
        ),
        half(denied(NX).case(), "blocked network C3", "It denies this name alone."),
    )


@golden("local.fake_ip.neutral_too")
def fake_ip() -> tuple[Half, Half]:
    def tell() -> Story:
        return Story().dns("198.18.0.7").tcp("silent", address="198.18.0.7")

    again = tell().again("198.18.0.7")
    return (
        half(
            tell().case(**found(LocalFinding.FAKE_IP)),
            "impaired local C2",
            "A proxy answers every name from 198.18/15.",
        ),
        half(
            everybody(again, REAL, REAL).neutrals().validate(REAL).case(),
            "impaired local C1",
            "Only this name gets such an address: the proxy makes them up for names that it was told.",
        ),
    )


@golden("local.fake_ip.own_range")
def fake_ip_for_this_name() -> tuple[Half, Half]:
    def tell(*encrypted: str) -> Story:
        story = Story().dns("198.18.0.7").tcp("silent", address="198.18.0.7").again("198.18.0.7")
        return everybody(story, *encrypted).neutrals()

    return (
        half(tell(REAL, REAL).validate(REAL).case(), "impaired local C1", "Encrypted resolvers give the site's."),
        half(
            tell("198.18.0.7", "198.18.0.7").case(), "insufficient unknown C0", "The zone itself has such an address."
        ),
    )


@golden("local.resolver.sinkhole")
def sinkhole() -> tuple[Half, Half]:
    def tell(answer: str) -> Story:
        story = Story().dns(answer, resolver=HOME).tcp("refused", address=answer).again(answer, resolver=HOME)
        return everybody(story, REAL, REAL).neutrals(resolver=HOME).validate(REAL)

    return (
        half(tell("0.0.0.0").case(), "impaired local C1", "A home filter answers with the null address."),
        half(
            tell(BOGON).case(),
            "insufficient unknown C0",
            "Another private address, from a resolver inside: nobody is accused.",
        ),
    )


@golden("dns.injection.race.truth_shown")
def race() -> tuple[Half, Half]:
    def tell() -> Story:
        story = Story().dns(OWN, REAL).tcp("silent").ask(REAL, DOH).ask(REAL, DOT).ask([OWN, REAL], QUAD9)
        return story.neutrals()

    return (
        half(
            tell().validate(REAL).case(),
            "blocked network C3",
            "Two answers to one question; the later one is the site's.",
        ),
        half(tell().case(), "impaired unknown C1", "Two answers, and none of them has proved itself."),
    )


@golden("dns.injection.race.conflict")
def conflict() -> tuple[Half, Half]:
    def tell(answer: str) -> Story:
        return Story().dns(OWN, REAL).tcp("silent").ask(answer, DOH).ask(answer, DOT).neutrals()

    return (
        half(tell(REAL).case(), "impaired unknown C1", "Two answers that exclude each other; no certificate was seen."),
        half(
            tell(OWN).once_more(Step.CONNECT, "silent").case(),
            "impaired unknown C1",
            "The first of two answers is what encrypted resolvers give: a resolver with two answers, not a lie.",
        ),
    )


@golden("dns.resolver.manipulated.others_clean")
def only_ours() -> tuple[Half, Half]:
    return (
        half(
            lie(BOGON).case(),
            "blocked network C3",
            "Only our resolver gives a private address; neutral names are clean.",
        ),
        half(
            Story().dns(OWN).tcp().tls().http().ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).case(),
            "ok none C2",
            "Only our resolver gives this address, and it has the site's certificate: a CDN.",
        ),
    )


@golden("dns.injection.teredo")
def teredo() -> tuple[Half, Half]:
    def tell(answer: str) -> Story:
        story = Story(family=6).dns(answer, query_type="AAAA").tcp("silent", address=answer)
        story.again(answer, query_type="AAAA").ask(V6, DOH, query_type="AAAA").ask(V6, DOT, query_type="AAAA")
        return story.ask(answer, QUAD9, query_type="AAAA").neutrals().validate(V6)

    baseline = msgspec.structs.replace(FIT, families=(4, 6))
    return (
        half(
            tell(TEREDO).case(baseline=baseline),
            "blocked network C3",
            "A Teredo address, from every resolver in the clear.",
        ),
        half(
            tell("2a02:2d8:2::1").case(baseline=baseline), "impaired unknown C1", "An ordinary address that is silent."
        ),
    )


@golden("dns.injection.bogon")
def bogon() -> tuple[Half, Half]:
    return (
        half(
            lie(BOGON, clear=BOGON).case(), "blocked network C3", "A private address from every resolver in the clear."
        ),
        half(
            everybody(Story().dns(BOGON).tcp("silent", address=BOGON), BOGON, BOGON).neutrals().case(),
            "insufficient unknown C0",
            "Encrypted resolvers give it too: the site's own mistake.",
        ),
    )


@golden("dns.injection.pool")
def pool() -> tuple[Half, Half]:
    return (
        half(
            lie(POOL, clear=POOL).case(reference=KNOWN),
            "blocked network C3",
            "An address that injectors are known for.",
        ),
        half(
            lie(POOL, clear=POOL).case(),
            "impaired unknown C1",
            "The same address, not known: it may be a dead CDN node.",
        ),
    )


@golden("dns.injection.other.all_resolvers")
def unlisted() -> tuple[Half, Half]:
    return (
        half(
            lie(OWN, clear=OWN, given="untrusted").case(),
            "blocked network C3",
            "One server gives a strange certificate's address in the clear, and the site's in private.",
        ),
        half(
            lie(OWN, clear=OWN).case(), "impaired unknown C1", "The address is merely silent: a CDN node may be down."
        ),
    )


@golden("dns.disputed.same_everywhere")
def same_everywhere() -> tuple[Half, Half]:
    return (
        half(lie(OWN, clear=OWN).case(), "impaired unknown C1", "All in the clear give one silent address."),
        half(lie(OWN, clear="45.90.8.8").case(), "insufficient unknown C0", "They give different ones, as for a CDN."),
    )


@golden("dns.resolver.manipulated.unexpected")
def unexpected_here() -> tuple[Half, Half]:
    def tell() -> Story:
        return everybody(asked_dns(OWN, expect=(REAL,)).again(OWN), REAL, REAL)

    return (
        half(tell().neutrals().case(), "likely_blocked network C2", "All others give what is expected, ours does not."),
        half(everybody(asked_dns(REAL, expect=(REAL,)), REAL, REAL).case(), "ok none C1", "Ours gives it as well."),
    )


@golden("dns.injection.unexpected")
def unexpected_in_the_clear() -> tuple[Half, Half]:
    def tell(clear: str) -> Story:
        return everybody(asked_dns(OWN, expect=(REAL,)).again(OWN), REAL, clear).neutrals()

    return (
        half(
            tell(OWN).case(),
            "likely_blocked network C2",
            "Encrypted resolvers give what is expected, clear ones do not.",
        ),
        half(
            tell(REAL).case(), "likely_blocked network C2", "Others in the clear give it too: it is our resolver alone."
        ),
    )


@golden("srv.unexpected.answer")
def moved() -> tuple[Half, Half]:
    def tell(answer: str) -> Story:
        return everybody(asked_dns(OWN, expect=(REAL,)).again(OWN), answer, answer).neutrals()

    return (
        half(tell(OWN).case(), "server_side server C2", "The zone says so to everybody: the expectation is old."),
        half(tell(REAL).case(), "likely_blocked network C2", "Everybody else gets what is expected."),
    )


@golden("dns.unexpected.seen")
def unexpected_alone() -> tuple[Half, Half]:
    return (
        half(asked_dns(OWN, expect=(REAL,)).case(), "impaired unknown C1", "Not expected; nobody else was asked."),
        half(asked_dns(REAL, expect=(REAL, OWN)).case(), "ok none C1", "One of the expected answers."),
    )


@golden("net.other_family_only")
def other_family() -> tuple[Half, Half]:
    def tell(v6: object) -> Story:
        story = Story().dns(NO_ANSWER).again(NO_ANSWER).ask(NO_ANSWER, DOH).ask(NO_ANSWER, DOT)
        return story.ask(v6, DOH, number=2, query_type="AAAA").ask(v6, DOT, number=2, query_type="AAAA").neutrals()

    return (
        half(tell(V6).case(), "impaired local C1", "The name has IPv6 addresses only, and this network has none."),
        half(tell(NO_ANSWER).case(), "down outage C2", "It has no address of either family."),
    )


@golden("dns.nxdomain.encrypted_knows")
def nxdomain() -> tuple[Half, Half]:
    everywhere = everybody(Story().dns(NX).again(NX), NX, NX).neutrals()
    return (
        half(denied(NX).case(), "blocked network C3", "An existing name is denied, twice; its address proves itself."),
        half(everywhere.case(), "down outage C2", "The name does not exist anywhere."),
    )


def _refusing(rule: str, code: FailureCode, said: str, clear: object) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        dead = everybody(Story().dns(code).again(code, times=4), REAL, REAL)
        return (
            half(
                denied(code, times=4, neutrals=5, clear=clear).case(),
                said,
                "Five times for this name, never for neutral ones.",
            ),
            half(
                dead.neutrals(code, times=5).case(),
                "impaired local C1",
                "For neutral names as well: the resolver is broken.",
            ),
        )


_refusing("dns.no_answer.encrypted_knows", NO_ANSWER, "likely_blocked network C2", REAL)
_refusing("dns.refused.encrypted_knows", REFUSED, "likely_blocked network C2", REAL)
_refusing("dns.servfail.encrypted_knows", SERVFAIL, "impaired unknown C1", REAL)
_refusing("dns.timeout.encrypted_knows", SILENT, "likely_blocked network C2", SILENT)


def _nobody(rule: str, code: FailureCode, what: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        story = everybody(Story().dns(code).again(code), code, code).neutrals()
        if code is NO_ANSWER:
            story.ask(code, DOH, number=2, query_type="AAAA")
        seen = "blocked network C3" if code is NX else "impaired unknown C1"
        return (
            half(story.case(), "down outage C2", f"{what} from encrypted resolvers as well."),
            half(denied(code).case(), seen, f"{what} from our resolver alone."),
        )


_nobody("srv.no_such_name.nxdomain", NX, "No such name")
_nobody("srv.no_such_name.no_answer", NO_ANSWER, "No address")
_nobody("srv.zone_broken.dns_refused", REFUSED, "A refusal")
_nobody("srv.zone_broken.servfail", SERVFAIL, "A failure")


@golden("dns.neutral_too")
def that_resolver() -> tuple[Half, Half]:
    def tell(neutral: object) -> Story:
        return _asked_of_quad9().neutrals(neutral, resolver=QUAD9)

    return (
        half(tell(SILENT).case(), "impaired unknown C1", "The resolver that the target names is silent for all names."),
        half(tell(REAL).case(), "impaired unknown C1", "It is silent for this name alone."),
    )


def _asked_of_quad9() -> Story:
    target = {"check": CheckName.DNS, "port": 53, "params": {"resolver": "udp://9.9.9.9"}}
    story = Story(address="dns://www.site.example?resolver=9.9.9.9", **target).dns(SILENT, resolver=QUAD9)
    return story.again(SILENT, resolver=QUAD9).ask(REAL, DOH)


@golden("net.dns_broken.neutral_fails")
def broken_resolver() -> tuple[Half, Half]:
    def tell(neutral: object) -> Story:
        return Story().dns(SILENT).again(SILENT).neutrals(neutral)

    return (
        half(tell(SILENT).case(), "impaired local C1", "The resolver answers nothing at all."),
        half(tell(REAL).case(), "impaired unknown C1", "It answers neutral names."),
    )


def _alone(rule: str, code: FailureCode, what: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        known = "blocked network C3" if code is NX else "impaired unknown C1"
        return (
            half(Story().dns(code).again(code).case(), "impaired unknown C1", f"{what}; nobody else could be asked."),
            half(denied(code).case(), known, f"{what}; encrypted resolvers know the name."),
        )


_alone("dns.nxdomain.seen", NX, "No such name")
_alone("dns.no_answer.seen", NO_ANSWER, "No address")
_alone("dns.refused.seen", REFUSED, "A refusal")
_alone("dns.servfail.seen", SERVFAIL, "A failure")
_alone("dns.timeout.seen", SILENT, "Silence")


QUAD9_OWN = msgspec.structs.replace(QUAD9, system=True)


def filtered(private: object, clear: object = REAL) -> Story:
    """Tell of a public resolver, our own, that denies the name; of what it says in private; and of others."""
    story = Story().dns(NX, resolver=QUAD9_OWN).ask(private, DOT).ask(REAL, DOH)
    story.ask(clear, msgspec.structs.replace(QUAD9, endpoint=Endpoint(address="8.8.8.8", port=53)))
    return story.again(NX, resolver=QUAD9_OWN).neutrals(resolver=QUAD9_OWN).validate(REAL)


@golden("local.resolver.chosen")
def chosen() -> tuple[Half, Half]:
    return (
        half(filtered(NX).case(), "impaired local C2", "It denies the name in private too: its filter."),
        half(filtered(REAL).case(), "blocked network C3", "In private it knows the name: somebody answers for it."),
    )


@golden("dns.resolver.manipulated.chosen")
def chosen_and_not_asked() -> tuple[Half, Half]:
    return (
        half(
            filtered(SILENT).case(), "impaired unknown C1", "In private it does not answer: whose word it is, is open."
        ),
        half(filtered(SILENT, NX).case(), "blocked network C3", "Others deny the name in the clear as well."),
    )


def remembered(*ttls: int, zone: str = "site.example", code: FailureCode = NX) -> Story:
    """Tell of a resolver that denies the name, each time with its zone's SOA and so many seconds left."""
    story = Story().dns(code, raw=negative(ttls[0], zone))
    everybody(story, REAL, REAL)
    for number, ttl_s in enumerate(ttls[1:], 1):
        planned = story.experiment(Design.REPEAT, Step.LOOKUP, NameKind.TEST, number, resolver=ISP)
        story.wait(1.0).dns(code, experiment=planned, raw=negative(ttl_s, zone))
    return story.neutrals().validate(REAL)


def negative(ttl_s: int, zone: str) -> bytes:
    """Return a message that denies the name on the word of a zone."""
    message = dns.message.make_response(dns.message.make_query("www.site.example", "A", id=1))
    message.set_rcode(dns.rcode.NXDOMAIN)
    text = "ns1.site.example. hostmaster.site.example. 1 7200 900 1209600 3600"
    message.authority.append(dns.rrset.from_text(f"{zone}.", ttl_s, "IN", "SOA", text))
    return message.to_wire()


@golden("dns.remembered.others_know")
def remembered_denial() -> tuple[Half, Half]:
    return (
        half(remembered(740, 739).case(), "impaired unknown C1", "What is left of its time grows less: a memory."),
        half(remembered(740, 740).case(), "blocked network C3", "The same each time: whoever says so has no memory."),
    )
