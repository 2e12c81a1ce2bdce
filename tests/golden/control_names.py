"""Golden stories about names, told by what a control was given and shown for them."""

from probe.classify.case import Case
from probe.model.experiment import Step
from probe.model.fingerprint import Fingerprint, FoundIn, Matching, Reference
from probe.model.vantage import Vantage
from tests.golden.controls import BOGON, CLEAR, DOWN, LIKELY, NX, OPEN, judged
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import DOH, HOME, OWN, REAL, Story


@golden("dns.injection.blockpage.control_differs")
def block_answer() -> tuple[Half, Half]:
    def tell(country: str) -> Case:
        known = Fingerprint(
            name="page", scope="nat", found_in=FoundIn.DNS, matching=Matching.FULL, pattern=OWN,
            expected_countries=(country,),
        )  # fmt: skip
        story = Story().dns(OWN).tcp("silent").again(OWN).once_more(Step.CONNECT, "silent").neutrals()
        return judged(
            story,
            Story().dns(REAL).tcp(address=REAL),
            reference=Reference(fingerprints=(known,)),
            vantage=Vantage(country_code="XA"),
        )

    return (
        half(tell("XA"), LIKELY, "Twice this country's block page for us, twice the site's address for a control."),
        half(tell("XB"), OPEN, "The address is known for another country's block page: nobody is accused."),
    )


@golden("dns.control_differs.refuted_there")
def refuted_there() -> tuple[Half, Half]:
    def tell(asn: int) -> Case:
        story = Story().dns(OWN, asns=(asn,)).tcp("silent").again(OWN).once_more(Step.CONNECT, "silent").neutrals()
        outside = Story().dns(REAL, asns=(64501,)).tcp(address=REAL).tls(address=REAL)
        outside.tcp().tls("untrusted", verify_code=62)
        return judged(story, outside)

    return (
        half(tell(64500), LIKELY, "Nothing answers us; a control is shown another site there."),
        half(tell(64501), LIKELY, "The address is in the site's own network: what is silent is the address."),
    )


@golden("srv.down.control_nowhere")
def nowhere() -> tuple[Half, Half]:
    def tell() -> Story:
        return Story().dns(BOGON).tcp("silent", address=BOGON).again(BOGON)

    return (
        half(judged(tell(), Story().dns(BOGON)), DOWN, "A control is given a private address as well."),
        half(judged(tell(), Story().dns(REAL).tcp(address=REAL)), OPEN, "A control is given a public address."),
    )


@golden("srv.no_such_name.control_denies")
def ghost() -> tuple[Half, Half]:
    def tell(*, encrypted: object) -> Story:
        return Story(**CLEAR).dns(OWN).tcp().http().ask(encrypted, DOH).again(OWN)

    return (
        half(
            judged(tell(encrypted=NX), Story().dns(NX)),
            DOWN,
            "A control and an encrypted resolver say that the name does not exist: what we are given is made up.",
        ),
        half(
            judged(tell(encrypted=OWN), Story().dns(NX)),
            "ok none C2",
            "An encrypted resolver gives the address too: a control's zone may lag behind.",
        ),
    )


@golden("local.resolver.sinkhole.control_differs")
def null_address() -> tuple[Half, Half]:
    def tell(**resolver: object) -> Case:
        story = Story().dns("0.0.0.0", **resolver).tcp("refused", address="0.0.0.0").again("0.0.0.0", **resolver)
        story.once_more(Step.CONNECT, "refused", address="0.0.0.0").neutrals(**resolver)
        return judged(story, Story().dns(REAL).tcp(address=REAL))

    return (
        half(tell(resolver=HOME), "impaired local C1", "A resolver at home gives the null address."),
        half(tell(), LIKELY, "A provider's resolver gives the null address: nobody's filter at home."),
    )
