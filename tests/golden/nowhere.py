"""Golden stories about questions to an address at which no resolver is."""

from probe.classify.case import Case
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Place, Step
from probe.model.failure import FailureCode
from probe.model.fingerprint import Reference
from probe.model.observation import Resolver, Transport
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import DOH, DOT, HOME, ISP, OWN, REAL, Story

NOBODY = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="77.88.9.9", port=53))
AFAR, AT_THE_DOOR = 57, 64
NX, LOST = FailureCode.DNS_NXDOMAIN, FailureCode.TIMEOUT
BOGON, TEREDO, LISTED, FORGED = "10.10.34.34", "2001::6ca0:a7ae", "59.24.3.174", "45.90.1.9"
HOME_DENIES = "The router at home says so too; that the packets come from beyond it is what tells."


def ask_nobody(
    story: Story, name: object, neutral: object, ttl: int | None = AFAR, kind: str = "A", asked: int = 3
) -> Story:
    """Ask for the name twice and for neutral names, where nobody should answer."""
    for which, answer, times in ((NameKind.TEST, name, 2), (NameKind.NEUTRAL, neutral, asked)):
        for number in range(1, times + 1):
            planned = story.experiment(
                Design.NOWHERE, Step.LOOKUP, which, number, resolver=NOBODY, place=Place.UNRELATED, query_type=kind
            )
            story.dns(answer, resolver=NOBODY, experiment=planned, query_type=kind, ip_ttl=ttl)
    return story


def behind_a_router(answer: object, kind: str = "A", real: str = REAL) -> Story:
    """Tell of a resolver at home that passes on a false answer, and of encrypted ones that know the true one."""
    story = Story().dns(answer, resolver=HOME, query_type=kind)
    if isinstance(answer, str):
        story.tcp("silent", address=answer)
    story.ask(real, DOH, query_type=kind).ask(real, DOT, query_type=kind).validate(real)
    return story.again(answer, resolver=HOME, query_type=kind).neutrals(resolver=HOME)


def denying(resolver: Resolver = ISP) -> Story:
    """Tell of a resolver that denies the name."""
    story = Story().dns(NX, resolver=resolver).ask(REAL, DOH).ask(REAL, DOT).validate(REAL)
    return story.again(NX, times=4, resolver=resolver).neutrals(times=5, resolver=resolver)


def _judged(story: Story) -> Case:
    return story.case(reference=Reference(forged_addresses=frozenset({LISTED})))


def _injected(
    content: str,
    answer: object,
    kind: str = "A",
    real: str = REAL,
    nearly: str = "insufficient unknown C0",
    why: str = "Nobody answers where nobody is: the answer may be the router's own, and the address failed once.",
) -> None:
    @golden(f"dns.injection.{content}.nowhere")
    def tell() -> tuple[Half, Half]:
        forged = ask_nobody(behind_a_router(answer, kind, real), answer, LOST, kind=kind)
        silent = ask_nobody(behind_a_router(answer, kind, real), LOST, LOST, kind=kind)
        return (
            half(_judged(forged), "blocked network C3", HOME_DENIES),
            half(_judged(silent), nearly, why),
        )


_injected("bogon", BOGON)
_injected(
    "teredo", TEREDO, "AAAA", "2a02:2d8:1::1", "impaired local C2", "Nobody answers there; and no IPv6 from here."
)
_injected("pool", LISTED)
_injected("other", FORGED)


@golden("dns.resolver.intercepted.nowhere")
def intercepted() -> tuple[Half, Half]:
    return (
        half(
            _judged(ask_nobody(denying(), NX, "45.90.3.3")),
            "blocked network C3",
            "Nobody knows neutral names, and denies this one: it is a resolver that all questions are carried to.",
        ),
        half(
            _judged(ask_nobody(Story().dns(OWN).tcp().tls().http(), OWN, "45.90.3.3")),
            "ok none C2",
            "Port 53 is carried to a resolver that tells the truth.",
        ),
    )


@golden("local.resolver.nowhere")
def at_the_door() -> tuple[Half, Half]:
    return (
        half(
            _judged(ask_nobody(denying(), NX, "45.90.3.3", AT_THE_DOOR)),
            "impaired local C2",
            "The answers have crossed no router: the next one answers itself, as home filters do.",
        ),
        half(
            _judged(ask_nobody(denying(), LOST, LOST, AT_THE_DOOR)),
            "blocked network C3",
            "Nobody answers where nobody is.",
        ),
    )
