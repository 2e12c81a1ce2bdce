"""Golden stories about certificates that do not hold."""

import base64
import pathlib

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.vantage import AnchorResult, Baseline, LocalFinding
from probe.protocols.tls.certificate import parse_certificate
from tests.golden.story import Half, golden, half
from tests.unit.classify.cases import DOH, DOT, FIT, OWN, REAL, Story

INSPECTED = base64.decodebytes((pathlib.Path(__file__).parent / "inspected.b64").read_bytes())
"""A certificate of a private issuer, "Corporate Proxy", for www.site.example."""
EXPIRED, FOREIGN_NAME, PRIVATE_ROOT = 10, 62, 20


def untrusted(verify_code: int, **more: object) -> Story:
    """Tell of a certificate that did not hold, twice."""
    story = Story().dns(OWN).tcp().tls("untrusted", verify_code=verify_code, **more)
    return story.once_more(Step.HANDSHAKE, "untrusted", verify_code=verify_code, **more)


def inspecting() -> Baseline:
    """Return a baseline that found one private issuer on two neutral anchors."""
    issuer = parse_certificate(INSPECTED).issuer
    anchors = tuple(
        AnchorResult(address=f"https://anchor{n}.example", group="foreign", ok=False, issuer=issuer) for n in (1, 2)
    )
    return msgspec.structs.replace(FIT, findings=(LocalFinding.TLS_INSPECTION,), anchors=anchors)


@golden("local.tls_inspection.same_issuer")
def inspection() -> tuple[Half, Half]:
    story = untrusted(PRIVATE_ROOT, chain=(INSPECTED,))
    return (
        half(story.case(baseline=inspecting()), "impaired local C2", "The issuer that signs neutral sites here."),
        half(story.case(), "impaired unknown C1", "Neutral sites show their own certificates: whose this is, is open."),
    )


def under_another(story: Story, outcome: str, verify_code: int = FOREIGN_NAME) -> Story:
    """Ask for the site's certificate under a neutral name."""
    there = Endpoint(address=OWN, port=443)
    planned = story.experiment(Design.CERTIFICATE, Step.HANDSHAKE, NameKind.NEUTRAL, 1, endpoint=there)
    story.tcp(experiment=planned)
    return story.tls(outcome, experiment=planned, chain=(b"own",), verify_code=verify_code, verified=outcome == "ok")


@golden("tls.mitm.untrusted.selective")
def selective() -> tuple[Half, Half]:
    forged = {"chain": (INSPECTED,)}
    return (
        half(
            under_another(untrusted(PRIVATE_ROOT, **forged), "ok").case(),
            "likely_blocked network C2",
            "Under a neutral name the address shows the site's own certificate.",
        ),
        half(
            under_another(untrusted(PRIVATE_ROOT, **forged), "untrusted").case(),
            "impaired unknown C1",
            "Under a neutral name another site's comes: one site of a shared server may be set up wrongly.",
        ),
    )


@golden("net.clock.certificate_dates")
def wrong_clock() -> tuple[Half, Half]:
    wrong = msgspec.structs.replace(FIT, findings=(LocalFinding.CLOCK_WRONG,))
    return (
        half(untrusted(EXPIRED).case(baseline=wrong), "impaired local C2", "Out of date by a clock that is wrong."),
        half(untrusted(EXPIRED).case(), "server_side server C2", "Out of date by a clock that is right."),
    )


@golden("srv.cert_expired.chain_valid")
def expired() -> tuple[Half, Half]:
    return (
        half(untrusted(EXPIRED).case(), "server_side server C2", "Only the dates are over."),
        half(untrusted(PRIVATE_ROOT).case(), "impaired unknown C1", "The chain leads to no public root."),
    )


@golden("srv.cert_name.answer_trusted")
def other_name() -> tuple[Half, Half]:
    return (
        half(
            untrusted(FOREIGN_NAME).ask(OWN, DOH).ask(OWN, DOT).case(),
            "server_side server C1",
            "The address that encrypted resolvers give shows a certificate for other names.",
        ),
        half(
            untrusted(FOREIGN_NAME).ask(REAL, DOH).ask(REAL, DOT).case(),
            "impaired unknown C1",
            "Encrypted resolvers give another address.",
        ),
    )


@golden("tls.untrusted.seen")
def foreign_chain() -> tuple[Half, Half]:
    return (
        half(untrusted(PRIVATE_ROOT).case(), "impaired unknown C1", "Self-signed or forged: the same from here."),
        half(
            Story().dns(OWN).tcp().tls("untrusted").once_more(Step.HANDSHAKE, "ok").http().case(),
            "ok none C2",
            "The repeat shows the site's own certificate.",
        ),
    )
