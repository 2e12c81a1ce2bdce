"""Golden stories about answers that nobody honest gives, and honest ones that resemble them."""

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.failure import FailureCode
from probe.model.fingerprint import Fingerprint, FoundIn, Matching, Reference
from probe.model.observation import DNSLookup
from probe.model.vantage import Vantage
from tests.golden.pages import BLOCKED_BODY, MINISTRY
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import DOH, DOT, NAME, OTHER, OWN, QUAD9, REAL, Story

NX = FailureCode.DNS_NXDOMAIN
BOX = "5.62.200.1"
STRANGERS = {"neutral.example": "185.107.1.1", "second.example": "64.225.1.1", "third.example": "151.101.1.1"}
CLEAR = {"secure": False, "port": 80, "address": f"http://{NAME}"}
KNOWN = Reference(fingerprints=(msgspec.structs.replace(MINISTRY, expected_countries=()),))
GOOGLE = msgspec.structs.replace(QUAD9, endpoint=Endpoint(address="8.8.8.8", port=53))
"""The resolver of `DOH`, asked in the clear."""


def plan(story: Story, design: Design, step: Step, name: str, number: int, **fields: object) -> Experiment:
    """Plan a follow-up with a neutral name of one's choice."""
    planned = Experiment(
        id=f"{design.value}.neutral.{name}.{number}", design=design, step=step, name=name,
        name_kind=NameKind.NEUTRAL, place=Place.UNRELATED, cell=number, **fields,
    )  # fmt: skip
    story.experiments.append(planned)
    return planned


def strangers(story: Story, served: bool, homes: dict[str, str] = STRANGERS, at: str = BOX) -> Story:
    """Ask an address for the certificates of unrelated sites, and an encrypted resolver where those live."""
    for number, (name, home) in enumerate(homes.items(), 1):
        asked = plan(story, Design.NEUTRAL_LOOKUP, Step.LOOKUP, name, 10 + number, resolver=DOT)
        story.dns(home, resolver=DOT, experiment=asked)
        endpoint = Endpoint(address=at, port=443)
        shaken = plan(story, Design.PROXY, Step.HANDSHAKE, name, number, endpoint=endpoint)
        story.tcp(address=at, port=443, experiment=shaken)
        story.tls(
            "ok" if served else "untrusted", address=at, port=443, experiment=shaken, verify_code=62, verified=served
        )
    return story


def everywhere(story: Story, truth: object, clear: str, neutrals: int = 3) -> Story:
    """Ask two resolvers, each in private and in the clear, and our own again."""
    story.ask(truth, DOH).ask(truth, DOT).ask(clear, QUAD9).ask(clear, GOOGLE)
    return story.again(clear if clear != REAL else BOX, times=2).neutrals(times=neutrals)


def from_afar(story: Story, ttl: int, neutral_ttl: int) -> Story:
    """Stamp the TTL on the replies about the name, and another on those about neutral ones."""
    stamped = []
    for seen in story.observations:
        if isinstance(seen, DNSLookup):
            value = ttl if seen.name == NAME else neutral_ttl
            replies = tuple(msgspec.structs.replace(reply, ip_ttl=value) for reply in seen.replies)
            stamped.append(msgspec.structs.replace(seen, replies=replies))
        else:
            stamped.append(seen)
    story.observations[:] = stamped
    return story


@golden("dns.injection.other.proxy")
def proxied() -> tuple[Half, Half]:
    def tell(homes: dict[str, str]) -> Story:
        story = Story().dns(BOX).tcp(address=BOX).tls(address=BOX).http(address=BOX)
        return strangers(everywhere(story, REAL, BOX), served=True, homes=homes).validate(REAL)

    one_cdn = dict.fromkeys(STRANGERS, "5.62.1.1")
    return (
        half(
            tell(STRANGERS).case(),
            "degraded network C3",
            "The page loads at an address that serves three unrelated sites too; encrypted resolvers give another.",
        ),
        half(
            tell(one_cdn).case(), "ok none C2", "The others live in the same block as the address: it may be one CDN's."
        ),
    )


@golden("dns.resolver.manipulated.proxy")
def own_choice() -> tuple[Half, Half]:
    def tell(served: bool) -> Story:
        story = Story().dns(BOX).tcp(address=BOX).tls(address=BOX).http(address=BOX)
        return strangers(everywhere(story, REAL, REAL), served=served).validate(REAL)

    return (
        half(
            tell(served=True).case(),
            "degraded unknown C2",
            "Only our own resolver leads through a proxy: it may be a service of one's own choice.",
        ),
        half(tell(served=False).case(), "ok none C2", "The address serves this site alone: a node of the site's CDN."),
    )


@golden("dns.resolver.manipulated.block_page")
def led_to_a_page() -> tuple[Half, Half]:
    def tell(clear: str) -> Story:
        story = Story(**CLEAR).dns(BOX).tcp(address=BOX).http(address=BOX, title="Access denied", body=BLOCKED_BODY)
        return strangers(everywhere(story, REAL, clear), served=True)

    return (
        half(
            tell(REAL).case(reference=KNOWN),
            "blocked network C3",
            "Others lead to the site; this resolver alone to a block page, at an address that serves everybody.",
        ),
        half(
            tell(BOX).case(reference=KNOWN),
            "blocked network C3",
            "All resolvers in the clear lead to the page: it is not the resolver that lies.",
        ),
    )


@golden("dns.injection.other.two_faced")
def two_faced() -> tuple[Half, Half]:
    def tell(neutral_ttl: int) -> Story:
        story = Story().dns(OTHER).tcp("silent", address=OTHER)
        return from_afar(everywhere(story, REAL, OTHER).validate(REAL), 62, neutral_ttl)

    return (
        half(
            tell(neutral_ttl=57).case(),
            "blocked network C3",
            "Two servers tell the truth in private, one dead address in the clear, and from another distance.",
        ),
        half(
            tell(neutral_ttl=62).case(),
            "impaired unknown C1",
            "The replies come as far as all others: a resolver on the way may have a dead node of the CDN's.",
        ),
    )


@golden("dns.injection.no_such_name")
def ghost() -> tuple[Half, Half]:
    def tell(clear: object) -> Story:
        story = Story(**CLEAR).dns(BOX).tcp(address=BOX).http(address=BOX, title="Notice")
        story.ask(NX, DOH).ask(NX, DOT).ask(clear, QUAD9).ask(clear, GOOGLE)
        return story.again(BOX, times=2).neutrals()

    return (
        half(
            tell(BOX).case(),
            "down outage C2",
            "Everybody in the clear gives an address for a name that, in private, does not exist.",
        ),
        half(tell(NX).case(), "down outage C2", "Only our own resolver does: a search page for mistyped names."),
    )


@golden("srv.no_such_name.invented")
def search_page() -> tuple[Half, Half]:
    def tell(truth: object, clear: object) -> Story:
        story = Story(**CLEAR).dns(BOX).tcp(address=BOX).http(address=BOX, title="Did you mean")
        return story.ask(truth, DOH).ask(truth, DOT).ask(clear, QUAD9).again(BOX).neutrals()

    return (
        half(tell(NX, NX).case(), "down outage C2", "A name that nobody else knows leads to a search page."),
        half(tell(BOX, BOX).case(), "ok none C2", "Everybody knows the name: it is a site like any other."),
    )


@golden("srv.no_such_name.forged_only")
def nowhere() -> tuple[Half, Half]:
    def tell(truth: object) -> Story:
        story = Story(**CLEAR).dns(OWN).tcp("refused")
        story.ask(truth, DOH).ask(NX, DOT).ask(OWN, QUAD9).ask(OWN, GOOGLE)
        return story.again(OWN, times=2).neutrals()

    return (
        half(tell(NX).case(), "down outage C2", "Two encrypted resolvers deny what is forged in the clear."),
        half(
            tell(OWN).case(),
            "insufficient unknown C0",
            "One of them gives the same address: the name exists.",
        ),
    )


PAGE_AT, HERE = "94.73.22.7", Vantage(country_code="XA")
LISTED = Reference(
    fingerprints=(
        Fingerprint(
            name="page", scope="isp", found_in=FoundIn.DNS, matching=Matching.FULL, pattern=PAGE_AT,
            expected_countries=("XA",),
        ),
        Fingerprint(
            name="school", scope="inst", found_in=FoundIn.DNS, matching=Matching.FULL, pattern=BOX,
            expected_countries=("XA",),
        ),
    )
)  # fmt: skip
"""A provider's block page of this country, and a school's."""


def listed(answer: str, clear: str) -> Story:
    """Tell of an address at which nothing answers, and of what resolvers outside give, in private and in the clear."""
    story = Story().dns(answer).tcp("silent", address=answer).once_more(Step.CONNECT, "silent", address=answer)
    story.ask(REAL, DOH).ask(REAL, DOT).ask(clear, QUAD9)
    return story.again(answer, times=2).neutrals(times=3)


def _block_answer(rule: str, clear: str, about: str) -> None:
    @golden(rule)
    def tell() -> tuple[Half, Half]:
        return (
            half(listed(PAGE_AT, clear).case(reference=LISTED, vantage=HERE), "blocked network C3", about),
            half(
                listed(BOX, clear if clear == REAL else BOX).case(reference=LISTED, vantage=HERE),
                "impaired unknown C1",
                "The address is known for a school's block page: not a country's, nor a provider's.",
            ),
        )


_block_answer("dns.resolver.manipulated.block_answer", REAL, "Our resolver alone gives a provider's block page.")
_block_answer("dns.injection.blockpage.block_answer", PAGE_AT, "All answers in the clear give a provider's block page.")
